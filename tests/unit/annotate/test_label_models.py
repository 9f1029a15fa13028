"""Label models: what they find in votes whose truth is known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prepsweep.annotate.ballots import Ballots, ballots_of, coded, quality
from prepsweep.annotate.consensus import best_of
from prepsweep.annotate.label_models import LABEL_MODELS, majority, probabilities

MODELS = sorted(LABEL_MODELS)


def made(n_rows: int, accuracies: list[float], *, coverage: float, seed: int = 0) -> tuple[Ballots, np.ndarray]:
    """Votes of independent voters in two classes, 30% of the rows of the second, and the truth."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n_rows) < 0.3).astype(int)
    right = rng.random((n_rows, len(accuracies))) < accuracies
    matrix = np.where(right, truth[:, None], 1 - truth[:, None])
    matrix[rng.random(matrix.shape) > coverage] = -1
    return ballots_of(matrix, [f"voter {n}" for n in range(len(accuracies))], ["ham", "spam"]), truth


def accuracy(p: np.ndarray, truth: np.ndarray) -> float:
    best = best_of(p)[0]
    return float((best == truth)[best >= 0].mean())


@pytest.mark.parametrize("model", ["dawid_skene", "generative"])
def test_a_good_voter_is_found_among_bad_ones(model: str) -> None:
    ballots, truth = made(3000, [0.95] + [0.6] * 8, coverage=0.5)
    assert accuracy(probabilities(model, ballots), truth) > accuracy(majority(ballots), truth) + 0.03


def test_silence_speaks_for_a_rule_that_looks_for_one_class() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random(4000) < 0.5).astype(int)
    matrix = np.full((4000, 6), -1)
    for rule in range(6):
        says = rule % 2
        fires = rng.random(4000) < np.where(truth == says, 0.5, 0.1)
        matrix[fires, rule] = says
    ballots = ballots_of(matrix, list("abcdef"), ["ham", "spam"])
    found = probabilities("generative", ballots)
    assert accuracy(found, truth) > 0.8
    assert accuracy(found, truth) > accuracy(probabilities("dawid_skene", ballots), truth) + 0.1, "to which one-sided rules say nothing"


@pytest.mark.parametrize("model", MODELS)
def test_probabilities_are_some_and_a_row_without_votes_has_none(model: str) -> None:
    ballots, _ = made(200, [0.9, 0.7, 0.6], coverage=0.3)
    p = probabilities(model, ballots)
    silent = ~np.isin(np.arange(200), ballots.rows)
    assert silent.any()
    assert np.isnan(p[silent]).all()
    assert np.allclose(p[~silent].sum(axis=1), 1)
    assert (p[~silent] >= 0).all()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("matrix", [np.full((3, 2), -1), np.zeros((0, 2), dtype=int), np.zeros((3, 2), dtype=int), np.array([[0, 1]])])
def test_votes_that_say_little_or_nothing(model: str, matrix: np.ndarray) -> None:
    p = probabilities(model, ballots_of(matrix, ["a", "b"], ["x", "y"]))
    assert p.shape == (len(matrix), 2)
    assert np.isfinite(p[(matrix >= 0).any(axis=1)]).all()


@pytest.mark.parametrize("model", MODELS)
def test_rows_of_weight_0_decide_nothing(model: str) -> None:
    ballots, _ = made(400, [0.9, 0.8, 0.6, 0.55], coverage=0.6)
    first = np.arange(400) < 300
    told = Ballots(ballots.rows, ballots.voters, ballots.codes, first.astype(float), ballots.names, ballots.classes)
    mask = ballots.rows < 300
    alone = Ballots(ballots.rows[mask], ballots.voters[mask], ballots.codes[mask], np.ones(300), ballots.names, ballots.classes)
    assert np.allclose(probabilities(model, told)[:300], probabilities(model, alone), equal_nan=True, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.integers(-1, 2), min_size=3, max_size=3), min_size=1, max_size=30))
def test_patterns_worked_out_once_give_what_all_rows_do(matrix: list[list[int]]) -> None:
    ballots = ballots_of(np.array(matrix), ["a", "b", "c"], ["x", "y", "z"])
    for model in MODELS:
        assert np.allclose(probabilities(model, ballots), LABEL_MODELS[model](ballots), equal_nan=True, atol=1e-4), model


# Probability of the second class for 000, 001, … 111 by three voters, so many rows each, as crowd-kit 1.4.2 finds it.
N_ROWS = [30, 9, 5, 4, 4, 3, 7, 20]
BY_CROWD_KIT = {
    "dawid_skene": ([0.0032, 0.0319, 0.1854, 0.7033, 0.1672, 0.6765, 0.9352, 0.9934], 1e-3),
    # It takes the best of ten random starts, this one the majority.
    "mace": ([0.005, 0.051, 0.275, 0.803, 0.243, 0.774, 0.96, 0.996], 1e-2),
}


@pytest.mark.parametrize("model", sorted(BY_CROWD_KIT))
def test_the_models_of_crowds_agree_with_crowd_kit(model: str) -> None:
    patterns = np.array([[n >> 2 & 1, n >> 1 & 1, n & 1] for n in range(8)])
    found = probabilities(model, ballots_of(np.repeat(patterns, N_ROWS, axis=0), list("abc"), ["x", "y"]))
    expected, tolerance = BY_CROWD_KIT[model]
    assert np.allclose(found[np.cumsum(N_ROWS) - 1, 1], expected, atol=tolerance)


def test_annotators_who_always_say_one_class_are_seen_through() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random(1000) < 0.5).astype(int)
    good = np.where(rng.random((1000, 3)) < 0.85, truth[:, None], 1 - truth[:, None])
    ballots = ballots_of(np.hstack([good, np.zeros((1000, 4), dtype=int)]), list("abcdefg"), ["x", "y"])
    for model in ("mace", "dawid_skene"):
        assert accuracy(probabilities(model, ballots), truth) > 0.9 > accuracy(majority(ballots), truth) + 0.3


def test_a_tie_is_no_label() -> None:
    best, sure = best_of(np.array([[0.5, 0.5, 0.0], [0.2, 0.5, 0.3], [np.nan] * 3]))
    assert best.tolist() == [-1, 1, -1]
    assert sure.tolist() == [0.5, 0.5, 0.0]


def test_the_table_of_the_voters() -> None:
    matrix, classes = coded([pa.array(["a", "a", None, "b"]), pa.array(["a", "b", "b", None])])
    assert classes == ["a", "b"]
    table = quality(ballots_of(matrix, ["one", "two"], classes), pa.chunked_array([pa.array(["a", "a", None, "c"])]))
    assert table == {
        "one": {"coverage": 0.75, "overlaps": 0.5, "conflicts": 0.25, "accuracy": 0.6667, "n_gold": 3},
        "two": {"coverage": 0.75, "overlaps": 0.5, "conflicts": 0.25, "accuracy": 0.5, "n_gold": 2},
    }
