"""Cleaning on rows written here."""

from __future__ import annotations

import pytest

from prepsweep.clean.drop_short import drop_short
from prepsweep.clean.exact_dedup import exact_dedup
from prepsweep.clean.normalize_unicode import normalize_unicode
from prepsweep.clean.strip_markup import strip_markup
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.text import pieces, words
from tests.conftest import rows_of


@pytest.mark.parametrize(
    ("broken", "repaired"),
    [
        ("schÃ¶n", "schön"),
        ("e\u0301te\u0301", "été"),
        ("plain ascii & more", "plain ascii & more"),
        ("line\r\nend", "line\nend"),
        ("很好 👍🏽", "很好 👍🏽"),
        ("a\x00b", "ab"),
        ("", ""),
    ],
)
def test_normalize_unicode(broken: str, repaired: str) -> None:
    assert table_of(normalize_unicode(rows_of([(broken, "x")]), num_proc=1)).column("text").to_pylist() == [repaired]


@pytest.mark.parametrize(
    ("marked", "bare"),
    [
        ("good<br />film", "good film"),
        ("<p>one</p><p>two</p>", "one two"),
        ("a <b>very</b> good film", "a very good film"),
        ("un<i>believ</i>able", "unbelievable"),
        ("I <3 you", "I <3 you"),
        ("a <b and c> d", "a <b and c> d"),
        ('<a href="x>y" class=z>link</a> <b>', "link"),
        ("one <br> <hr/>\n two", "one two"),
        ("x < y > z", "x < y > z"),
        ("fish &amp; chips &lt;b&gt;", "fish & chips <b>"),
        ("<script>alert('x')</script>hello", "hello"),
        ("<!-- hidden -->seen", "seen"),
        ("AT&T <unknown> stays", "AT&T <unknown> stays"),
        ("no markup,  two spaces", "no markup,  two spaces"),
    ],
)
def test_strip_markup(marked: str, bare: str) -> None:
    assert table_of(strip_markup(rows_of([(marked, "x")]), num_proc=1)).column("text").to_pylist() == [bare]


def test_rewriting_gives_the_same_with_two_processes() -> None:
    rows = rows_of([(f"caf{'Ã©'} <b>{i}</b>", "x") for i in range(3000)])
    for stage in (normalize_unicode, strip_markup):
        assert table_of(stage(rows, num_proc=2)).equals(table_of(stage(rows, num_proc=1)))


def test_drop_short_counts_words_and_chinese_characters() -> None:
    rows = rows_of([("two words", "x"), ("one, two, three!", "x"), ("我喜欢", "x"), ("", "x"), ("... !", "x")])
    assert table_of(drop_short(rows, min_words=3)).column("dropped").to_pylist() == ["short", None, None, "short", "short"]
    with pytest.raises(Refused, match="min_words: must be at least 1, got 0"):
        drop_short(rows, min_words=0)


def test_exact_dedup_keeps_one_of_each_text_and_label() -> None:
    rows = rows_of([("a", "x"), ("a", "x"), ("a", "y"), ("A", "x"), ("b", "x"), ("b", "x")], ["", "", "", "", "", "test"])
    assert table_of(exact_dedup(rows)).column("dropped").to_pylist() == [None, "duplicate", None, None, "duplicate", None]


def test_words_and_pieces() -> None:
    assert words("It's a well-made film，我喜欢 2024!") == ["It's", "a", "well-made", "film", "我", "喜", "欢", "2024"]
    text = "  Odd\tspacing — and… marks_too\n"
    assert "".join(pieces(text)) == text
