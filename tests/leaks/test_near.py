"""Near-duplicates against a comparison of each text with each."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from prepsweep.leaks.near import ONE_IN, is_near, near_rows, rarest_runs
from prepsweep.leaks.words import stream_of


def distance(one: list[int], other: list[int]) -> int:
    """Edit distance by the textbook."""
    costs = list(range(len(other) + 1))
    for row, word in enumerate(one, start=1):
        last = [row]
        for place, against in enumerate(other, start=1):
            last.append(min(costs[place - 1] + (word != against), costs[place] + 1, last[-1] + 1))
        costs = last
    return costs[-1]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """A text of few kinds of words, and one made of it by some edits."""
    one = draw(st.lists(st.integers(0, draw(st.sampled_from([1, 3, 50]))), min_size=1, max_size=70))
    other = list(one)
    for _ in range(draw(st.integers(0, 5))):
        place, kind, word = draw(st.integers(0, max(len(other) - 1, 0))), draw(st.integers(0, 2)), draw(st.integers(0, 60))
        if kind == 0:
            other.insert(place, word)
        elif other and kind == 1:
            other[place] = word
        elif len(other) > 1:
            del other[place]
    return one, other


@given(pairs())
@settings(max_examples=300, deadline=None)
def test_every_pair_is_found_that_is_one(pair: tuple[list[int], list[int]]) -> None:
    one, other = pair
    expected = distance(one, other) <= max(len(one), len(other)) // ONE_IN
    assert is_near(one, other) is expected
    texts = [" ".join(f"w{word}" for word in text) for text in (one, other)]
    words = stream_of(pa.chunked_array([texts])).words
    found = near_rows(words, rarest_runs(words), np.array([0]), np.array([1]), sides=[words])[0]
    if max(len(one), len(other)) >= ONE_IN:
        assert bool(found) is expected
    else:
        # Without a word to change, equality is all there is, and that is not asked here: it may be found or not.
        assert not found or one == other


def test_among_many_rows() -> None:
    rng = np.random.default_rng(0)
    texts = [list(rng.integers(0, 400, size=rng.integers(15, 60))) for _ in range(80)]
    for place in range(0, 40, 2):
        copy = list(texts[place])
        for at in rng.integers(0, len(copy), size=rng.integers(1, 4)):
            copy[at] = 999
        texts[40 + place] = copy
    rows, sources = np.arange(40, 80), np.arange(40)
    words = stream_of(pa.chunked_array([[" ".join(f"w{word}" for word in text) for text in texts]])).words
    expected = [
        any(distance(texts[row], texts[source]) <= max(len(texts[row]), len(texts[source])) // ONE_IN for source in sources) for row in rows
    ]
    assert near_rows(words, rarest_runs(words), rows, sources, sides=[words]).tolist() == expected
    assert 5 < sum(expected) < 20
