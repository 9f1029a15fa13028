"""Long texts of one kind of sign: work that grows with the square of the length would take minutes here."""

from __future__ import annotations

import time

from prepsweep.augment.draws import row_draw, shuffled, two_of
from prepsweep.clean.strip_markup import strip_markup
from prepsweep.lineage import table_of
from prepsweep.segmentation import cut
from tests.conftest import rows_of


def test_a_word_of_many_marks_is_joined_once() -> None:
    started = time.process_time()
    assert cut("e\u0301" * 300_000 + " x", "characters") == ["e\u0301" * 300_000, " ", "x"]
    assert time.process_time() - started < 5


def test_two_places_are_the_first_two_of_a_shuffle() -> None:
    for row in range(200):
        items = list(range(2 + row % 9))
        assert list(two_of(items, row_draw(0, "s", str(row)))) == shuffled(items, row_draw(0, "s", str(row)), n_first=2)


def test_openings_that_nothing_closes_stay_and_are_looked_for_once() -> None:
    started = time.process_time()
    texts = ["<!-- " * 100_000, "a <!-- b <script>c</script> d", "a <!-- b --> c <STYLE type='x'>d</style > e <!-- f"]
    found = table_of(strip_markup(rows_of([(text, "x") for text in texts]), num_proc=1)).column("text").to_pylist()
    assert found == [texts[0], "a <!-- b   d", "a   c   e <!-- f"]
    assert time.process_time() - started < 5
