"""Words as arrays are the words of `text.words`, on every code point there is."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from prepsweep.text import MARK, WORD, words
from prepsweep.word_arrays import word_counts, words_of


@given(st.lists(st.text(st.one_of(st.sampled_from("ab'’-_ 我한カ\n\u2028\u0301é𠀀👍Ⅷ²"), st.characters(codec="utf-8")))))
def test_the_same_words(texts: list[str]) -> None:
    found = words_of(texts)
    assert found.words.to_pylist() == [word for text in texts for word in words(text)]
    assert found.counts.tolist() == word_counts(texts).tolist() == [len(words(text)) for text in texts]
    tokens = [re.findall(rf"{WORD.pattern}|{MARK}", text) for text in texts]
    found = words_of(texts, marks=True)
    assert found.words.to_pylist() == [token for text in tokens for token in text]
    assert found.counts.tolist() == list(map(len, tokens))


def test_every_code_point_is_what_it_is_to_words() -> None:
    # Beyond are private use and unassigned points; those below are in long texts, since many short ones take long.
    points = [chr(point) for point in range(0x33000) if not 0xD800 <= point <= 0xDFFF]
    texts = [" ".join(f"a{point}b" for point in points[at : at + 5000]) for at in range(0, len(points), 5000)]
    assert words_of(texts).words.to_pylist() == [word for text in texts for word in words(text)]
    tokens = [token for text in texts for token in re.findall(rf"{WORD.pattern}|{MARK}", text)]
    assert words_of(texts, marks=True).words.to_pylist() == tokens
