"""What the sinks are told of the rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from prepsweep.augment.children import make_children
from prepsweep.tracking import before_and_after
from tests.conftest import make_reviews, rows_of


def test_examples_are_changed_rows_beside_their_parents_spread_over_all() -> None:
    pairs = make_reviews(40)
    made = {text: text.upper() if row % 2 else text for row, (text, _) in enumerate(pairs)}
    rows = make_children(rows_of(pairs, "train"), lambda _, text: [made[text]], stage="louder", num_proc=1)
    prepared: Any = SimpleNamespace(train=SimpleNamespace(dataset=rows))
    changed = [["louder", label, text, text.upper()] for text, label in pairs[1::2]]
    assert before_and_after(prepared, 0) == []
    assert before_and_after(prepared, 4) == changed[::5]
    assert before_and_after(prepared, 1000) == changed
