"""WordNet's files: readings, synonyms, inflection."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from prepsweep.augment.wordnet import WordNet, check_wordnet, load_wordnet, require_wordnet
from prepsweep.errors import Refused
from tests.unit.augment.conftest import REAL_WORDNET, write_wordnet


def read(wordnet: WordNet, word: str) -> set[tuple[str, str, str]]:
    return {(reading.lemma, reading.pos, reading.form) for reading in wordnet.readings(word)}


@pytest.mark.parametrize(
    ("word", "readings"),
    [
        ("cats", {("cat", "n", "plural")}),
        ("children", {("child", "n", "plural")}),
        ("stories", {("story", "n", "plural")}),
        ("matches", {("match", "n", "plural")}),
        ("plays", {("play", "n", "plural"), ("play", "v", "third")}),
        ("enjoyed", {("enjoy", "v", "ed")}),
        ("purchasing", {("purchase", "v", "ing")}),
        ("stopped", {("stop", "v", "ed")}),
        ("began", {("begin", "v", "past")}),
        ("begun", {("begin", "v", "participle")}),
        ("bought", {("buy", "v", "ed")}),
        ("bigger", {("big", "a", "comparative")}),
        ("larger", {("large", "a", "comparative")}),
        ("largest", {("large", "a", "superlative")}),
        ("quickly", {("quickly", "r", "base")}),
        ("old", {("old", "a", "base")}),
        ("xyzzy", set()),
        ("s", set()),
    ],
)
def test_morphy_finds_lemma_and_form(tiny: WordNet, word: str, readings: set[tuple[str, str, str]]) -> None:
    assert read(tiny, word) == readings


def test_readings_count_tagged_uses(tiny: WordNet) -> None:
    assert {reading.lemma: reading.n_uses for reading in tiny.readings("films")} == {"film": 30}
    assert tiny.n_uses("story", "n") == 10
    assert tiny.n_uses("xyzzy", "n") == 0


def test_synonyms_come_from_frequent_senses_only(tiny: WordNet) -> None:
    assert tiny.synonyms("story", "n") == ("tale",)
    assert tiny.synonyms("cat", "n") == ("feline",)
    # "gossip" is tagged once, for the sense of "cat" that nobody used.
    assert tiny.synonyms("gossip", "n") == ()


def test_a_synonym_that_nobody_used_is_none(tiny: WordNet) -> None:
    assert tiny.synonyms("movie", "n") == ("film",)


def test_a_verb_takes_the_objects_of_its_synonym(tiny: WordNet) -> None:
    assert tiny.synonyms("live", "v") == ()
    assert tiny.synonyms("buy", "v") == ("purchase",)


def test_without_counts_the_order_of_senses_stands_for_them(tmp_path: Path) -> None:
    wordnet = WordNet(write_wordnet(tmp_path, counts=False))
    assert "tale" in wordnet.synonyms("story", "n")
    assert "moving picture" in wordnet.synonyms("film", "n")


def test_any_synonyms_are_of_all_senses_and_parts_of_speech(tiny: WordNet) -> None:
    assert tiny.any_synonyms("cats") == ("cat", "feline", "gossip")
    assert tiny.any_synonyms("play") == ("drama", "perform")
    assert tiny.any_synonyms("old") == ("aged",)
    assert tiny.any_synonyms("film") == ("movie", "moving picture", "pic")


def test_names_are_known_by_their_capital(tiny: WordNet) -> None:
    assert tiny.is_name("grant")
    assert not tiny.is_name("film")


@pytest.mark.parametrize(
    ("lemma", "pos", "form", "word"),
    [
        ("movie", "n", "plural", "movies"),
        ("tale", "n", "plural", "tales"),
        ("child", "n", "plural", "children"),
        ("story", "n", "plural", "stories"),
        ("box", "n", "plural", "boxes"),
        ("boy", "n", "plural", "boys"),
        ("bus", "n", "plural", "buses"),
        ("hero", "n", "plural", "heroes"),
        ("wife", "n", "plural", "wives"),
        ("analysis", "n", "plural", "analyses"),
        ("policeman", "n", "plural", "policemen"),
        ("human", "n", "plural", "humans"),
        ("brother", "n", "plural", "brothers"),
        ("relish", "v", "third", "relishes"),
        ("try", "v", "third", "tries"),
        ("go", "v", "third", "goes"),
        ("purchase", "v", "ing", "purchasing"),
        ("die", "v", "ing", "dying"),
        ("see", "v", "ing", "seeing"),
        ("slim", "v", "ing", "slimming"),
        ("stop", "v", "ed", "stopped"),
        ("commence", "v", "ed", "commenced"),
        ("need", "v", "ed", "needed"),
        ("feed", "v", "ed", "fed"),
        ("take", "v", "past", "took"),
        ("take", "v", "participle", "taken"),
        ("take", "v", "ed", None),
        ("sing", "v", "participle", "sung"),
        ("begin", "v", "past", "began"),
        ("put", "v", "ed", "put"),
        ("become", "v", "participle", "become"),
        ("beat", "v", "participle", "beaten"),
        ("show", "v", "past", "showed"),
        ("show", "v", "participle", None),
        ("bear", "v", "past", None),
        ("work", "v", "ed", "worked"),
        ("large", "a", "comparative", "larger"),
        ("big", "a", "superlative", "biggest"),
        ("slow", "a", "comparative", "slower"),
        ("thin", "a", "comparative", "thinner"),
        ("dry", "a", "superlative", "driest"),
        ("bad", "a", "comparative", "worse"),
        ("amusing", "a", "comparative", None),
        ("rapidly", "r", "comparative", None),
    ],
)
def test_inflection(real_wordnet: WordNet, lemma: str, pos: str, form: str, word: str | None) -> None:
    assert real_wordnet.inflections.inflect(lemma, pos, form) == word


def test_every_real_verb_has_forms_that_read_back(real_wordnet: WordNet) -> None:
    verbs = [lemma for lemma in real_wordnet._index["v"] if lemma.isalpha() and real_wordnet.n_uses(lemma, "v") > 3]
    assert len(verbs) > 1500
    for lemma in verbs:
        for form in ("third", "ing", "past", "participle"):
            word = real_wordnet.inflections.inflect(lemma, "v", form)
            lemmas = {reading.lemma for reading in real_wordnet.readings(word)} if word else {lemma}
            assert lemma in lemmas or lemma == "be", (lemma, form, word)


def test_real_synonyms(real_wordnet: WordNet) -> None:
    assert "film" in real_wordnet.synonyms("movie", "n")
    assert "purchase" in real_wordnet.synonyms("buy", "v")
    assert real_wordnet.synonyms("good", "a") == ()
    assert "motion picture" in real_wordnet.any_synonyms("movies")


def test_real_files_load_in_a_second(real_wordnet: WordNet) -> None:
    load_wordnet.cache_clear()
    started = time.process_time()
    loaded = load_wordnet(str(REAL_WORDNET))
    assert time.process_time() - started < 1
    assert load_wordnet(str(REAL_WORDNET)) is loaded


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"^augment\.eda\.wordnet_dir: no WordNet at .*sudo apt-get install wordnet-base"):
        require_wordnet(str(tmp_path), where="augment.eda.wordnet_dir")
    write_wordnet(tmp_path)
    assert require_wordnet(str(tmp_path), where="augment.eda.wordnet_dir").synonyms("cat", "n")
    (tmp_path / "data.verb").unlink()
    with pytest.raises(Refused, match=r"no data\.verb in the WordNet folder"):
        check_wordnet(str(tmp_path), where="augment.eda.wordnet_dir")


def test_files_of_two_versions_are_an_error(tmp_path: Path) -> None:
    path = write_wordnet(tmp_path) / "data.noun"
    path.write_text(path.read_text(encoding="latin-1").replace("the tests", "another version"), encoding="latin-1")
    with pytest.raises(ValueError, match=r"wordnet: data\.noun has no synset at \d+"):
        WordNet(tmp_path).synonyms("cat", "n")
