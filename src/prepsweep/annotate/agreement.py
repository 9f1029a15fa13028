"""How far annotators agree beyond chance: Cohen's and Fleiss' kappa, Krippendorff's alpha, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Level = Literal["nominal", "ordinal", "interval"]
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")


def cohen_kappa(a: Sequence[Any], b: Sequence[Any]) -> float:
    """Agreement of two annotators beyond what their own class rates give by chance (Cohen 1960).

    1 is full agreement, 0 chance; NaN where both use one class alone, for then chance agrees always, and without rows.
    """
    if len(a) != len(b):
        raise ValueError(f"cohen_kappa: two annotators of the same rows, got {len(a)} and {len(b)} labels")
    names, codes = np.unique(np.asarray([*a, *b]), return_inverse=True)
    shares = np.zeros((len(names), len(names)))
    np.add.at(shares, (codes[: len(a)], codes[len(a) :]), 1.0)
    return _beyond_chance(float(np.trace(shares)), float(shares.sum(0) @ shares.sum(1)), float(shares.sum()))


def _beyond_chance(agreed: float, squares: float, n_rows: float) -> float:
    if n_rows == 0 or squares == n_rows**2:
        return float("nan")
    by_chance = squares / n_rows**2
    return (agreed / n_rows - by_chance) / (1 - by_chance)


def fleiss_kappa(counts: NDArray[Any]) -> float:
    """Agreement of several annotators beyond chance (Fleiss 1971); `counts` (n_rows, n_classes) are votes for a class.

    Each row needs the same number of votes, two or more, not always by the same people. Where numbers differ use
    `krippendorff_alpha`. NaN where all votes are for one class.
    """
    n_votes = counts.sum(axis=1)
    if not len(counts) or n_votes.min() != n_votes.max() or n_votes[0] < 2:
        raise ValueError("fleiss_kappa: needs rows with the same number of votes, two or more, in each")
    votes = counts.astype(np.float64)
    n = float(n_votes[0])
    agreed = ((votes**2).sum(axis=1) - n) / (n * (n - 1))
    return _beyond_chance(float(agreed.sum()), float(((votes.sum(axis=0) / n) ** 2).sum()), float(len(votes)))


def krippendorff_alpha(values: NDArray[Any], *, level: Level) -> float:
    """Agreement of any number of annotators beyond chance, values missing or not (Krippendorff 2011).

    `values` (n_rows, n_annotators) are numbers, NaN where an annotator gave none; rows with fewer than two say nothing.
    `level`: `nominal` (classes without order), `ordinal` (ranks) or `interval` (differences mean something). NaN where
    all values are equal.
    """
    known, counts = counts_of(values)
    return alpha_of_counts(counts, values=known, level=level)


def counts_of(values: NDArray[Any]) -> tuple[Floats, Floats]:
    """The distinct numbers in `values` (n_rows, n_annotators), sorted, and how often each row has each, (n_rows, n_values)."""
    numbers = np.asarray(values, dtype=np.float64)
    there = ~np.isnan(numbers)
    known, codes = np.unique(numbers[there], return_inverse=True)
    counts = np.zeros((len(numbers), len(known)))
    np.add.at(counts, (np.nonzero(there)[0], codes), 1.0)
    return known, counts


def alpha_of_counts(counts: NDArray[Any], *, values: NDArray[Any], level: Level) -> float:
    """`krippendorff_alpha` of votes that are counted: `counts` (n_rows, n_values), `values` (n_values,) in their order."""
    votes = counts[counts.sum(axis=1) > 1].astype(np.float64)
    per_row = votes / (votes.sum(axis=1, keepdims=True) - 1)
    totals = votes.sum(axis=0)
    # The coincidence matrix: pairs of values within a row, those of a value with itself by another annotator only.
    coincidences = per_row.T @ votes - np.diag(per_row.sum(axis=0))
    distances = _distances(totals, np.asarray(values, dtype=np.float64), level)
    expected = float(totals @ distances @ totals)
    if expected == 0:
        return float("nan")
    return 1 - float(totals.sum() - 1) * float((coincidences * distances).sum()) / expected


def _distances(totals: Floats, values: Floats, level: Level) -> Floats:
    if level == "nominal":
        return 1 - np.eye(len(values))
    # The square of the values between two, each end counted half, or of their difference.
    places = np.cumsum(totals) - totals / 2 if level == "ordinal" else values
    return (places[:, None] - places[None, :]) ** 2


def bootstrap_interval(
    statistic: Callable[[NDArray[np.intp]], float], n_rows: int, *, seed: int, n_resamples: int = 1000, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of `statistic(rows)` over rows drawn anew with replacement; `rows` are places, shape (n_rows,).

    Rows are what is drawn, not votes: the votes of a row depend on one another. Resamples without a value (NaN) are left
    out; NaN where none has one. Sort the rows before, by uid, so that their order decides nothing.
    """
    rng = np.random.default_rng(seed)
    drawn = np.array([statistic(rng.integers(0, n_rows, n_rows)) for _ in range(n_resamples if n_rows else 0)])
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
