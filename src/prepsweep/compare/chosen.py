"""The arm that dev scores choose, and what its test score is worth after that choice."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import fmean

from prepsweep.compare.contrasts import Scores, table
from prepsweep.compare.measures import score
from prepsweep.compare.records import Run, Study
from prepsweep.compare.statistics import Effect, crossed_effect
from prepsweep.monitors import monitor_of

_FEWEST_SEEDS = 2


@dataclass(frozen=True)
class Chosen:
    """The arm with the highest mean dev score over `n_seeds`, those that all arms with two seeds or more were run with.

    Who looks at k arms and keeps the best keeps luck too. `dev` is the dev score of the arm, by which its task keeps the
    best weights too: the highest of k and so the most flattered. `naive` is its mean test score in the same seeds, which
    shares the seeds' luck with the choice. `nested` is honest: for each seed the arm that the dev scores of the *other*
    seeds choose, scored on the test rows of this one; its interval is over seeds and rows as crossed effects. It is the
    worth of choosing so, with one seed fewer. `times_chosen` counts the arms that were chosen so: a choice that changes
    with the seed left out is no choice.
    """

    arm: str
    n_arms: int
    n_seeds: int
    dev: float
    naive: float
    nested: Effect
    times_chosen: dict[str, int]

    @property
    def optimism(self) -> float:
        """What the naive score promises too much (the winner's curse); below 0 by chance where there is none."""
        return self.naive - self.nested.estimate


def chosen(study: Study, *, metric: str) -> Chosen | None:
    """The choice by dev scores; None for one arm, for fewer than two shared seeds, or where runs have no dev score."""
    monitor = monitor_of(study.task)
    arms = {arm: cells for arm, runs in study.arms().items() if len(cells := _by_seed(runs)) >= _FEWEST_SEEDS}
    seeds = sorted(set.intersection(*(set(cells) for cells in arms.values()))) if arms else []
    if len(arms) < 2 or len(seeds) < _FEWEST_SEEDS or any(monitor not in run.record["metrics"].get("val", {}) for run in study.runs):
        return None
    scores = {run.run_dir: run.record["metrics"]["val"][monitor] for run in study.runs}
    dev = {arm: {seed: fmean(scores[run.run_dir] for run in cells[seed]) for seed in seeds} for arm, cells in arms.items()}
    best = _best(dev, seeds)
    nested = {seed: _best(dev, [other for other in seeds if other != seed]) for seed in seeds}
    scored = table({seed: [[(1, run)] for run in arms[arm][seed]] for seed, arm in nested.items()}, Scores(metric))
    return Chosen(
        arm=best,
        n_arms=len(arms),
        n_seeds=len(seeds),
        dev=fmean(dev[best].values()),
        naive=fmean(fmean(score(run, metric) for run in arms[best][seed]) for seed in seeds),
        nested=crossed_effect(scored),
        times_chosen=dict(Counter(nested.values()).most_common()),
    )


def _by_seed(runs: list[Run]) -> dict[str, list[Run]]:
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found[run.seed].append(run)
    return found


def _best(dev: dict[str, dict[str, float]], seeds: list[str]) -> str:
    """The arm with the highest mean; of equals the first by name."""
    return max(dev, key=lambda arm: fmean(dev[arm][seed] for seed in seeds))
