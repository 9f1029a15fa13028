"""EDA: the counts of the paper, each operation, and what is kept."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from prepsweep.augment.draws import pick, shuffled
from prepsweep.augment.eda import _edited, check, eda, fingerprint
from prepsweep.augment.wordnet import WordNet
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.text import words
from tests.conftest import make_reviews, rows_of
from tests.unit.augment.conftest import REAL_WORDNET

TEXT = "The cats (quickly) saw one big film, and that was it: 10 words."
ALPHAS = {"alpha_sr": 0.1, "alpha_ri": 0.1, "alpha_rs": 0.1, "p_rd": 0.1}
ONLY = {name: dict.fromkeys(ALPHAS, 0.0) | {name: 0.1} for name in ALPHAS}


def run(dataset: Dataset, folder: Path, **changes: Any) -> Dataset:
    arguments: dict[str, Any] = {"seed": 0, "wordnet_dir": str(folder), "segmenter": "characters", "n_aug": 4, "num_proc": 1} | ALPHAS
    return eda(dataset, **(arguments | changes))


def children_of(text: str, folder: Path, **changes: Any) -> list[str]:
    children: list[str] = table_of(run(rows_of([(text, "fresh")]), folder, **changes)).column("text").to_pylist()[1:]
    return children


def edits(text: str, folder: Path, operation: str, alpha: float, n_aug: int = 40) -> list[str]:
    """`n_aug` children by one operation."""
    return children_of(text, folder, n_aug=n_aug, **(dict.fromkeys(ALPHAS, 0.0) | {operation: alpha}))


@pytest.mark.parametrize("n_aug", [1, 4, 9, 16])
def test_every_row_has_n_aug_children(wordnet_folder: Path, n_aug: int) -> None:
    dataset = run(rows_of(make_reviews(7)), wordnet_folder, n_aug=n_aug)
    assert len(dataset) == 7 + 7 * n_aug
    assert Counter(table_of(dataset).column("parent_uid").to_pylist()[7:]).most_common()[-1][1] == n_aug
    assert set(table_of(dataset).column("origin").to_pylist()[7:]) == {"eda"}


def operation_of(child: str) -> str:
    """Which operation made `child` of TEXT, for those that cannot be mistaken."""
    before, after = Counter(words(TEXT)), Counter(words(child))
    if before == after:
        return "rs" if child != TEXT else "rd"
    if len(words(child)) > len(words(TEXT)) and not before - after:
        return "ri"
    return "rd" if not after - before else "sr"


def test_operations_share_the_children_evenly(wordnet_folder: Path) -> None:
    """n_aug / 4 + 1 of each are made, so that of 8 children no operation makes more than 3."""
    children = table_of(run(rows_of([(TEXT, "fresh")] * 100), wordnet_folder, n_aug=8)).column("text").to_pylist()[100:]
    total: Counter[str] = Counter()
    for first in range(0, 800, 8):
        counted = Counter(map(operation_of, children[first : first + 8]))
        assert max(counted.values()) <= 3
        total += counted
    assert all(160 <= total[operation] <= 240 for operation in ("sr", "ri", "rs", "rd"))


def test_an_operation_with_alpha_zero_is_left_out(wordnet_folder: Path) -> None:
    for operation, name in (("sr", "alpha_sr"), ("ri", "alpha_ri"), ("rs", "alpha_rs"), ("rd", "p_rd")):
        assert {operation_of(child) for child in children_of(TEXT, wordnet_folder, n_aug=12, **ONLY[name])} == {operation}


def test_synonym_replacement(wordnet_folder: Path) -> None:
    assert set(edits("A film.", wordnet_folder, "alpha_sr", 0.1)) == {"A movie.", "A moving picture.", "A pic."}
    assert set(edits("Film, film and FILM!", wordnet_folder, "alpha_sr", 0.1)) >= {"Movie, movie and MOVIE!"}
    assert set(edits("The cats of it", wordnet_folder, "alpha_sr", 0.1)) == {"The cat of it", "The feline of it", "The gossip of it"}
    assert set(edits("It is his.", wordnet_folder, "alpha_sr", 0.1)) == {"It is his."}


def test_n_edits_is_alpha_times_words_and_at_least_one(wordnet_folder: Path) -> None:
    text = "cats enjoy big old funny stories quickly plots ideas owls"
    for alpha, n_edits in ((0.01, 1), (0.1, 1), (0.19, 1), (0.2, 2), (0.55, 5)):
        for child in edits(text, wordnet_folder, "alpha_ri", alpha, n_aug=20):
            added = Counter(re.sub("bird of night|moving picture", "synonym", child).split()) - Counter(text.split())
            assert added.total() == n_edits
        for child in edits(text, wordnet_folder, "alpha_rs", alpha, n_aug=20):
            assert Counter(child.split()) == Counter(text.split())
            assert sum(a != b for a, b in zip(child.split(), text.split(), strict=True)) <= 2 * n_edits


def test_random_insertion(wordnet_folder: Path) -> None:
    children = set(edits("Big, it is.", wordnet_folder, "alpha_ri", 0.1))
    assert children == {"large Big, it is.", "Big, large it is.", "Big, it large is."}
    assert set(edits("It is his.", wordnet_folder, "alpha_ri", 0.1)) == {"It is his."}


def test_random_swap_leaves_marks_in_their_place(wordnet_folder: Path) -> None:
    assert set(edits("A (b) c!", wordnet_folder, "alpha_rs", 0.1)) == {"b (A) c!", "c (b) A!", "A (c) b!"}
    assert set(edits("Alone.", wordnet_folder, "alpha_rs", 0.1)) == {"Alone."}


def test_random_deletion(wordnet_folder: Path) -> None:
    assert set(edits("A b, c.", wordnet_folder, "p_rd", 0.5, n_aug=200)) == {
        "A b, c.", "b, c.", "A, c.", "A b,.", ", c.", "b,.", "A,."
    }  # fmt: skip
    assert set(edits('"Great" film', wordnet_folder, "p_rd", 1.0)) == {'"Great"', '"" film'}
    assert set(edits("Alone.", wordnet_folder, "p_rd", 1.0)) == {"Alone."}
    text = " ".join(["word"] * 100)
    left = [len(child.split()) for child in edits(text, wordnet_folder, "p_rd", 0.2, n_aug=200)]
    assert abs(sum(left) / len(left) - 80) < 1.5


@pytest.mark.parametrize("text", ["", "  ", "...!", "😀"])
def test_texts_without_words_are_unchanged(wordnet_folder: Path, text: str) -> None:
    dataset = run(rows_of([(text, "fresh")]), wordnet_folder)
    assert table_of(dataset).column("dropped").to_pylist() == [None] + ["unchanged"] * 4


def test_other_scripts_keep_their_spacing(wordnet_folder: Path) -> None:
    assert set(edits("好看", wordnet_folder, "alpha_rs", 0.1)) == {"看好"}
    assert set(edits("好 看", wordnet_folder, "p_rd", 1.0)) == {"好", "看"}


def test_the_seed_decides_and_order_and_processes_do_not(wordnet_folder: Path) -> None:
    dataset = rows_of(make_reviews(2001))
    one, two = (table_of(run(dataset, wordnet_folder, num_proc=n)) for n in (1, 2))
    assert one.equals(two)
    assert one.slice(0, 2001).equals(table_of(dataset))
    assert not one.equals(table_of(run(dataset, wordnet_folder, seed=1)))
    backwards = table_of(run(dataset.select(range(2000, -1, -1)), wordnet_folder))
    assert sorted(map(str, backwards.select(["uid", "text"]).to_pylist())) == sorted(map(str, one.select(["uid", "text"]).to_pylist()))


def test_real_synonyms_are_of_any_sense(real_wordnet: WordNet) -> None:
    assert {"cinema", "celluloid", "motion picture"} <= {
        child.removeprefix("A ") for child in edits("A film", REAL_WORDNET, "alpha_sr", 0.1, n_aug=200)
    }


def refuse(arguments: dict[str, Any]) -> None:
    """What the framework asks before anything runs."""
    check(**arguments)
    fingerprint(**arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha_sr": 1.5}, "augment.eda.alpha_sr: must be between 0 and 1, got 1.5"),
        ({"p_rd": -0.1}, "augment.eda.p_rd: must be between 0 and 1, got -0.1"),
        ({"n_aug": 0}, "augment.eda.n_aug: must be at least 1, got 0"),
        (dict.fromkeys(ALPHAS, 0), "augment.eda: has no operation"),
        ({"wordnet_dir": "/nowhere"}, "augment.eda.wordnet_dir: no WordNet at /nowhere"),
    ],
)
def test_bad_values_are_refused_by_the_stage_and_before(wordnet_folder: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=f"^{re.escape(message)}"):
        run(rows_of([("A cat.", "fresh")]), wordnet_folder, **changes)
    arguments: dict[str, Any] = {"wordnet_dir": str(wordnet_folder), "segmenter": "characters", "n_aug": 4} | ALPHAS | changes
    with pytest.raises(Refused, match=f"^{re.escape(message)}"):
        refuse(arguments)


def test_a_row_does_not_draw_from_another(wordnet_folder: Path) -> None:
    options: dict[str, Any] = {"seed": 0, "wordnet_dir": str(wordnet_folder), "alphas": (0.1, 0.1, 0.1, 0.1), "n_aug": 4}
    options |= {"segmenter": "characters"}
    alone = _edited("uid", TEXT, **options)
    _edited("another", TEXT, **options)
    assert _edited("uid", TEXT, **options) == alone


def test_draws() -> None:
    draw = random.Random(0).random
    assert sorted(shuffled("abcdef", draw)) == list("abcdef")
    assert len(set(shuffled("abcdef", draw, n_first=3))) == 3
    assert sorted(shuffled("ab", draw, n_first=9)) == ["a", "b"]
    assert shuffled("", draw) == []
    assert {tuple(shuffled("abc", draw)) for _ in range(200)} == {tuple(p) for p in ("abc", "acb", "bac", "bca", "cab", "cba")}
    assert {pick("ab", draw) for _ in range(50)} == {"a", "b"}
