"""A cap leaves each class at most so many rows, nested for larger caps, and counts what left."""

from __future__ import annotations

from collections import Counter

import pytest

from prepsweep.balance.cap_per_class import cap_per_class
from prepsweep.errors import Refused
from prepsweep.lineage import settle, table_of
from tests.conftest import make_reviews, rows_of


def kept(n_rows: int, seed: int = 0) -> tuple[set[str], Counter[str], dict[str, int]]:
    rows = rows_of(make_reviews(100), "train")
    settled = settle(rows, cap_per_class(rows, seed=seed, n_rows=n_rows), stage="cap_per_class", group="balance")
    table = table_of(settled.kept)
    return set(table.column("uid").to_pylist()), Counter(table.column("label").to_pylist()), settled.counts["dropped"]


def test_larger_classes_shrink_to_the_cap_and_smaller_ones_stay() -> None:
    _, sizes, dropped = kept(25)
    assert sizes == {"fresh": 25, "rotten": 25, "plot": 20}
    assert dropped == {"cap_per_class": 30}


def test_a_larger_cap_keeps_the_rows_of_a_smaller_one() -> None:
    assert kept(5)[0] < kept(15)[0] < kept(1000)[0]


def test_the_rows_are_drawn_by_the_seed() -> None:
    assert kept(5)[0] == kept(5)[0] != kept(5, seed=1)[0]


def test_a_cap_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(Refused, match="balance.cap_per_class.n_rows: must be at least 1, got 0"):
        kept(0)
