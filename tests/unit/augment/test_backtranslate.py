"""Back-translation: one child a row, equal texts once, and what counts as the same text."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prepsweep.augment.backtranslate import backtranslate, fingerprint
from prepsweep.errors import Refused
from prepsweep.lineage import settle, table_of
from prepsweep.translators.apertium import apertium
from tests.conftest import make_reviews, rows_of

APERTIUM = {"_target_": "prepsweep.translators.apertium.apertium", "_partial_": True}


class Recorder:
    """A translator that notes its calls and puts the direction behind each text."""

    def __init__(self, **answers: str) -> None:
        self.calls: list[tuple[str, str, list[str]]] = []
        self.answers = answers

    def __call__(self, texts: Iterable[str], *, source: str, target: str) -> list[str]:
        given = list(texts)
        self.calls.append((source, target, given))
        return [self.answers.get(text, f"{text} {target}") for text in given]


def test_every_row_has_one_child_from_there_and_back() -> None:
    before = rows_of([("one", "fresh"), ("two", "rotten")], "train")
    after = backtranslate(before, translator=Recorder(), source="eng", pivot="spa")
    assert table_of(after).slice(0, 2).equals(table_of(before))
    children = table_of(after).slice(2).to_pylist()
    assert [row["text"] for row in children] == ["one spa eng", "two spa eng"]
    assert [row["label"] for row in children] == ["fresh", "rotten"]
    assert {row["origin"] for row in children} == {"backtranslate"}
    assert settle(before, after, stage="backtranslate", group="augment").counts["rows_added"] == 2


def test_equal_texts_are_translated_once_and_in_one_order() -> None:
    dataset = rows_of([("b", "fresh"), ("a", "rotten"), ("b", "rotten"), ("", "fresh")])
    for rows in ([0, 1, 2, 3], [3, 2, 1, 0]):
        recorder = Recorder()
        after = backtranslate(dataset.select(rows), translator=recorder, source="eng", pivot="spa")
        assert recorder.calls == [("eng", "spa", ["", "a", "b"]), ("spa", "eng", [" spa", "a spa", "b spa"])]
        assert len(after) == 8


@pytest.mark.parametrize("returned", ["a  good film", " a good film ", "", " ", "\u00a0"])
def test_the_same_words_or_none_are_the_text_itself(returned: str) -> None:
    recorder = Recorder(**{"a good\nfilm": "una", "una": returned})
    after = backtranslate(rows_of([("a good\nfilm", "fresh")]), translator=recorder, source="eng", pivot="spa")
    child = table_of(after).to_pylist()[1]
    assert (child["text"], child["dropped"]) == ("a good\nfilm", "unchanged")


def test_a_translator_that_loses_a_text_is_an_error() -> None:
    def loses(texts: Iterable[str], *, source: str, target: str) -> list[str]:
        return list(texts)[1:]

    with pytest.raises(ValueError, match="shorter"):
        backtranslate(rows_of([("a", "fresh"), ("b", "fresh")]), translator=loses, source="eng", pivot="spa")


def test_apertium_there_and_back_whatever_the_order_of_rows(real_apertium: str) -> None:
    pairs = [
        ("The cats like the film, which is great and", "fresh"),
        ("house of [cards]\n\nis back", "rotten"),
        ("", "plot"),
        *make_reviews(60),
    ]
    dataset = rows_of(pairs)
    run = partial(backtranslate, translator=apertium, source="eng", pivot="spa")
    first, backwards = table_of(run(dataset)), table_of(run(dataset.select(range(len(pairs) - 1, -1, -1))))
    by_uid = [dict(zip(table["uid"].to_pylist(), table["text"].to_pylist(), strict=True)) for table in (first, backwards)]
    assert by_uid[0] == by_uid[1]
    children = first.slice(len(pairs)).to_pylist()
    assert children[0]["text"].startswith("The cats like the film, which")
    assert "house" not in children[0]["text"]
    assert (children[2]["text"], children[2]["dropped"]) == ("", "unchanged")
    assert sum(row["dropped"] is None for row in children) > 30


def test_fingerprint_is_of_both_directions(real_apertium: str) -> None:
    hashes = fingerprint(translator=APERTIUM, source="eng", pivot="spa")
    assert {"eng-spa/eng-spa.prob", "spa-eng/spa-eng.prob", "apertium"} <= set(hashes)


def test_fingerprint_refuses_a_pair_that_is_missing(real_apertium: str) -> None:
    with pytest.raises(Refused, match="no pair eng-xyz"):
        fingerprint(translator=APERTIUM, source="eng", pivot="xyz")


def test_fingerprint_of_a_checkpoint_as_translator(tiny_nllb: Path) -> None:
    spec: dict[str, Any] = {"_target_": "prepsweep.translators.marian.marian", "_partial_": True}
    spec |= {"checkpoint": str(tiny_nllb), "revision": "main", "num_beams": 1}
    assert set(fingerprint(translator=spec, source="eng_Latn", pivot="fra_Latn")) == {"checkpoint"}


@pytest.mark.parametrize("translator", [{}, {"_target_": "prepsweep.translators.aperitif.aperitif"}, {"_target_": "apertium"}])
def test_a_translator_that_is_none_is_refused(translator: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"^augment\.backtranslate\.translator: .* is no function of an installed module"):
        fingerprint(translator=translator, source="eng", pivot="spa")


def test_a_translator_with_nothing_outside_has_no_fingerprint() -> None:
    assert fingerprint(translator={"_target_": "prepsweep.text.pieces"}, source="eng", pivot="spa") == {}
