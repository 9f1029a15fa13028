"""As many labels as were paid for stay; asked for by the queue they teach more than drawn at random."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

from prepsweep.errors import Refused
from prepsweep.lineage import settle
from prepsweep.refine.folds import fitted
from prepsweep.refine.label_budget import check, check_rows, label_budget
from tests.conftest import make_reviews, rows_of
from tests.unit.refine.conftest import ENCODER, count_words

ARGUMENTS: dict[str, Any] = {**ENCODER, "n_labels": 60, "by": "queue", "n_start": 15, "penalty": 1.0, "seed": 0}


def kept(rows: Dataset, **arguments: Any) -> Dataset:
    result = label_budget(rows, **(ARGUMENTS | arguments))
    settled = settle(rows, result.rows, stage="refine.label_budget", group="refine")
    assert set(settled.counts["dropped"]) <= {"unlabelled"}
    return settled.kept


@pytest.mark.usefixtures("words_as_vectors")
@pytest.mark.parametrize("by", ["random", "queue"])
def test_so_many_rows_stay_and_smaller_budgets_lie_in_larger_ones(by: str) -> None:
    rows = rows_of(make_reviews(300), "train")
    found = [set(kept(rows, by=by, n_labels=n)["uid"]) for n in (1, 15, 40, 60, 300)]
    assert [len(uids) for uids in found] == [1, 15, 40, 60, 300]
    assert all(smaller < larger for smaller, larger in pairwise(found))


@pytest.mark.usefixtures("words_as_vectors")
def test_both_ways_begin_with_the_same_rows() -> None:
    rows = rows_of(make_reviews(200), "train")
    assert kept(rows, by="random", n_labels=15)["uid"] == kept(rows, by="queue", n_labels=15)["uid"]


@pytest.mark.usefixtures("words_as_vectors")
def test_the_queue_asks_about_the_rare_class_that_is_hard_to_find() -> None:
    """Of two classes one is rare: at random few of its rows get a label, and the model is worse for it."""
    pairs = [pair for pair in make_reviews(2000) if pair[1] != "plot"]
    rare = [place for place, pair in enumerate(pairs) if pair[1] == "rotten"][40:]
    pairs = [pair for place, pair in enumerate(pairs) if place not in set(rare)]
    rows, held_out = rows_of(pairs, "train"), [pair for pair in make_reviews(1200, seed=9) if pair[1] != "plot"]
    codes = np.array([label == "rotten" for _, label in held_out])
    recalls: dict[str, list[float]] = {"random": [], "queue": []}
    for by, found in recalls.items():
        for seed in range(5):
            chosen = kept(rows, by=by, n_labels=60, seed=seed)
            given = np.array([label == "rotten" for label in chosen["label"]], dtype=np.intp)
            if given.any():
                p = fitted(count_words(chosen["text"]), given, count_words([text for text, _ in held_out]), penalty=1.0)
                found.append(float((p[codes, 1] > 0.5).mean()))
            else:
                found.append(0.0)
    assert np.mean(recalls["queue"]) > np.mean(recalls["random"]) + 0.1


@pytest.mark.usefixtures("words_as_vectors")
def test_labels_of_one_class_do_not_stop_it() -> None:
    rows = rows_of([(text, "fresh") for text, _ in make_reviews(80)], "train")
    assert len(kept(rows)) == 60


@pytest.mark.parametrize(("name", "value"), [("n_labels", 0), ("n_start", 0), ("penalty", 0.0), ("by", "chance")])
def test_impossible_values_are_refused(name: str, value: Any) -> None:
    with pytest.raises(Refused, match=name):
        check(**{key: ARGUMENTS[key] for key in ("n_labels", "by", "n_start", "penalty")} | {name: value})


def test_more_labels_than_rows_are_refused() -> None:
    with pytest.raises(Refused, match="train has 20 rows"):
        check_rows(rows_of(make_reviews(20), "train"), n_labels=21)
