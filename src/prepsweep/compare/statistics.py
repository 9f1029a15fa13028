"""How sure a difference between two arms is, from one number per seed and test row. No I/O; see docs/statistics.md.

The same seeds train both arms, so the arms are compared seed by seed; the same rows test them, so row by row. Neither
source of chance averages out over the other: twenty seeds on 250 rows still have the luck of those 250 rows. Seeds and
rows are therefore crossed random effects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Values = NDArray[np.float64]
_EXACT_SEEDS = 16  # 2^16 sign patterns are looked at one by one; beyond, a sample of them.
_DRAWS_AT_ONCE = 2_000_000  # Row numbers of a bootstrap that are held in memory.


@dataclass(frozen=True)
class Differences:
    """One value per (seed, row): what the row adds to the second arm's score less the first's.

    `values`, `seeds`, `rows` have shape (n,), the latter two numbering seeds and rows from 0, of the rows perhaps only
    some; the mean over a seed's values is the difference of the scores in that seed.
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
    seed_freedom: float = math.nan  # of the seeds' error, where it is not n_seeds - 1

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two-sided confidence interval."""
        half = max(error * float(special.stdtrit(freedom, 0.5 + confidence / 2)) for error, freedom in self._errors())
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
        return max(error * float(_errors_away(freedom, power, alpha)) for error, freedom in self._errors())

    def seeds_needed(self, delta: float, *, power: float = 0.8, alpha: float = 0.05, most: int = 1000) -> int | None:
        """Seeds in all with which a difference of `delta` would be found; None if the rows alone are too few for it."""
        n_seeds = np.arange(max(2, self.n_seeds), most + 1)
        errors = np.sqrt(self.seed_variance / n_seeds + self.row_variance)
        enough = errors * _quantiles(most, power, alpha)[n_seeds - 1] <= delta
        return int(n_seeds[enough.argmax()]) if enough.any() else None

    def further_seeds(self, delta: float, *, power: float = 0.8) -> int | None:
        """Seeds beyond those that there are; 0 if they are enough, None if no number of seeds is."""
        needed = self.seeds_needed(delta, power=power)
        return None if needed is None else needed - self.n_seeds

    def _errors(self) -> tuple[tuple[float, float], tuple[float, float]]:
        alone = math.sqrt(self.seed_variance / self.n_seeds)
        freedom = max(1, self.n_seeds - 1) if math.isnan(self.seed_freedom) else self.seed_freedom
        return (self.standard_error, self.degrees_of_freedom), (alone, freedom)


def _beyond(distance: float, error: float, freedom: float) -> float:
    """Chance that a t-distributed estimate with this error lies further out than `distance`."""
    if error == 0:
        return 0.5 if distance == 0 else float(distance < 0)
    return float(special.stdtr(freedom, -distance / error))


def _errors_away(freedom: float | Values, power: float, alpha: float) -> Values:
    """How many errors of so many degrees of freedom a difference must be away from 0 to be found with `power`."""
    return np.asarray(special.stdtrit(freedom, 1 - alpha / 2) + special.stdtrit(freedom, power))


@lru_cache(maxsize=8)
def _quantiles(most: int, power: float, alpha: float) -> Values:
    """`_errors_away` for 0 to `most` - 1 degrees of freedom."""
    return _errors_away(np.arange(float(most)), power, alpha)


def crossed_effect(differences: Differences) -> Effect:
    """Mean difference over seeds, its variance from seeds and rows as crossed random effects.

    Mean squares of the two-way layout without replication give Var = (MS_seed + MS_row - MS_rest) / n; degrees of freedom
    after Satterthwaite 1946. Where each seed has its own test rows the same sums are those of two-way clustered errors
    (Cameron, Gelbach & Miller 2011). The variance is never taken as less than what seeds or rows alone say.
    """
    n_seeds, n_rows = int(differences.seeds.max()) + 1, _n_distinct(differences.rows)
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


def _n_distinct(numbers: NDArray[np.int64]) -> int:
    return int(np.count_nonzero(np.bincount(numbers)))


def _rest(differences: Differences, away: Values, n_seeds: int, n_rows: int) -> float:
    """Variance of the mean that is neither the seeds' nor the rows'; it is in both of their sums and is taken off once."""
    n = len(away)
    if n != n_seeds * n_rows:
        return float((away**2).sum()) / n**2
    by_seed = (np.bincount(differences.seeds, away) / n_rows)[differences.seeds]
    by_row = (np.bincount(differences.rows, away) / n_seeds)[differences.rows]
    return float(((away - by_seed - by_row) ** 2).sum()) / (max(n_seeds - 1, 1) * max(n_rows - 1, 1) * n)


def sign_flip_p(by_seed: Values, *, rng: np.random.Generator | None = None, n_draws: int = 20_000) -> float:
    """Two-sided p that the signs of the seeds' differences are a matter of chance; exact for up to 16 seeds.

    With k seeds it is at least 2 / 2^k: five seeds cannot reach 0.05.
    """
    # Sums of other orders differ in their last digits, squared errors of prices by more than a fixed amount.
    seen = abs(by_seed.sum()) - 1e-12 * abs(by_seed).sum()
    if len(by_seed) <= _EXACT_SEEDS:
        signs = 2.0 * (np.arange(2 ** len(by_seed))[:, None] >> np.arange(len(by_seed)) & 1) - 1
        return float(np.mean(abs(signs @ by_seed) >= seen))
    assert rng is not None, "more than 16 seeds: the signs are drawn"
    signs = rng.choice((-1.0, 1.0), size=(n_draws, len(by_seed)))
    return float((1 + np.sum(abs(signs @ by_seed) >= seen)) / (1 + n_draws))


def unpaired_effect(one: Differences, other: Differences) -> Effect:
    """Mean of `other` less that of `one`, tables of scores with seeds of their own and rows numbered alike.

    Seeds as in Welch's test (1947), with the variance of each arm by itself; rows as crossed with the arms where both were
    tested on them. The same sums as in `crossed_effect`, with a value of `one` counted negative.
    """
    arms, n_rows = (one, other), max(int(one.rows.max()), int(other.rows.max())) + 1
    by_seed = [arm.by_seed() for arm in arms]
    away = [(arm.values - means.mean()) / len(arm.values) for arm, means in zip(arms, by_seed, strict=True)]
    row_sums = np.bincount(other.rows, away[1], minlength=n_rows) - np.bincount(one.rows, away[0], minlength=n_rows)
    n_tested = _n_distinct(np.concatenate([one.rows, other.rows]))
    seed_parts = [float(means.var(ddof=1)) / len(means) for means in by_seed]
    row_part = float((row_sums**2).sum()) * n_tested / max(n_tested - 1, 1)
    rest_part = math.fsum(
        _rest(arm, arm.values - means.mean(), len(means), _n_distinct(arm.rows)) for arm, means in zip(arms, by_seed, strict=True)
    )
    seed_part, n_seeds = sum(seed_parts), min(map(len, by_seed))
    spread = sum(part**2 / (len(means) - 1) for part, means in zip(seed_parts, by_seed, strict=True))
    seed_freedom = seed_part**2 / spread if spread else float(n_seeds - 1)
    variance = max(seed_part + row_part - rest_part, seed_part, row_part)
    n_rest = len(one.values) + len(other.values) - sum(map(len, by_seed)) - n_tested
    parts = spread + row_part**2 / max(n_tested - 1, 1) + rest_part**2 / max(n_rest, 1)
    return Effect(
        estimate=float(by_seed[1].mean() - by_seed[0].mean()),
        standard_error=math.sqrt(variance),
        degrees_of_freedom=max(1.0, variance**2 / parts) if parts else seed_freedom,
        n_seeds=n_seeds,
        seed_variance=seed_part * n_seeds,
        row_variance=max(0.0, row_part - rest_part),
        seed_freedom=max(1.0, seed_freedom),
    )


def bootstrap_interval(
    differences: Differences, *, rng: np.random.Generator, n_draws: int = 10_000, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of a bootstrap that draws seeds and rows: the check on `crossed_effect`, and wider.

    A draw weighs each value by how often its seed and its row were drawn (the pigeonhole bootstrap, Owen 2007).
    """
    _, rows = np.unique(differences.rows, return_inverse=True)
    n_seeds, n_rows = int(differences.seeds.max()) + 1, int(rows.max()) + 1
    sums, counts = np.zeros((n_seeds, n_rows)), np.zeros((n_seeds, n_rows))
    sums[differences.seeds, rows], counts[differences.seeds, rows] = differences.values, 1.0
    means = []
    for _ in range(0, n_draws, n_at_once := min(n_draws, max(1, _DRAWS_AT_ONCE // n_rows))):
        seed_weights, row_weights = _times_drawn(rng, n_at_once, n_seeds), _times_drawn(rng, n_at_once, n_rows)
        drawn = np.einsum("dr,dr->d", seed_weights @ counts, row_weights)
        total = np.einsum("dr,dr->d", seed_weights @ sums, row_weights)
        means.append(total[drawn > 0] / drawn[drawn > 0])
    low, high = np.quantile(np.concatenate(means), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _times_drawn(rng: np.random.Generator, n_draws: int, n: int) -> Values:
    """How often each of n is drawn in n draws with replacement, shape (n_draws, n)."""
    drawn = rng.integers(n, size=(n_draws, n), dtype=np.int32) + n * np.arange(n_draws, dtype=np.int64)[:, None]
    return np.bincount(drawn.ravel(), minlength=n_draws * n).reshape(n_draws, n).astype(np.float64)


def p_better(by_seed: Values) -> float:
    """Share of seeds in which the second arm is the better one, ties half (P(A>B) of Bouthillier et al. 2021)."""
    return float(np.mean(by_seed > 0) + 0.5 * np.mean(by_seed == 0))


def p_better_unpaired(one: Values, other: Values) -> float:
    """Chance that a seed of `other` scores higher than one of `one`, ties half (Mann & Whitney 1947)."""
    return p_better((other[:, None] - one).ravel())


def arms_swap_p(one: Values, other: Values, *, rng: np.random.Generator) -> float:
    """Two-sided p that which arm a seed's score belongs to is a matter of chance; exact where there are few ways to deal them."""
    found = stats.permutation_test((one, other), lambda a, b, axis: b.mean(axis=axis) - a.mean(axis=axis), n_resamples=9999, rng=rng)
    return float(found.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p adjusted for the whole family (Holm 1979), in the given order."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    running = 0.0
    for place, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - place) * float(p_values[index])))
        adjusted[index] = running
    return adjusted.tolist()
