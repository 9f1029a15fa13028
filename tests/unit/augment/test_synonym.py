"""Synonym replacement: which words, by what, and that nothing else changes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from prepsweep.augment.inflect import indefinite_article, match_case
from prepsweep.augment.synonym import Replacer, check, fingerprint, starts_sentence, synonym
from prepsweep.augment.tagger import STOP_WORDS
from prepsweep.augment.wordnet import WordNet
from prepsweep.errors import Refused
from prepsweep.lineage import settle, table_of
from prepsweep.text import pieces, words
from tests.conftest import make_reviews, rows_of
from tests.unit.augment.conftest import REAL_WORDNET


def run(dataset: Dataset, folder: Path, **changes: Any) -> Dataset:
    arguments: dict[str, Any] = {"seed": 0, "wordnet_dir": str(folder), "replaced_fraction": 1.0, "n_copies": 1, "num_proc": 1}
    return synonym(dataset, **(arguments | changes))


def child_of(text: str, folder: Path, label: str = "fresh", **changes: Any) -> str:
    """The child of one row with `text`; every replaceable word has one synonym in the tiny WordNet."""
    child: str = table_of(run(rows_of([(text, label)]), folder, **changes)).column("text").to_pylist()[-1]
    return child


@pytest.mark.parametrize(
    ("text", "child"),
    [
        # Inflection.
        ("The cats enjoyed two big films.", "The felines relished two large movies."),
        ("He enjoys it while enjoying a bigger film.", "He relishes it while relishing a larger movie."),
        ("Children like the biggest stories.", "Kids like the largest tales."),
        ("They began the story.", "They commenced the tale."),
        ("She has bought a film.", "She has purchased a movie."),
        ("They stopped.", "They halted."),
        # Past and participle of "take" differ: one or the other where the context tells, none where it does not.
        ("She has chosen it.", "She has taken it."),
        ("She chose it.", "She took it."),
        # Comparison that no ending makes.
        ("A funnier film.", "A funnier movie."),
        # Part of speech.
        ("They play the play.", "They perform the drama."),
        ("We play plays to play.", "We perform dramas to perform."),
        ("It works quickly.", "It works rapidly."),
        # A sense that is not frequent, a verb with other objects, an adverb that is an adjective, an abbreviation.
        ("They live an hour, surely.", "They live an hour, surely."),
        # Stop words, even those that WordNet knows.
        ("It will be his will.", "It will be his will."),
        # Case.
        ("Cats enjoy films.", "Felines relish movies."),
        ("CATS ENJOY FILMS!", "FELINES RELISH MOVIES!"),
        ("Good. Cats! “Films?” (Stories)", "Good. Felines! “Movies?” (Tales)"),
        # Names.
        ("We saw Cat and the Big Story by CAT.", "We saw Cat and the Big Story by CAT."),
        ("Cat Stevens enjoys it.", "Cat Stevens relishes it."),
        ("Grant enjoys Mr. Cat.", "Grant relishes Mr. Cat."),
        ("J. Cat enjoys it.", "J. Cat relishes it."),
        # The article stays right.
        ("An idea, a film, an old film, a plot.", "An idea, a movie, an aged movie, a scheme."),
        ("An owl.", "An owl."),
        # Tokenised text.
        ("It 's a film , is n't it ?", "It 's a movie , is n't it ?"),
        ("They have n't bought it .", "They have n't purchased it ."),
        ("It isn't old, they haven't begun.", "It isn't aged, they haven't commenced."),
        # A compound is one word.
        ("The fiction is science fiction.", "The fabrication is science fiction."),
        ("They play it. They play it down.", "They perform it. They play it down."),
        # White space and marks.
        ("  The\tcats,\n\n enjoyed   (it)…\u00a0", "  The\tfelines,\n\n relished   (it)…\u00a0"),
        ("the cat's film-making", "the cat's film-making"),
        ("Ein Film für Kinder. 好看的电影。 😀", "Ein Film für Kinder. 好看的电影。 😀"),
        ("", ""),
        ("...", "..."),
    ],
)
def test_hand_written_cases(wordnet_folder: Path, text: str, child: str) -> None:
    assert child_of(text, wordnet_folder) == child


@pytest.mark.parametrize("label", ["movie", "Movie", "MOVIE"])
def test_a_class_name_is_not_put_in(wordnet_folder: Path, label: str) -> None:
    assert child_of("The cats saw films and a film.", wordnet_folder, label) == "The felines saw films and a film."


@pytest.mark.parametrize("label", ["plot", "plots"])
def test_a_class_name_is_not_replaced(wordnet_folder: Path, label: str) -> None:
    assert child_of("The plots of a film, a plot.", wordnet_folder, label) == "The plots of a movie, a plot."


def test_class_names_of_other_rows_count(wordnet_folder: Path) -> None:
    dataset = run(rows_of([("The plot of a film.", "fresh"), ("A cat.", "plot"), ("A story.", "movie")]), wordnet_folder)
    assert table_of(dataset).column("text").to_pylist()[3:] == ["The plot of a film.", "A feline.", "A tale."]


def test_the_fraction_is_of_replaceable_words_and_at_least_one(wordnet_folder: Path) -> None:
    text = "The cats enjoyed big films and old stories."  # Six are replaceable: all but "The" and "and".
    for fraction, n_replaced in ((0.01, 1), (0.33, 2), (0.5, 3), (0.6, 4), (1.0, 6)):
        rows = table_of(run(rows_of([(text, "fresh")]), wordnet_folder, replaced_fraction=fraction, n_copies=20))
        for child in rows.column("text").to_pylist()[1:]:
            assert sum(a != b for a, b in zip(words(text), words(child), strict=True)) == n_replaced


def test_original_rows_stay_and_children_are_marked(wordnet_folder: Path) -> None:
    before = rows_of([("A cat.", "fresh"), ("Nothing here.", "rotten")])
    after = run(before, wordnet_folder, n_copies=2)
    assert table_of(after).slice(0, 2).equals(table_of(before))
    rows = table_of(after).slice(2).to_pylist()
    assert [row["text"] for row in rows] == ["A feline."] * 2 + ["Nothing here."] * 2
    assert [row["dropped"] for row in rows] == [None, None, "unchanged", "unchanged"]
    assert {row["origin"] for row in rows} == {"synonym"}
    counts = settle(before, after, stage="synonym", group="augment").counts
    assert (counts["rows_in"], counts["rows_added"], counts["dropped"]) == (2, 4, {"unchanged": 2})


def test_the_seed_decides_and_the_order_of_rows_does_not(wordnet_folder: Path) -> None:
    dataset = rows_of([(f"The cats enjoyed big films and old stories {n}.", "fresh") for n in range(50)])
    options = {"replaced_fraction": 0.3, "n_copies": 2}
    first, again = run(dataset, wordnet_folder, **options), run(dataset, wordnet_folder, **options)
    assert table_of(first).equals(table_of(again))
    assert not table_of(first).equals(table_of(run(dataset, wordnet_folder, seed=1, **options)))
    backwards = run(dataset.select(range(49, -1, -1)), wordnet_folder, **options)
    assert texts_by_uid(backwards) == texts_by_uid(first)


def test_one_and_two_processes_agree(wordnet_folder: Path) -> None:
    dataset = rows_of(make_reviews(2001))
    one, two = (run(dataset, wordnet_folder, replaced_fraction=0.3, num_proc=n) for n in (1, 2))
    assert table_of(one).equals(table_of(two))


def test_hash_seed_and_locale_do_not_matter(wordnet_folder: Path) -> None:
    script = (
        "from prepsweep.augment import synonym, eda; t = 'The cats enjoyed big films and old stories, quickly.';"
        f"k = dict(wordnet_dir={str(wordnet_folder)!r}, seed=3);"
        "print(synonym._copies('u', t, relation='synonym', classes=('kid', 'award'), replaced_fraction=0.5, n_copies=3, **k));"
        "print(eda._edited('u', t, segmenter='characters', alphas=(0.2, 0.2, 0.2, 0.2), n_aug=9, **k))"
    )
    said = set()
    for hash_seed, locale in (("1", "C"), ("2", "C.UTF-8")):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "LC_ALL": locale}
        said.add(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment).stdout)
    assert len(said) == 1


def texts_by_uid(dataset: Dataset) -> dict[str, str]:
    table = table_of(dataset)
    return dict(zip(table.column("uid").to_pylist(), table.column("text").to_pylist(), strict=True))


def refuse(arguments: dict[str, Any]) -> None:
    """What the framework asks before anything runs."""
    check(**arguments)
    fingerprint(**arguments)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("replaced_fraction", 1.5, "augment.synonym.replaced_fraction: must be between 0 and 1, got 1.5"),
        ("replaced_fraction", 0, "augment.synonym.replaced_fraction: must be between 0 and 1, got 0"),
        ("replaced_fraction", "much", "augment.synonym.replaced_fraction: must be between 0 and 1, got 'much'"),
        ("n_copies", 0, "augment.synonym.n_copies: must be at least 1, got 0"),
        ("wordnet_dir", "/nowhere", "augment.synonym.wordnet_dir: no WordNet at /nowhere. fix: sudo apt-get install wordnet-base"),
    ],
)
def test_bad_values_are_refused_by_the_stage_and_before(wordnet_folder: Path, option: str, value: object, message: str) -> None:
    with pytest.raises(Refused, match=f"^{re.escape(message)}"):
        run(rows_of([("A cat.", "fresh")]), wordnet_folder, **{option: value})
    arguments: dict[str, Any] = {"wordnet_dir": str(wordnet_folder), "replaced_fraction": 0.3, "n_copies": 1}
    with pytest.raises(Refused, match=f"^{re.escape(message)}"):
        refuse(arguments | {option: value})


def test_no_rows_are_no_rows(wordnet_folder: Path) -> None:
    assert len(run(rows_of([("A cat.", "fresh")]).select([]), wordnet_folder)) == 0


REVIEWS = [
    "A surprisingly intriguing film that continues the director's reign of the 'sexy thriller' genre.",
    "It's a lovely movie with lovely performances, but the story was hard to follow and I began to yawn.",
    "The kids have certainly seen worse; the jokes are silly, the ending is a disaster.",
    "This is the funniest tale of the year -- an amusing portrait of a family that never says what it means.",
]


def test_real_reviews_keep_all_but_single_words(real_wordnet: WordNet) -> None:
    for text in REVIEWS:
        child = child_of(text, REAL_WORDNET)
        assert child != text
        assert [p for p in pieces(text) if not p[0].isalnum()] == [p for p in pieces(child) if not p[0].isalnum()]
        for old, new in zip(words(text), words(child), strict=True):
            assert old == new or not {old.lower(), new.lower()} & STOP_WORDS, (old, new)


def test_real_parts_of_speech(real_wordnet: WordNet) -> None:
    replacer = Replacer(real_wordnet, frozenset(), real_wordnet.synonyms)
    replaced: dict[str, tuple[str, ...]] = {}
    for text in REVIEWS:
        parts = pieces(text)
        replaced |= {parts[place]: options for place, options in replacer.sites(parts)}
    assert replaced["movie"] == ("film",)
    assert replaced["began"] == ("started", "commenced")
    assert "funniest" not in replaced
    assert set(replaced["jokes"]) == {"gags", "jests"}
    assert not set(replaced) & STOP_WORDS


@pytest.mark.parametrize(("original", "new"), [("film", "movie"), ("Film", "Movie"), ("FILM", "MOVIE"), ("F", "Movie")])
def test_match_case(original: str, new: str) -> None:
    assert match_case(original, "movie") == new


@pytest.mark.parametrize(
    ("word", "article"), [("hour", "an"), ("unit", "a"), ("eagle", "an"), ("bird", "a"), ("honest", "an"), ("one-off", "a"), ("urn", "an")]
)
def test_indefinite_article(word: str, article: str) -> None:
    assert indefinite_article(word) == article


def test_starts_sentence() -> None:
    parts = pieces('One. Two, Three! "Four" said Dr. Five\nSix')
    starting = [part for place, part in enumerate(parts) if part[0].isalnum() and starts_sentence(parts, place)]
    assert starting == ["One", "Two", "Four", "Six"]
