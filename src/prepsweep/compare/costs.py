"""What each arm costs, and what a point gained over the baseline costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from prepsweep.compare.baselines import choices_of
from prepsweep.compare.measures import MEASURES, score
from prepsweep.compare.records import Run, Study


@dataclass(frozen=True)
class ArmCost:
    """Means over the runs of an arm; `mean` and `sd` are of the metric (sd None for one run).

    `prepare_seconds` is as `Run` has it: without a cache. `gain` is over the arm of all baselines, in the seeds that
    both were run in (None where there is none); `seconds_per_point` the extra seconds of a run for each point of 0.01
    gained, or each 1 of squared error (None where nothing is gained). `pareto` where no other arm is as good and as cheap
    and better in one of them.
    """

    arm: str
    n_runs: int
    mean: float
    sd: float | None
    prepare_seconds: float
    train_seconds: float
    examples_seen: float
    steps: float
    gain: float | None
    seconds_per_point: float | None
    pareto: bool

    @property
    def seconds(self) -> float:
        """What a run costs that finds nothing in the cache."""
        return self.prepare_seconds + self.train_seconds


def costs(study: Study, *, metric: str, baselines: Mapping[str, str]) -> list[ArmCost]:
    """The cost of each arm, in the order of `Study.arms`.

    Points are as uncertain as their contrast: a price is worth reading where the verdict is "helps".
    """
    arms = study.arms()
    base = arms.get(baseline_arm(study, baselines), [])
    found = [_cost(arm, runs, base, metric) for arm, runs in arms.items()]
    return [replace(one, pareto=not any(_beats(other, one) for other in found)) for one in found]


def _cost(arm: str, runs: Sequence[Run], base: Sequence[Run], metric: str) -> ArmCost:
    scores = [score(run, metric) for run in runs]
    gain = _gain(runs, base, metric)
    price = None
    if gain is not None and gain > 0:
        extra = fmean(run.seconds for run in runs) - fmean(run.seconds for run in base)
        price = extra / (MEASURES[metric].unit.factor * gain)
    return ArmCost(
        arm=arm,
        n_runs=len(runs),
        mean=fmean(scores),
        sd=stdev(scores) if len(scores) > 1 else None,
        prepare_seconds=fmean(run.prepare_seconds for run in runs),
        train_seconds=fmean(run.train_seconds for run in runs),
        examples_seen=fmean(run.record["budget"]["examples_seen"] for run in runs),
        steps=fmean(run.record["budget"]["steps"] for run in runs),
        gain=gain,
        seconds_per_point=price,
        pareto=False,
    )


def _gain(runs: Sequence[Run], base: Sequence[Run], metric: str) -> float | None:
    before, after = (_by_seed(side, metric) for side in (base, runs))
    shared = before.keys() & after.keys()
    return fmean(fmean(after[seed]) - fmean(before[seed]) for seed in sorted(shared)) if shared and base is not runs else None


def _by_seed(runs: Sequence[Run], metric: str) -> dict[str, list[float]]:
    """Scores by seed; several where a run was repeated."""
    found: dict[str, list[float]] = {}
    for run in runs:
        found.setdefault(run.seed, []).append(score(run, metric))
    return found


def _beats(one: ArmCost, other: ArmCost) -> bool:
    return one.mean >= other.mean and one.seconds <= other.seconds and (one.mean, one.seconds) != (other.mean, other.seconds)


def baseline_arm(study: Study, baselines: Mapping[str, str]) -> str:
    """Name of the arm in which every factor has its baseline."""
    return " ".join(f"{factor}={baseline}" for factor, (baseline, _) in choices_of(study, baselines).items())
