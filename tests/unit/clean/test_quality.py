"""Each rule drops what it names, in English and Chinese; null switches it off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import prepsweep
from prepsweep.clean.quality import check, quality
from prepsweep.clean.quality_rules import RULES, Measured
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from tests.conftest import rows_of

OFF: dict[str, Any] = dict.fromkeys(RULES)
FINE = [
    "A really good film, and I would watch it again.",
    "cancel my card",
    "yes",
    "这部电影很好看，我会推荐给朋友。",
    "24岁孕妇飞机上结识42岁离异女子 3天后产子相赠",
    "Très bon film, à voir absolument !",
    "line one\u2028line two",
    "Gr8 👍🏽",
]


def broken(text: str, rule: str, limit: Any) -> bool:
    return table_of(quality(rows_of([(text, "x")]), **OFF | {rule: limit}, num_proc=1).rows).column("dropped").to_pylist() == [rule]


@pytest.mark.parametrize(
    ("rule", "limit", "bad", "good"),
    [
        ("few_words", 3, "two words", "three words here"),
        ("few_words", 3, "很好", "我喜欢"),
        ("few_words", 1, "?!", "ok"),
        ("many_words", 3, "one two three four", "one two three"),
        ("many_words", 3, "我很喜欢", "我喜欢"),
        ("word_length", [2, 12], "a b c d e f", "a film about f"),
        ("word_length", [2, 12], "Soooooooooooooooooo", "我喜欢这部电影"),
        ("word_length", [2, 12], "donaudampfschifffahrt 12", "12 34 5 A股"),
        ("symbols", 0.5, "#a #b ... c", "the #debate was good..."),
        ("symbols", 0.5, "……好", "我喜欢这部电影…"),
        ("symbols", 0.5, "###", "."),
        ("few_letters", 0.5, "10 20 30 four", "10 films seen"),
        ("few_letters", 0.5, "1 2 3 好", "3部电影"),
        ("bullet_lines", 0.9, "- one\n* two\n• three", "- one line only"),
        ("bullet_lines", 0.9, "• 一\n• 二", "- one\ntwo"),
        ("ellipsis_lines", 0.3, "more...\nless", "more.\nless\neven less\nand…"),
        ("repeated_lines", 0.3, "same\nsame\nother", "one\ntwo\nthree"),
        ("top_ngram", 0.5, "ha ha ha ha", "very good and very good fun for all of us"),
        ("top_ngram", 0.5, "哈哈哈哈", "很好看，很好看的电影，我喜欢它"),
        ("repeated_ngrams", 0.3, "click here to see more " * 3, "click here to see more and then click here to see less of it"),
        ("repeated_ngrams", 0.3, "我要退货退款！" * 3, "我要退货退款，请问怎么办理退款手续"),
        ("few_stop_words", 2, "buy cheap pills online", "that is the film"),
        ("few_stop_words", 2, "Cheap! the best", "这部电影很好看 the"),
        ("no_terminal_punctuation", 1, "Home About Contact", "A good film.\n“Really good”\n很好！"),
        ("no_terminal_punctuation", 0.5, "one\ntwo\nthree.", "one\ntwo."),
        ("bad_markers", ["lorem ipsum", "{"], "Lorem Ipsum dolor", "a lorem and an ipsum"),
        ("bad_markers", ["lorem ipsum", "{"], "if (x) { y }", "if (x) y"),
        ("bad_markers", ["测试"], "这是测试", "这是电影"),
    ],
)
def test_a_rule_drops_what_it_names(rule: str, limit: Any, bad: str, good: str) -> None:
    assert broken(bad, rule, limit)
    assert not broken(good, rule, limit)
    assert rule in RULES


def test_every_rule_is_tested_and_has_an_option() -> None:
    values = yaml.safe_load((Path(prepsweep.__file__).parent / "conf/clean/quality.yaml").read_text(encoding="utf-8"))
    assert list(RULES) == [name for name in values if not name.startswith("_")]
    tested = {case[0] for case in test_a_rule_drops_what_it_names.pytestmark[0].args[1]}
    assert tested == set(RULES)


def test_the_options_own_limits_keep_short_texts() -> None:
    values = yaml.safe_load((Path(prepsweep.__file__).parent / "conf/clean/quality.yaml").read_text(encoding="utf-8"))
    limits = {name: value for name, value in values.items() if not name.startswith("_")}
    bad = ["", "  ", "?!", "ha ha ha ha ha", "lorem ipsum dolor sit amet", "12 34 56"]
    result = quality(rows_of([(text, "x") for text in FINE + bad]), **limits, num_proc=1)
    reasons = table_of(result.rows).column("dropped").to_pylist()
    assert reasons[: len(FINE)] == [None] * len(FINE)
    assert reasons[len(FINE) :] == ["few_words", "few_words", "few_words", "top_ngram", "bad_markers", "few_letters"]


def test_the_first_broken_rule_is_the_reason_and_every_one_is_counted() -> None:
    rows = rows_of([("ha ha ha ha", "x"), ("one two three", "x")])
    result = quality(rows, **OFF | {"few_words": 5, "top_ngram": 0.5, "few_stop_words": 1}, num_proc=1)
    assert table_of(result.rows).column("dropped").to_pylist() == ["few_words", "few_words"]
    assert result.facts == {"broken": {"few_words": 2, "top_ngram": 1, "few_stop_words": 2}}


def test_an_empty_text_breaks_no_rule_but_the_number_of_words() -> None:
    limits = {"word_length": [3, 10], "bad_markers": ["{"]}
    for text in ("", "   ", "\n\n"):
        assert [rule for rule in RULES if RULES[rule](Measured(text), limits.get(rule, 0.5))] == ["few_words", "few_stop_words"]


def test_a_very_long_text_is_measured() -> None:
    assert broken("story " * 20_000, "repeated_ngrams", 0.3)
    assert not broken(" ".join(f"word{i}" for i in range(20_000)), "repeated_ngrams", 0.3)


def test_two_processes_agree_with_one() -> None:
    rows = rows_of([(f"row {i} is fine" if i % 3 else f"ha ha ha ha {i}", "x") for i in range(2100)])
    one, two = (quality(rows, **OFF | {"few_words": 2, "top_ngram": 0.5}, num_proc=num_proc) for num_proc in (1, 2))
    assert table_of(one.rows).equals(table_of(two.rows))
    assert one.facts == two.facts == {"broken": {"few_words": 0, "top_ngram": 700}}


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({}, "has no rule: all limits are null"),
        ({"few_words": -1}, "clean.quality.few_words: must be a number of at least 0, got -1"),
        ({"many_words": "9"}, "many_words: must be a number of at least 0, got '9'"),
        ({"top_ngram": 1.5}, "top_ngram: must be a share from 0 to 1, got 1.5"),
        ({"few_letters": True}, "few_letters: must be a share from 0 to 1, got True"),
        ({"word_length": 3}, "word_length: must be two numbers, the smaller first, got 3"),
        ({"word_length": [5, 2]}, "word_length: must be two numbers"),
        ({"bad_markers": "{"}, "bad_markers: must be a list of texts, got '{'"),
        ({"bad_markers": [""]}, "bad_markers: must be a list of texts"),
    ],
)
def test_impossible_limits_are_refused(limits: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told.replace("[", r"\[")):
        check(**OFF | limits)
