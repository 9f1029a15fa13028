"""How sure a difference between two arms is, from one number per seed and test row. No I/O; see docs/statistics.md.

The same seeds train both arms, so the arms are compared seed by seed; the same rows test them, so row by row. Neither
source of chance averages out over the other: twenty seeds on 250 rows still have the luck of those 250 rows. Seeds and
rows are therefore crossed random effects.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]
_EXACT_SEEDS = 16  # 2^16 sign patterns are looked at one by one; beyond, a sample of them.


@dataclass(frozen=True)
class Differences:
    """One value per (seed, row): what the row adds to the second arm's score less the first's.

    `values`, `seeds`, `rows` have shape (n,), the latter two numbering seeds and rows from 0; the mean over a seed's
    values is the difference of the scores in that seed.
    """

    values: Values
    seeds: NDArray[np.int64]
    rows: NDArray[np.int64]

    def by_seed(self) -> Values:
        """Difference of the scores in each seed, shape (n_seeds,)."""
        return np.asarray(np.bincount(self.seeds, self.values) / np.bincount(self.seeds))


@dataclass(frozen=True)
class Effect:
    """An estimated difference, its standard error two ways, and where its variance comes from.

    The crossed error, with Satterthwaite's degrees of freedom, holds where rows matter; with two to four seeds that
    happen to agree it comes out too small. The error of the seeds alone, with n_seeds - 1 degrees, holds where seeds
    matter. What follows from both is said: the wider interval, the larger p.
    """

    estimate: float
    standard_error: float
    degrees_of_freedom: float
    n_seeds: int
    seed_variance: float  # of one seed's difference: over k seeds it is a k-th
    row_variance: float  # of the mean, however many seeds there are

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two-sided confidence interval."""
        half = max(error * float(stats.t.ppf(0.5 + confidence / 2, freedom)) for error, freedom in self._errors())
        return self.estimate - half, self.estimate + half

    def p_value(self) -> float:
        """Two-sided p for no difference."""
        return max(2 * _beyond(abs(self.estimate), error, freedom) for error, freedom in self._errors())

    def p_within(self, delta: float) -> float:
        """p of the test that the difference is not inside ±delta: the larger of two one-sided ones (TOST, Schuirmann 1987)."""
        nearest = delta - abs(self.estimate)
        return max(_beyond(nearest, error, freedom) for error, freedom in self._errors())

    def minimum_detectable(self, *, power: float = 0.8, alpha: float = 0.05) -> float:
        """Smallest true difference that this many seeds and rows would find with `power`."""
        return max(error * _quantiles(freedom, power, alpha) for error, freedom in self._errors())

    def seeds_needed(self, delta: float, *, power: float = 0.8, alpha: float = 0.05, most: int = 1000) -> int | None:
        """Seeds in all with which a difference of `delta` would be found; None if the rows alone are too few for it."""
        for n_seeds in range(max(2, self.n_seeds), most + 1):
            error = math.sqrt(self.seed_variance / n_seeds + self.row_variance)
            if error * _quantiles(n_seeds - 1, power, alpha) <= delta:
                return n_seeds
        return None

    def _errors(self) -> tuple[tuple[float, float], tuple[float, float]]:
        alone = math.sqrt(self.seed_variance / self.n_seeds)
        return (self.standard_error, self.degrees_of_freedom), (alone, max(1, self.n_seeds - 1))


def _beyond(distance: float, error: float, freedom: float) -> float:
    """Chance that a t-distributed estimate with this error lies further out than `distance`."""
    if error == 0:
        return 0.5 if distance == 0 else float(distance < 0)
    return float(stats.t.sf(distance / error, freedom))


def _quantiles(freedom: float, power: float, alpha: float) -> float:
    return float(stats.t.ppf(1 - alpha / 2, freedom) + stats.t.ppf(power, freedom))


def crossed_effect(differences: Differences) -> Effect:
    """Mean difference over seeds, its variance from seeds and rows as crossed random effects.

    Mean squares of the two-way layout without replication give Var = (MS_seed + MS_row - MS_rest) / n; degrees of freedom
    after Satterthwaite 1946. Where each seed has its own test rows the same sums are those of two-way clustered errors
    (Cameron, Gelbach & Miller 2011). The variance is never taken as less than what seeds or rows alone say.
    """
    n_seeds, n_rows = int(differences.seeds.max()) + 1, int(differences.rows.max()) + 1
    by_seed = differences.by_seed()
    estimate = float(by_seed.mean())
    n = len(differences.values)
    away = differences.values - estimate
    seed_sums, row_sums = np.bincount(differences.seeds, away), np.bincount(differences.rows, away)
    seed_part = float((seed_sums**2).sum()) / n**2 * n_seeds / max(n_seeds - 1, 1)
    row_part = float((row_sums**2).sum()) / n**2 * n_rows / max(n_rows - 1, 1)
    rest_part = _rest(differences, away, n_seeds, n_rows)
    variance = max(seed_part + row_part - rest_part, seed_part, row_part)
    parts = (seed_part**2 / max(n_seeds - 1, 1), row_part**2 / max(n_rows - 1, 1), rest_part**2 / max(n - n_seeds - n_rows + 1, 1))
    freedom = variance**2 / sum(parts) if variance else float(max(n_seeds - 1, 1))
    return Effect(
        estimate=estimate,
        standard_error=float(np.sqrt(variance)),
        degrees_of_freedom=max(1.0, freedom),
        n_seeds=n_seeds,
        seed_variance=seed_part * n_seeds,
        row_variance=max(0.0, row_part - rest_part),
    )


def _rest(differences: Differences, away: Values, n_seeds: int, n_rows: int) -> float:
    """Variance of the mean that is neither the seeds' nor the rows'; it is in both of their sums and is taken off once."""
    n = len(away)
    if n != n_seeds * n_rows:
        return float((away**2).sum()) / n**2
    by_seed = (np.bincount(differences.seeds, away) / n_rows)[differences.seeds]
    by_row = (np.bincount(differences.rows, away) / n_seeds)[differences.rows]
    return float(((away - by_seed - by_row) ** 2).sum()) / (max(n_seeds - 1, 1) * (n_rows - 1) * n)


def sign_flip_p(by_seed: Values, *, rng: np.random.Generator | None = None, n_draws: int = 20_000) -> float:
    """Two-sided p that the signs of the seeds' differences are a matter of chance; exact for up to 16 seeds.

    With k seeds it is at least 2 / 2^k: five seeds cannot reach 0.05.
    """
    seen = abs(by_seed.sum())
    if len(by_seed) <= _EXACT_SEEDS:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(by_seed))))
        return float(np.mean(abs(signs @ by_seed) >= seen - 1e-12))
    assert rng is not None, "more than 16 seeds: the signs are drawn"
    signs = rng.choice((-1.0, 1.0), size=(n_draws, len(by_seed)))
    return float((1 + np.sum(abs(signs @ by_seed) >= seen - 1e-12)) / (1 + n_draws))


def bootstrap_interval(
    differences: Differences, *, rng: np.random.Generator, n_draws: int = 2000, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of a bootstrap that draws seeds and rows: the check on `crossed_effect`, and wider.

    A draw weighs each value by how often its seed and its row were drawn (the pigeonhole bootstrap, Owen 2007).
    """
    n_seeds, n_rows = int(differences.seeds.max()) + 1, int(differences.rows.max()) + 1
    means = np.empty(n_draws)
    for draw in range(n_draws):
        seed_weight = np.bincount(rng.integers(n_seeds, size=n_seeds), minlength=n_seeds)
        row_weight = np.bincount(rng.integers(n_rows, size=n_rows), minlength=n_rows)
        weight = seed_weight[differences.seeds] * row_weight[differences.rows]
        means[draw] = np.average(differences.values, weights=weight) if weight.any() else np.nan
    low, high = np.nanquantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def p_better(by_seed: Values) -> float:
    """Share of seeds in which the second arm is the better one, ties half (P(A>B) of Bouthillier et al. 2021)."""
    return float(np.mean(by_seed > 0) + 0.5 * np.mean(by_seed == 0))


def holm(p_values: Sequence[float]) -> list[float]:
    """p adjusted for the whole family (Holm 1979), in the given order."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    running = 0.0
    for place, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - place) * float(p_values[index])))
        adjusted[index] = running
    return adjusted.tolist()
