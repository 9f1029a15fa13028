"""What two texts are compared by, where a quick way and a general one must say the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from prepsweep.leaks.near import _counts
from prepsweep.leaks.words import folded, stream_of
from prepsweep.word_arrays import TEXTS_AT_ONCE

ASCII = st.lists(st.text(st.characters(max_codepoint=0x7F), max_size=12), min_size=1, max_size=8)


@given(ASCII, st.integers(0, 3))
def test_ascii_is_folded_as_it_is_beside_other_letters(texts: list[str], skipped: int) -> None:
    first = min(skipped, len(texts))
    alone, among_others = (folded(pa.chunked_array([pa.array([*texts, *other], pa.string()).slice(first)])) for other in ([], ["ß"]))
    assert among_others.to_pylist() == [*alone.to_pylist(), "ß"]


def test_what_is_folded_away() -> None:
    texts = ["Ice-cream, $5!\x7f\t\n", "", "?!", "ＣＡＦÉ\u200b ☕", "a_b~c"]
    assert folded(pa.chunked_array([texts])).to_pylist() == ["icecream$5", "", "", "ｃａｆé☕", "ab~c"]


def test_slices_come_back_in_their_order() -> None:
    texts = pa.chunked_array([[f"word{place}" for place in range(2 * TEXTS_AT_ONCE + 1)], ["ö"]])
    assert folded(texts).to_pylist() == texts.to_pylist()
    tokens = stream_of(texts)
    assert tokens.names.take(pa.array(tokens.ids)).to_pylist() == texts.to_pylist()
    assert (tokens.lengths == 1).all()


@given(st.lists(st.integers(0, 5), max_size=40), st.sampled_from([1, 1 << 38, 1 << 60]))
def test_runs_are_counted_whatever_bits_tell_them_apart(numbers: list[int], factor: int) -> None:
    runs = np.array([number * factor for number in numbers], dtype=np.uint64)
    assert _counts(runs).tolist() == [numbers.count(number) for number in numbers]
