"""Children in any number and order of parents have the uids that the row contract promises."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepsweep import lineage
from prepsweep.lineage import add_children, table_of
from prepsweep.schema import child_uid
from tests.conftest import rows_of

ROWS = rows_of([("one", "x"), ("two", "y"), ("", "x"), ("四\u2028", "y"), ("one", "x")], "train")


@given(st.lists(st.integers(0, 4), max_size=30))
def test_a_child_is_counted_among_those_of_its_parent(parents: list[int]) -> None:
    table = table_of(add_children(ROWS, parents=parents, texts=[f"child {n}" for n in range(len(parents))], stage="made"))
    before: Counter[int] = Counter()
    expected = []
    for parent in parents:
        expected.append(child_uid(ROWS["uid"][parent], "made", before[parent]))
        before[parent] += 1
    assert table.column("uid").to_pylist() == [*ROWS["uid"], *expected]
    assert table.column("parent_uid").to_pylist() == [None] * 5 + [ROWS["uid"][parent] for parent in parents]
    assert table.column("label").to_pylist() == [*ROWS["label"], *(ROWS["label"][parent] for parent in parents)]
    assert table.column("origin").to_pylist() == ["source"] * 5 + ["made"] * len(parents)


def test_parts_of_any_size_give_the_same_uids(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = [0, 3, 0, 1, 4, 4, 0]
    whole = table_of(add_children(ROWS, parents=parents, texts=None, stage="made"))
    monkeypatch.setattr(lineage, "_ROWS_AT_ONCE", 2)
    assert table_of(add_children(ROWS, parents=parents, texts=None, stage="made")).equals(whole)
