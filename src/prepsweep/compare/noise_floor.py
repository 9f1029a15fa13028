"""How far runs of one and the same arm lie apart: what a difference has to exceed before it is worth a thought."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prepsweep.compare.baselines import choices_of
from prepsweep.compare.measures import score
from prepsweep.compare.records import Study

_MOST_SPLITS = 2_000


@dataclass(frozen=True)
class NoiseFloor:
    """Chance alone, in the runs of the arm of all baselines; differences are absolute.

    `sd` is that of the metric between seeds. `pairs_95` is the 95% quantile of the differences of two single runs.
    `halves` are the differences of the means of two halves of the seeds that share none (A/A comparisons), sorted, and
    `halves_95` their quantile; `means_95` is `halves_95` brought to means of all `n_seeds` against as many others, which
    is smaller by the root of n_seeds / half. With few seeds there are few halves and a quantile is the largest of
    them: five seeds give 15. `repeats` are the differences of runs with equal seeds and settings, 0 where training is
    exact to the bit; empty where no run was repeated.
    """

    arm: str
    n_seeds: int
    sd: float
    pairs_95: float
    halves: list[float]
    halves_95: float
    means_95: float
    repeats: list[float]


def noise_floor(study: Study, *, metric: str, baselines: Mapping[str, str]) -> NoiseFloor | None:
    """The noise between the seeds of the arm of all baselines; None where it has fewer than two."""
    chosen = {factor: baseline for factor, (baseline, _) in choices_of(study, baselines).items()}
    scores: defaultdict[str, list[float]] = defaultdict(list)
    repeated: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
    for run in study.runs:
        values = study.varied[run.run_dir]
        repeated[run.seed, *values.values()].append(score(run, metric))
        if values == chosen:
            scores[run.seed].append(score(run, metric))
    if len(scores) < 2:
        return None
    by_seed = np.array([np.mean(some) for some in scores.values()])
    halves = _halves(by_seed)
    n_half = len(by_seed) // 2
    halves_95 = float(np.quantile(halves, 0.95))
    pairs = [abs(one - other) for one, other in itertools.combinations(by_seed.tolist(), 2)]
    return NoiseFloor(
        arm=" ".join(f"{factor}={choice}" for factor, choice in chosen.items()),
        n_seeds=len(by_seed),
        sd=float(by_seed.std(ddof=1)),
        pairs_95=float(np.quantile(pairs, 0.95)),
        halves=halves.tolist(),
        halves_95=halves_95,
        means_95=halves_95 * math.sqrt(n_half / len(by_seed)),
        repeats=[abs(one - other) for some in repeated.values() for one, other in itertools.combinations(some, 2)],
    )


def _halves(by_seed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Absolute differences of the means of two halves, sorted: of every pair of halves, or of a sample where there are too many."""
    n, n_half = len(by_seed), len(by_seed) // 2
    if math.comb(n, n_half) * math.comb(n - n_half, n_half) <= _MOST_SPLITS:
        places = range(n)
        splits = [
            (*one, *other)
            for one in itertools.combinations(places, n_half)
            for other in itertools.combinations([place for place in places if place not in one], n_half)
            if one < other
        ]
    else:
        splits = np.random.default_rng(0).permuted(np.tile(np.arange(n), (_MOST_SPLITS, 1)), axis=1)[:, : 2 * n_half].tolist()
    means = by_seed[np.array(splits)].reshape(-1, 2, n_half).mean(axis=2)
    return np.sort(abs(means[:, 0] - means[:, 1]))
