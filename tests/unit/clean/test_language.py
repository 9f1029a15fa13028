"""Rows leave for a language that the model is sure of, and for no other reason."""

from __future__ import annotations

from typing import Any

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from prepsweep.clean.language import LANGUAGES, check, language
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from tests.conftest import rows_of

OPTIONS: dict[str, Any] = {"keep": ["en"], "drop": None, "min_confidence": 0.7, "min_letters": 3, "keep_unknown": True}
ENGLISH = "This is a really good film and I would watch it again with my family."
GERMAN = "Das ist ein wirklich guter Film, den ich gerne noch einmal sehen würde."
CHINESE = "这部电影真的很好看，我会推荐给所有的朋友，演员也很棒。"
JAPANESE = "この映画は本当に面白かったです。"
UNCLEAR = ["", "   ", "12345 678", "👍🏽👍🏽", "ok", "\u2028", "no"]


def _dropped(result: Result) -> list[str | None]:
    reasons: list[str | None] = table_of(result.rows).column("dropped").to_pylist()
    return reasons


def test_keep_and_drop_are_each_others_mirror_for_known_languages() -> None:
    rows = rows_of([(text, "x") for text in (ENGLISH, GERMAN, CHINESE, JAPANESE)])
    kept = language(rows, **OPTIONS, num_proc=1)
    assert _dropped(kept) == [None, "language", "language", "language"]
    dropped = language(rows, **OPTIONS | {"keep": None, "drop": ["de", "ja"]}, num_proc=1)
    assert _dropped(dropped) == [None, "language", None, "language"]
    assert kept.facts == dropped.facts == {"languages": {"de": 1, "en": 1, "ja": 1, "zh": 1}}


def test_an_unknown_language_stays_unless_it_is_told_to_go() -> None:
    rows = rows_of([(text, "x") for text in [ENGLISH, *UNCLEAR]])
    stays = language(rows, **OPTIONS, num_proc=1)
    assert _dropped(stays) == [None] * len(rows)
    assert stays.facts == {"languages": {"unknown": len(UNCLEAR), "en": 1}}
    for wanted in ({"keep": ["en"]}, {"keep": None, "drop": ["de"]}):
        goes = language(rows, **OPTIONS | wanted | {"keep_unknown": False}, num_proc=1)
        assert _dropped(goes) == [None] + ["language"] * len(UNCLEAR)


def test_confidence_and_letters_decide_what_is_unknown() -> None:
    rows = rows_of([("Das ist gut", "x")])
    assert _dropped(language(rows, **OPTIONS, num_proc=1)) == ["language"]
    assert _dropped(language(rows, **OPTIONS | {"min_confidence": 0.9999}, num_proc=1)) == [None]
    assert _dropped(language(rows, **OPTIONS | {"min_letters": 10}, num_proc=1)) == [None]
    assert _dropped(language(rows, **OPTIONS | {"min_letters": 9}, num_proc=1)) == ["language"]


def test_a_huge_text_is_judged_by_its_start() -> None:
    rows = rows_of([(f"{GERMAN} " * 40 + ENGLISH * 20_000, "x")])
    assert language(rows, **OPTIONS, num_proc=1).facts == {"languages": {"de": 1}}


def test_facts_name_the_commonest_twenty_languages() -> None:
    rows = rows_of([(text, "x") for text in (ENGLISH, GERMAN, CHINESE)])
    import prepsweep.clean.language as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_N_FACTS", 2)
        assert language(rows, **OPTIONS, num_proc=1).facts == {"languages": {"de": 1, "en": 1, "other": 1}}


def test_two_processes_agree_with_one() -> None:
    rows = rows_of([(f"{text} {i}", "x") for i in range(700) for text in (ENGLISH, GERMAN, CHINESE)])
    one, two = (language(rows, **OPTIONS, num_proc=num_proc) for num_proc in (1, 2))
    assert (_dropped(one), one.facts) == (_dropped(two), two.facts)


def test_the_codes_are_those_of_the_model() -> None:
    assert set(LanguageIdentifier.from_model_file(MODEL_FILE).labels) == LANGUAGES


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"keep": None}, "needs exactly one of keep and drop"),
        ({"drop": ["de"]}, "needs exactly one of keep and drop"),
        ({"keep": "en"}, "must be a list of language codes, got 'en'"),
        ({"keep": []}, "must be a list of language codes"),
        ({"keep": ["english"]}, "unknown language 'english'"),
        ({"min_confidence": 1}, "min_confidence: must be from 0 to below 1, got 1"),
        ({"min_letters": 0}, "min_letters: must be at least 1, got 0"),
        ({"keep_unknown": None}, "keep_unknown: must be true or false"),
    ],
)
def test_impossible_values_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        check(**OPTIONS | options)
