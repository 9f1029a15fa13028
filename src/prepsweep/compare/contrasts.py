"""What each choice of a study changes: runs that differ in that choice alone, paired by seed and by test row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prepsweep.compare.pseudovalues import METRICS, codes
from prepsweep.compare.records import Run, Study, as_text
from prepsweep.compare.statistics import Differences, Effect, crossed_effect, holm, p_better, sign_flip_p
from prepsweep.compare.verdict import Verdict, verdict
from prepsweep.errors import Refused

_FEWEST_SEEDS = 2


@dataclass(frozen=True)
class Contrast:
    """A choice against the baseline of its factor, averaged over the settings that both were run in."""

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

    The baseline of a factor is the one named in `baselines`, else `none`, else its first choice by name. Choices with
    fewer than two paired seeds are left out: nothing can be said of them.
    """
    settings = study.varied()
    keys = list(dict.fromkeys(key for values in settings.values() for key in values))
    scores = Scores(metric)
    found: list[Contrast] = []
    for factor in keys:
        choices = sorted({as_text(settings[run.run_dir][factor]) for run in study.runs})
        baseline = _baseline(factor, choices, baselines)
        for choice in choices:
            if choice != baseline:
                pairs, n_unpaired = _pairs(study, settings, factor, choice, baseline)
                if len({seed for seed, _, _ in pairs}) >= _FEWEST_SEEDS:
                    found.append(_contrast(factor, choice, baseline, pairs, n_unpaired, scores, delta))
    adjusted = holm([contrast.effect.p_value() for contrast in found])
    return [replace(contrast, p_adjusted=p) for contrast, p in zip(found, adjusted, strict=True)]


class Scores:
    """Pseudovalues of a run's test rows under one metric, computed once for each run; rows numbered over the study."""

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.row_numbers: dict[str, int] = {}
        self.known: dict[Path, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        self.labels: dict[Path, bytes] = {}

    def of(self, run: Run) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Row numbers and values, both of shape (n_rows,), in the order of the row numbers."""
        if run.run_dir not in self.known:
            rows = np.array([self.row_numbers.setdefault(uid, len(self.row_numbers)) for uid in run.predictions["uid"]], dtype=np.int64)
            labels, predictions = (codes(run.predictions[name], run.classes) for name in ("label", "prediction"))
            values = METRICS[self.metric](labels, predictions, len(run.classes))
            order = np.argsort(rows)
            self.known[run.run_dir], self.labels[run.run_dir] = (rows[order], values[order]), labels[order].tobytes()
        return self.known[run.run_dir]

    def refuse_other_test(self, run: Run, first: Run) -> None:
        """Refuse to compare runs that were not tested on the same rows with the same labels; their texts may be cleaned differently."""
        same_rows = np.array_equal(self.of(run)[0], self.of(first)[0])
        if not same_rows or run.classes != first.classes or self.labels[run.run_dir] != self.labels[first.run_dir]:
            what = f"was tested on other rows or labels than {first.run_dir}"
            raise Refused(str(run.run_dir), what, "compare runs with one test set: give data.test_path, or vary no step that drops rows")


Pair = tuple[str, Run, Run]


def _pairs(study: Study, settings: Mapping[Path, Mapping[str, Any]], factor: str, choice: str, baseline: str) -> tuple[list[Pair], int]:
    """(seed, baseline run, choice run) that agree in everything but `factor`; and how many runs found no partner."""
    sides: dict[str, dict[tuple[str, str], Run]] = {choice: {}, baseline: {}}
    for run in study.runs:
        values = settings[run.run_dir]
        side = as_text(values[factor])
        if side in sides:
            rest = " ".join(f"{key}={as_text(value)}" for key, value in values.items() if key != factor)
            sides[side][run.seed, rest] = run
    both = sorted(sides[choice].keys() & sides[baseline].keys())
    return [(key[0], sides[baseline][key], sides[choice][key]) for key in both], len(sides[choice].keys() ^ sides[baseline].keys())


def _contrast(factor: str, choice: str, baseline: str, pairs: Sequence[Pair], n_unpaired: int, scores: Scores, delta: float) -> Contrast:
    differences, seeds = _differences(pairs, scores)
    effect, by_seed = crossed_effect(differences), differences.by_seed()
    return Contrast(
        factor=factor,
        choice=choice,
        baseline=baseline,
        n_settings=len(pairs) // len(seeds),
        n_unpaired=n_unpaired,
        effect=effect,
        by_seed=dict(zip(seeds, by_seed.tolist(), strict=True)),
        p_better=p_better(by_seed),
        p_sign_flip=sign_flip_p(by_seed, rng=np.random.default_rng(0)),
        p_adjusted=effect.p_value(),
        delta=delta,
        seconds=fmean(_seconds(other) - _seconds(one) for _, one, other in pairs),
    )


def _differences(pairs: Sequence[Pair], scores: Scores) -> tuple[Differences, list[str]]:
    """Differences by seed and row, the settings of a seed averaged, and the seeds in their order."""
    by_seed: defaultdict[str, list[tuple[Run, Run]]] = defaultdict(list)
    for seed, one, other in pairs:
        by_seed[seed].append((one, other))
        for run in (one, other):
            scores.refuse_other_test(run, by_seed[seed][0][0])
    values, seeds, rows = [], [], []
    for number, runs in enumerate(by_seed.values()):
        values.append(np.mean([scores.of(other)[1] - scores.of(one)[1] for one, other in runs], axis=0))
        rows.append(scores.of(runs[0][0])[0])
        seeds.append(np.full(len(rows[-1]), number))
    # Numbered anew, since a contrast may see a part of the study's rows only.
    _, row_numbers = np.unique(np.concatenate(rows), return_inverse=True)
    return Differences(np.concatenate(values), np.concatenate(seeds), row_numbers), list(by_seed)


def _baseline(factor: str, choices: Sequence[str], baselines: Mapping[str, str]) -> str:
    if factor in baselines:
        if baselines[factor] not in choices:
            raise Refused("--baseline", f"{factor}={baselines[factor]} was not run", f"choose one of {', '.join(choices)}")
        return baselines[factor]
    return "none" if "none" in choices else choices[0]


def _seconds(run: Run) -> float:
    cost = run.record["cost"]
    return float(cost["prepare_seconds"] + cost["train_seconds"])
