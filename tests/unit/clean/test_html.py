"""HTML becomes the text that a browser shows; what only looks like HTML stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prepsweep.clean.html import html
from prepsweep.lineage import table_of
from tests.conftest import rows_of


def shown(text: str) -> str:
    result: str = table_of(html(rows_of([(text, "x")]), num_proc=1)).column("text")[0].as_py()
    return result


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("good<br />film", "good\nfilm"),
        ("<p>one</p><p>two", "one\ntwo"),
        ("<p>我喜欢<br>这部电影</p>", "我喜欢\n这部电影"),
        ("a <b>very</b> good film", "a very good film"),
        ("un<i>believ</i>able", "unbelievable"),
        ("<ul><li>one<li>two</ul>after", "one\ntwo\nafter"),
        ("hi<div>a<div>b</div></div>c", "hi\na\nb\nc"),
        ("x<table><tr><td>a<td>b<tr><td>c</table>y", "x\na b\nc\ny"),
        ("<tr><td>a</td><td>b</td></tr><tr><td>c", "a b\nc"),
        ("<td>a</td><td>b</td>", "a b"),
        ("<pre>a\n  b</pre>c\nd", "a\nb\nc d"),
        ("<p>two\n  lines&nbsp;are\tone</p>", "two lines are one"),
        ("<html><head><title>T</title></head><body>seen</body></html>", "seen"),
        ("<script>if(a<b)alert('<p>x')</script>hello<style>p{}</style>", "hello"),
        ("<noscript><p>enable JavaScript</p></noscript>seen", "seen"),
        ("<!-- hidden <p> -->seen", "seen"),
        ("<!doctype html>seen", "seen"),
        ('<a href="x>y" class=z>link</a>', "link"),
        ("<input disabled>seen<DIV HIDDEN>too</DIV>", "seen\ntoo"),
        ("fish &amp; chips &lt;b&gt; &eacute;&#233; &hellip;", "fish & chips <b> éé …"),
        ("5<6<br>7>3", "5<6\n7>3"),
        ("<br>", ""),
    ],
)
def test_markup_becomes_text(markup: str, text: str) -> None:
    assert shown(markup) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "I <3 you >:-( <3",
        "a < b and c > d",
        "a <b and c> d",
        "if x<y: return",
        "<USER> says <unk> to <me@example.org>",
        "cut off <a href=",
        "seen <!-- never closed",
        "AT&T, R&D & more",
        "https://example.org/?a=1&copy=2&lt=3",
        "two  spaces\n\nand lines\u2028stay 👍🏽",
    ],
)
def test_what_is_no_markup_stays(text: str) -> None:
    assert shown(text) == text


def test_only_inline_tags_leave_the_white_space() -> None:
    assert shown("  keep  <b>me</b>\n\ntwo ") == "  keep  me\n\ntwo "


def test_deep_and_hostile_markup_is_done_in_reasonable_time() -> None:
    assert shown("<p>" * 5000 + "deep") == "deep"
    assert shown("<!--" * 5000) == "<!--" * 5000
    assert shown("<b " * 5000) == "<b " * 5000
    assert shown("<b" + " " * 20_000) == "<b" + " " * 20_000


@settings(deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="<&")))
def test_text_without_tags_and_entities_is_left_alone(text: str) -> None:
    assert shown(text) == text


@settings(deadline=None)
@given(st.text(st.sampled_from("<>/&;!-abp br=\"'\n3")))
def test_any_text_can_be_shown_in_a_page_and_comes_back(text: str) -> None:
    """Escaped as a careful author does it, any text is shown as it is, but for white space."""
    from html import escape

    assert shown(f"<p>{escape(text)}</p>") == " ".join(text.split())


def test_two_processes_agree_with_one() -> None:
    rows = rows_of([(f"<p>row {i}</p>&amp; <b>more</b>", "x") for i in range(2100)])
    assert table_of(html(rows, num_proc=2)).equals(table_of(html(rows, num_proc=1)))
