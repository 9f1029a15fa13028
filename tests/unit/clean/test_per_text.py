"""The one way over all texts: the same for any number of processes, and counts beside texts."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow.compute as pc

from prepsweep.lineage import table_of
from prepsweep.text import per_text, rewrite
from tests.conftest import rows_of

AWKWARD = ["", "   ", "我喜欢", "👍🏽", "a\u2028b", "long " * 5000]


def _loud_and_counted(texts: Sequence[str]) -> dict[str, list[str] | list[int]]:
    return {"text": [text.upper() for text in texts], "n_a": [text.count("a") for text in texts]}


def test_columns_are_in_the_order_of_the_rows_for_any_number_of_processes() -> None:
    rows = rows_of([(f"a{'a' * (i % 7)} {i}", "x") for i in range(2300)] + [(text, "x") for text in AWKWARD])
    one, two = (per_text(rows, _loud_and_counted, num_proc=num_proc) for num_proc in (1, 2))
    assert one.column("text").to_pylist() == [text.upper() for text in rows[:]["text"]]
    assert one.column("n_a").to_pylist() == [text.count("a") for text in rows[:]["text"]]
    assert one.to_pydict() == two.to_pydict()
    assert pc.sum(two.column("n_a")).as_py() == sum(text.count("a") for text in rows[:]["text"])


def test_rewriting_leaves_other_columns_and_no_rows_are_no_trouble() -> None:
    rows = rows_of([("a", "x"), ("b", "y")])
    rewritten = table_of(rewrite(rows, str.upper, num_proc=1))
    assert rewritten.column("text").to_pylist() == ["A", "B"]
    assert rewritten.drop_columns("text").equals(table_of(rows).drop_columns("text"))
    assert table_of(rewrite(rows.select([]), str.upper, num_proc=2)).num_rows == 0
