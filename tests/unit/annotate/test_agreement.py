"""Agreement statistics against the examples worked in the papers that define them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prepsweep.annotate.agreement import (
    Level,
    alpha_of_counts,
    bootstrap_interval,
    cohen_kappa,
    counts_of,
    fleiss_kappa,
    krippendorff_alpha,
)

NONE = math.nan
# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units, values missing.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
    [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
]
# Fleiss 1971, table 1: six of the psychiatrists put each of thirty patients into one of five categories.
DIAGNOSES = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
# Cohen 1960, table 1, in two hundredths: rows one judge, columns the other.
JUDGES = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_that_of_krippendorff_2011_for_missing_values(level: Level, alpha: float) -> None:
    assert round(krippendorff_alpha(np.array(OBSERVERS).T, level=level), 3) == alpha


def test_alpha_is_that_of_krippendorff_2011_for_two_observers() -> None:
    binary = np.array([[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]])
    assert round(krippendorff_alpha(binary.T, level="nominal"), 3) == 0.095
    names = np.array([[ord(name) for name in observer] for observer in ("aabbdcccedda", "babbbccceddd")])
    assert round(krippendorff_alpha(names.T, level="nominal"), 3) == 0.692


def test_fleiss_kappa_is_that_of_fleiss_1971() -> None:
    counts = np.array([[int(count) for count in row] for row in DIAGNOSES.split()])
    assert (counts.sum(axis=0) / 180).round(3).tolist() == [0.144, 0.144, 0.167, 0.306, 0.239], "as the paper prints them"
    assert round(fleiss_kappa(counts), 3) == 0.430


def test_cohen_kappa_is_that_of_cohen_1960() -> None:
    one = [row for row, counts in enumerate(JUDGES) for count in counts for _ in range(count)]
    other = [column for counts in JUDGES for column, count in enumerate(counts) for _ in range(count)]
    assert round(cohen_kappa(one, other), 3) == 0.492
    assert cohen_kappa(["ja", "nein"], ["ja", "nein"]) == 1
    assert cohen_kappa(["喜", "悲"], ["悲", "喜"]) == -1


def test_what_chance_alone_decides_is_no_number() -> None:
    assert math.isnan(cohen_kappa(["a", "a"], ["a", "a"]))
    assert math.isnan(cohen_kappa([], []))
    assert math.isnan(fleiss_kappa(np.array([[3, 0], [3, 0]])))
    assert math.isnan(krippendorff_alpha(np.array([[1.0, 1.0], [1.0, NONE]]), level="ordinal"))
    assert math.isnan(krippendorff_alpha(np.array([[1.0, NONE], [NONE, 2.0]]), level="nominal")), "nobody shares a row"


def test_votes_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="got 1 and 2 labels"):
        cohen_kappa(["a"], ["a", "b"])
    for counts in ([[2, 1], [1, 1]], [[1, 0], [0, 1]], np.zeros((0, 2))):
        with pytest.raises(ValueError, match="the same number of votes"):
            fleiss_kappa(np.array(counts))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.sampled_from([1.0, 2.0, 3.0, NONE]), min_size=3, max_size=3), min_size=1, max_size=12))
def test_alpha_is_the_mean_distance_within_rows_over_that_of_all_values(rows: list[list[float]]) -> None:
    """The definition, pair by pair, for interval data: another way to the same number."""
    kept = [[value for value in row if not math.isnan(value)] for row in rows]
    kept = [row for row in kept if len(row) > 1]
    values = [value for row in kept for value in row]
    expected = sum((a - b) ** 2 for a in values for b in values)
    found = krippendorff_alpha(np.array(rows), level="interval")
    if not expected:
        assert math.isnan(found)
        return
    observed = sum((a - b) ** 2 / (len(row) - 1) for row in kept for a in row for b in row) / len(values)
    assert found == pytest.approx(1 - observed / (expected / (len(values) * (len(values) - 1))))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("ab")), min_size=3, max_size=40), st.randoms())
def test_the_order_of_the_rows_changes_nothing(pairs: list[tuple[str, str]], random: object) -> None:
    one, other = zip(*pairs, strict=True)
    back = [list(column)[::-1] for column in (one, other)]
    assert cohen_kappa(one, other) == pytest.approx(cohen_kappa(*back), nan_ok=True)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        right = rng.random(200) < 0.7
        low, high = bootstrap_interval(lambda rows, right=right: float(right[rows].mean()), 200, seed=seed, n_resamples=300)  # type: ignore[misc]
        covered += low <= 0.7 <= high
    assert 34 <= covered <= 40


def test_an_interval_of_a_statistic_around_its_value_and_of_none_where_there_is_none() -> None:
    known, counts = counts_of(np.array(OBSERVERS).T)
    low, high = bootstrap_interval(lambda rows: alpha_of_counts(counts[rows], values=known, level="nominal"), 12, seed=0)
    assert low < 0.743 < high
    assert (low, high) == bootstrap_interval(lambda rows: alpha_of_counts(counts[rows], values=known, level="nominal"), 12, seed=0)
    assert all(math.isnan(end) for end in bootstrap_interval(lambda rows: NONE, 5, seed=0, n_resamples=3))
    assert all(math.isnan(end) for end in bootstrap_interval(lambda rows: 1.0, 0, seed=0))
