"""What each choice of a study changes: runs that differ in that choice alone, paired by seed and by test row."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.compare.baselines import choices_of
from prepsweep.compare.measures import MEASURES
from prepsweep.compare.records import Run, Study
from prepsweep.compare.statistics import (
    Differences,
    Effect,
    arms_swap_p,
    crossed_effect,
    holm,
    p_better,
    p_better_unpaired,
    sign_flip_p,
    unpaired_effect,
)
from prepsweep.compare.verdict import Verdict, verdict
from prepsweep.errors import Refused
from prepsweep.monitors import ONE_CLASS

_FEWEST_SEEDS = 2
# Rows that all agree have no variance; the signs of five alone cannot reach 0.05.
FEWEST_ROWS = 6

Pair = tuple[str, Run, Run]
# Runs by seed and by what else they chose; several where a run was repeated.
Cells = dict[tuple[str, str], list[Run]]
# The runs of a baseline and of a choice, by seed.
Sides = tuple[dict[str, list[Run]], dict[str, list[Run]]]
# Runs whose weighted sum is a difference, by seed; those of a seed are averaged.
Weighted = Mapping[str, Sequence[Sequence[tuple[float, Run]]]]


@dataclass(frozen=True)
class Contrast:
    """A choice against the baseline of its factor, averaged over the settings that both were run in.

    Where fewer than two seeds were run with both, it is not `paired`: `effect` is the difference of two means over seeds of
    their own, `n_seeds` of it the smaller number, `by_seed` the choice's seeds less the baseline's mean, and `p_sign_flip`
    is the p of dealing the seeds to the arms anew. `n_repeats` runs repeat the seed and settings of another; they are averaged.
    """

    factor: str
    choice: str
    baseline: str
    n_settings: int
    n_unpaired: int
    effect: Effect
    by_seed: dict[str, float]
    p_better: float
    p_sign_flip: float
    p_adjusted: float
    delta: float
    seconds: float
    n_repeats: int = 0
    paired: bool = True

    @property
    def name(self) -> str:
        """The choice as the command line writes it."""
        return f"{self.factor}={self.choice}"

    @property
    def verdict(self) -> Verdict:
        """The word for it, see `verdict.verdict`."""
        return verdict(self.effect, p_adjusted=self.p_adjusted, delta=self.delta)


def contrasts(study: Study, *, metric: str, delta: float, baselines: Mapping[str, str]) -> list[Contrast]:
    """One contrast for every factor and choice beside its baseline; p adjusted over all of them (Holm).

    The baseline of a factor is the one named in `baselines`, else `none`, else its first choice by name. Of a choice
    with fewer than two seeds, six test rows, or none of the baseline's other settings, nothing can be said: see `left_out`.
    """
    scores = Scores(metric)
    found: list[Contrast] = []
    for factor, choice, baseline in _comparisons(study, baselines):
        before, after = (cells_of(study, {factor: name}) for name in (baseline, choice))
        alone = [runs for one, other in ((before, after), (after, before)) for key, runs in one.items() if key not in other]
        pairs, sides = _pairs(before, after), _arms(before, after)
        if _why_not(f"{factor}={choice}", f"{factor}={baseline}", sides):
            continue
        compared = _paired(pairs, scores) if len({seed for seed, _, _ in pairs}) >= _FEWEST_SEEDS else _unpaired(sides, scores)
        found.append(
            Contrast(
                factor=factor,
                choice=choice,
                baseline=baseline,
                n_settings=len({rest for _, rest in before} & {rest for _, rest in after}),
                n_unpaired=sum(map(len, alone)),
                n_repeats=sum(len(runs) - 1 for side in (before, after) for runs in side.values()),
                p_adjusted=compared.effect.p_value(),
                delta=delta,
                **compared._asdict(),
            )
        )
    adjusted = holm([contrast.effect.p_value() for contrast in found])
    return [replace(contrast, p_adjusted=p) for contrast, p in zip(found, adjusted, strict=True)]


def left_out(study: Study, *, baselines: Mapping[str, str]) -> list[tuple[str, str]]:
    """Choices of which `contrasts` can say nothing, as the command line writes them, each with the reason."""
    found = []
    for factor, choice, baseline in _comparisons(study, baselines):
        sides = _arms(*(cells_of(study, {factor: name}) for name in (baseline, choice)))
        if reason := _why_not(f"{factor}={choice}", f"{factor}={baseline}", sides):
            found.append((f"{factor}={choice}", reason))
    return found


def _why_not(choice: str, baseline: str, sides: Sides) -> str:
    """Why nothing can be said of a choice beside its baseline, or nothing."""
    before, after = sides
    if not before:
        return f"was run in none of the settings of {baseline}"
    if min(len(before), len(after)) < _FEWEST_SEEDS:
        few = choice if len(after) < _FEWEST_SEEDS else baseline
        return f"{few} has one seed in the settings that both were run in; two are the least, 'seed=range(5)' gives five"
    n_rows = len(next(iter(before.values()))[0].tested.uids)
    return f"its test has {n_rows} row{'s' * (n_rows != 1)}; {FEWEST_ROWS} are the least" if n_rows < FEWEST_ROWS else ""


class Scores:
    """Pseudovalues of a run's test rows under one metric, computed once for each run; rows numbered over the study."""

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.row_numbers: dict[str, int] = {}
        self.known: dict[Path, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        self.tests: list[tuple[pa.Array, NDArray[np.int64], NDArray[np.int64]]] = []

    def of(self, run: Run) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Row numbers and values, both of shape (n_rows,), in the order of the row numbers."""
        if run.run_dir not in self.known:
            rows, order = self._numbers(run.tested.uids)
            values = MEASURES[self.metric].values(run.tested)
            self.known[run.run_dir] = rows, values[order]
        return self.known[run.run_dir]

    def refuse_other_test(self, run: Run, first: Run) -> None:
        """Refuse to compare runs that were not tested on the same rows with the same labels; their texts may be cleaned differently."""
        same_rows = np.array_equal(self.of(run)[0], self.of(first)[0])
        # The ranges by which rows of numbers are counted may differ; macro F1 is over the same classes.
        same_classes = run.task != ONE_CLASS or run.classes == first.classes
        if not same_rows or not same_classes or not run.tested.has_labels_of(first.tested):
            what = f"was tested on other rows or labels than {first.run_dir}"
            raise Refused(str(run.run_dir), what, "compare runs with one test set: give data.test_path, or vary no step that drops rows")

    def _numbers(self, uids: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Sorted row numbers of a test set and the order that sorts them; looked up once for each distinct set, of which there are few."""
        for known, rows, order in self.tests:
            if known.equals(uids):
                return rows, order
        rows = np.array([self.row_numbers.setdefault(uid, len(self.row_numbers)) for uid in uids.to_pylist()], dtype=np.int64)
        order = np.argsort(rows)
        self.tests.append((uids, rows[order], order))
        return rows[order], order


def pairs_of(study: Study, factor: str, choice: str, baseline: str) -> list[Pair]:
    """(seed, baseline run, choice run) that agree in everything but `factor`."""
    return _pairs(*(cells_of(study, {factor: name}) for name in (baseline, choice)))


def _pairs(before: Cells, after: Cells) -> list[Pair]:
    return [(seed, one, other) for seed, (one, other) in together([before, after])]


def cells_of(study: Study, chosen: Mapping[str, str]) -> Cells:
    """Runs that chose `chosen`."""
    found: Cells = {}
    for run in min((study.by_choice[one] for one in chosen.items()), key=len):
        values = study.varied[run.run_dir]
        if all(values[factor] == choice for factor, choice in chosen.items()):
            rest = " ".join(f"{key}={value}" for key, value in values.items() if key not in chosen)
            found.setdefault((run.seed, rest), []).append(run)
    return found


def together(sides: Sequence[Cells]) -> list[tuple[str, tuple[Run, ...]]]:
    """(seed, one run of each side) that agree in everything else, by seed.

    Repeated runs are taken in all combinations, and every seed and setting as many times as the others: a mean over them
    is then the mean over settings of the means over repeats.
    """
    shared = sorted(set.intersection(*(set(side) for side in sides)))
    combined = {key: list(itertools.product(*(side[key] for side in sides))) for key in shared}
    n_each = math.lcm(*map(len, combined.values()))
    return [(seed, runs) for (seed, _), some in combined.items() for runs in some * (n_each // len(some))]


def table(by_seed: Weighted, scores: Scores) -> Differences:
    """Weighted sums by seed and row, those of a seed averaged; refused where runs of a seed were tested on other rows."""
    values, rows = [], []
    for sums in by_seed.values():
        first = sums[0][0][1]
        for _, run in itertools.chain.from_iterable(sums):
            scores.refuse_other_test(run, first)
        weights: defaultdict[Path, float] = defaultdict(float)
        runs = {run.run_dir: run for _, run in itertools.chain.from_iterable(sums)}
        for weight, run in itertools.chain.from_iterable(sums):
            weights[run.run_dir] += weight / len(sums)
        values.append(np.sum([weight * scores.of(runs[run_dir])[1] for run_dir, weight in weights.items()], axis=0))
        rows.append(scores.of(first)[0])
    seeds = np.repeat(np.arange(len(rows)), [len(some) for some in rows])
    return Differences(np.concatenate(values), seeds, np.concatenate(rows))


def by_seed_of(tuples: Sequence[tuple[str, tuple[Run, ...]]], weights: Sequence[float]) -> dict[str, list[list[tuple[float, Run]]]]:
    """Runs with their weights, by seed."""
    found: dict[str, list[list[tuple[float, Run]]]] = {}
    for seed, runs in tuples:
        found.setdefault(seed, []).append(list(zip(weights, runs, strict=True)))
    return found


def _comparisons(study: Study, baselines: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for factor, (baseline, choices) in choices_of(study, baselines).items():
        yield from ((factor, choice, baseline) for choice in choices)


def _arms(before: Cells, after: Cells) -> Sides:
    """The runs of both sides by seed, in the settings that both were run in."""
    shared = {rest for _, rest in before} & {rest for _, rest in after}
    found: Sides = {}, {}
    for side, cells in zip(found, (before, after), strict=True):
        for (seed, rest), runs in sorted(cells.items()):
            if rest in shared:
                side.setdefault(seed, []).extend(runs)
    return found


class _Compared(NamedTuple):
    """What two arms say, however they are compared: the fields of `Contrast` of the same names."""

    effect: Effect
    by_seed: dict[str, float]
    p_better: float
    p_sign_flip: float
    seconds: float
    paired: bool


def _paired(pairs: Sequence[Pair], scores: Scores) -> _Compared:
    weighted = by_seed_of([(seed, (one, other)) for seed, one, other in pairs], (-1, 1))
    differences = table(weighted, scores)
    by_seed = differences.by_seed()
    return _Compared(
        effect=crossed_effect(differences),
        by_seed=dict(zip(weighted, by_seed.tolist(), strict=True)),
        p_better=p_better(by_seed),
        p_sign_flip=sign_flip_p(by_seed, rng=np.random.default_rng(0)),
        seconds=fmean(other.seconds - one.seconds for _, one, other in pairs),
        paired=True,
    )


def _unpaired(sides: Sides, scores: Scores) -> _Compared:
    of_split: dict[str, Run] = {}
    for run in itertools.chain.from_iterable(runs for side in sides for runs in side.values()):
        # Seeds that split alike have one test set.
        scores.refuse_other_test(run, of_split.setdefault(run.seed.split("/")[0], run))
    before, after = (table({seed: [[(1, run)] for run in runs] for seed, runs in side.items()}, scores) for side in sides)
    one, other = before.by_seed(), after.by_seed()
    seconds = [fmean(run.seconds for runs in side.values() for run in runs) for side in sides]
    return _Compared(
        effect=unpaired_effect(before, after),
        by_seed=dict(zip(sides[1], (other - one.mean()).tolist(), strict=True)),
        p_better=p_better_unpaired(one, other),
        p_sign_flip=arms_swap_p(one, other, rng=np.random.default_rng(0)),
        seconds=seconds[1] - seconds[0],
        paired=False,
    )
