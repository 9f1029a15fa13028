"""Emoji as names, gone, or spaced: sequences are one, neighbours are parted, type stays type."""

from __future__ import annotations

import emoji as library
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prepsweep.clean.emoji import check, emoji
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from tests.conftest import rows_of


def rewritten(text: str, action: str) -> str:
    result: str = table_of(emoji(rows_of([(text, "x")]), action=action, num_proc=1).rows).column("text")[0].as_py()
    return result


@pytest.mark.parametrize(
    ("text", "named", "removed", "spaced"),
    [
        (
            "great👍🏽👍🏿 film😍.",
            "great :thumbs_up: :thumbs_up: film :smiling_face_with_heart-eyes:.",
            "great film.",
            "great 👍🏽 👍🏿 film 😍.",
        ),
        ("I love😀this", "I love :grinning_face: this", "I love this", "I love 😀 this"),
        ("很好👍很", "很好 :thumbs_up: 很", "很好 很", "很好 👍 很"),
        ("a 😀 😀 b", "a :grinning_face: :grinning_face: b", "a b", "a 😀 😀 b"),
        ("😀 a 😀", ":grinning_face: a :grinning_face:", "a", "😀 a 😀"),
        ("one 😀\ntwo 😀 (x)", "one :grinning_face:\ntwo :grinning_face: (x)", "one\ntwo (x)", "one 😀\ntwo 😀 (x)"),
        ("👨‍👩‍👧‍👦🇩🇪1️⃣", ":family_man_woman_girl_boy: :Germany: :keycap_1:", "", "👨‍👩‍👧‍👦 🇩🇪 1️⃣"),
        ("🫱🏻‍🫲🏿", ":handshake:", "", "🫱🏻‍🫲🏿"),
        ("❤ ❤️ ™️", ":red_heart: :red_heart: :trade_mark:", "", "❤ ❤️ ™️"),
        ("😀", ":grinning_face:", "", "😀"),
    ],
)
def test_emoji(text: str, named: str, removed: str, spaced: str) -> None:
    assert rewritten(text, "name") == named
    assert rewritten(text, "remove") == removed
    assert rewritten(text, "keep_spaced") == spaced


@pytest.mark.parametrize("action", ["name", "remove", "keep_spaced"])
@pytest.mark.parametrize(
    "text", ["", "  ", "100% #1 * :) <3", "© ® ™ ↔ ‼ 2️", "我喜欢。", "a\u2028b\u200dc", "é" * 3000, "naïve — “quotes”…"]
)
def test_what_is_no_emoji_stays(text: str, action: str) -> None:
    assert rewritten(text, action) == text


def test_facts_count_emoji_and_rows() -> None:
    rows = rows_of([("👍🏽👍🏽 and 👨‍👩‍👧", "x"), ("none", "x"), ("😀", "x"), ("", "x")])
    for action in ("name", "remove", "keep_spaced"):
        assert emoji(rows, action=action, num_proc=1).facts == {"emoji": 4, "rows": 2}
    assert emoji(rows.select([]), action="name", num_proc=1).facts == {"emoji": 0, "rows": 0}


def test_every_emoji_of_the_library_is_found() -> None:
    known = [sign for sign, data in library.EMOJI_DATA.items() if data["status"] == library.STATUS["fully_qualified"]]
    rows = rows_of([(f"a {sign} b", "x") for sign in known])
    result = emoji(rows, action="remove", num_proc=1)
    assert set(table_of(result.rows).column("text").to_pylist()) == {"a b"}
    assert result.facts == {"emoji": len(known), "rows": len(known)}
    names = table_of(emoji(rows, action="name", num_proc=1).rows).column("text").to_pylist()
    assert all(name.startswith("a :") and name.endswith(": b") for name in names)
    assert not [name for name in names if "_skin_tone" in name]


@settings(deadline=None)
@given(st.text(st.sampled_from("ab .,我\n👍🏽❤\ufe0f\u200d🇩🇪1\u20e3")))
def test_no_letter_is_lost_or_moved(text: str) -> None:
    for action in ("name", "remove", "keep_spaced"):
        letters = [sign for sign in rewritten(text.replace("a", "我"), action) if sign in "我"]
        assert len(letters) == text.count("a") + text.count("我")
    spaced = rewritten(text, "keep_spaced")
    assert [sign for sign in spaced if sign in "ab.,我👍❤🇩🇪"] == [sign for sign in text if sign in "ab.,我👍❤🇩🇪"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "我", " ", ".", "\n", "👍🏽", "❤️", "🇩🇪", "👨‍👩‍👧", "1️⃣"])))
def test_a_second_run_changes_nothing(signs: list[str]) -> None:
    for action in ("name", "remove", "keep_spaced"):
        once = rewritten("".join(signs), action)
        assert rewritten(once, action) == once


def test_two_processes_agree_with_one() -> None:
    rows = rows_of([(f"row {i} 👍🏽" if i % 3 else f"row {i}", "x") for i in range(2100)])
    one, two = (emoji(rows, action="name", num_proc=num_proc) for num_proc in (1, 2))
    assert table_of(one.rows).equals(table_of(two.rows))
    assert one.facts == two.facts == {"emoji": 1400, "rows": 1400}


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(Refused, match=r"clean.emoji.action: unknown action 'names'. fix: did you mean 'name'\?"):
        check(action="names")
