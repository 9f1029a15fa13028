"""Whether the comparison is fair: what in the runs themselves casts doubt on an effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from scipy import stats

from prepsweep.compare.baselines import choices_of
from prepsweep.compare.budgets import CONTROL
from prepsweep.compare.contrasts import Pair, pairs_of
from prepsweep.compare.measures import name_of, unit_of
from prepsweep.compare.records import Run, Study
from prepsweep.monitors import monitor_of

Kind = Literal["still improving", "one class only", "class never predicted", "extra steps", "different steps", "few test rows"]
_LAST = 0.75  # What is gained after this share of the steps was still to be gained.
_SMALLEST_GAIN = 0.005
_ALPHA = 0.05
# Steps of one epoch's odds and ends are no difference.
_MORE_STEPS = 1.1
_NAMED = 3
# With one test row of a class 14% of the verdicts on macro F1 are false, with two 6% (benchmarks/verdicts.py).
_FEWEST_ROWS, _FEWEST_OF_CLASS = 30, 5


@dataclass(frozen=True)
class Concern:
    """A doubt in one sentence about an arm of the study, or with `arm` empty about the study."""

    kind: Kind
    arm: str
    words: str


def adequacy(study: Study, *, metric: str) -> list[Concern]:
    """What casts doubt on the arms of a study under a metric, the study's own doubts first; an empty list where nothing does."""
    arms, monitor = study.arms(), monitor_of(study.task)
    found = [*_few_rows(study, metric), *_different_steps(arms), *_extra_steps(study, monitor)]
    for arm, runs in arms.items():
        found += [*_unlearned(arm, runs), *_still_improving(arm, runs, monitor)]
    return found


def _few_rows(study: Study, metric: str) -> Iterator[Concern]:
    """A test so small that its intervals are rough, or that the luck of single rows of a class decides macro F1."""
    tests = [run.record["data"]["splits"]["test"] for run in study.runs]
    n_rows = min(test["rows"] for test in tests)
    if n_rows < _FEWEST_ROWS:
        yield Concern("few test rows", "", f"few test rows ({n_rows}): with fewer than {_FEWEST_ROWS} intervals and p are rough")
    n_least = {name: min(test["per_class"].get(name, 0) for test in tests) for name in study.runs[0].classes}
    few = [f"{name!r} ({n})" for name, n in n_least.items() if n < _FEWEST_OF_CLASS]
    if few and metric == "macro_f1":
        words = f"few test rows of {_named(few)}: single rows decide macro F1; give more of them, or compare by --metric accuracy"
        yield Concern("few test rows", "", words)


def _unlearned(arm: str, runs: Sequence[Run]) -> Iterator[Concern]:
    """Runs that answer with one class whatever the row, and runs that never answer with some class.

    The first did not learn: their scores are those of the class shares. A class that is never predicted has F1 0, and what
    moves it off 0 in another arm may be as small as one row. Tasks without a confusion matrix are not asked.
    """
    runs = [run for run in runs if "confusion" in run.record["metrics"]["test"]]
    predicted = [_predicted(run) for run in runs]
    n_collapsed = sum(len(names) == 1 for names in predicted)
    if n_collapsed:
        yield Concern("one class only", arm, f"{n_collapsed} of {len(runs)} runs predict one class for every row: they did not learn")
    lacks = [[name for name in run.classes if name not in names] for run, names in zip(runs, predicted, strict=True) if len(names) > 1]
    missed = sorted({name for names in lacks for name in names})
    if missed:
        words = f"{sum(map(bool, lacks))} of {len(runs)} runs never predict {_named(list(map(repr, missed)))}"
        yield Concern("class never predicted", arm, words)


def _named(names: Sequence[str]) -> str:
    """The first few names in a row."""
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _predicted(run: Run) -> set[str]:
    """The classes that a run predicted for at least one test row."""
    counts = run.record["metrics"]["test"]["confusion"]
    return {name for name, column in zip(run.classes, zip(*counts, strict=True), strict=True) if any(column)}


def late_gain(run: Run, metric: str) -> tuple[float, int] | None:
    """What the last quarter of the steps brought on dev rows, and in how many steps; None where dev was looked at once.

    It is the last score less the best until then. The best of several noisy looks is above their mean, so that the gain
    of a run that is flat is below 0 on average. Where there was no look before three quarters of the steps were done, all
    but the last are "until then".
    """
    curve = run.record["metrics"]["val_curve"]
    last = curve[-1]
    until = [point for point in curve if point["step"] <= _LAST * last["step"]] or curve[:-1]
    if not until:
        return None
    return float(last[metric] - max(point[metric] for point in until)), int(last["step"] - until[-1]["step"])


def _still_improving(arm: str, runs: Sequence[Run], metric: str) -> Iterator[Concern]:
    """An arm whose runs gained at the end more than half a point, and more than the seeds' spread explains (t test).

    It was stopped, not finished: its contrast is between two states of training, and may turn with more steps.
    """
    late = [gain for run in runs if (gain := late_gain(run, metric)) is not None]
    gains = [gain for gain, _ in late]
    if len(gains) < 2 or fmean(gains) <= _SMALLEST_GAIN:
        return
    error = stdev(gains) / len(gains) ** 0.5
    if error == 0 or stats.t.sf(fmean(gains) / error, len(gains) - 1) <= _ALPHA:
        n_steps = fmean(n_steps for _, n_steps in late)
        gained = f"{_said(fmean(gains), metric)} of {name_of(metric)} on dev in the last {n_steps:.0f} steps"
        words = f"still improving when it stopped: {gained}; try more epochs"
        yield Concern("still improving", arm, words)


def _different_steps(arms: Mapping[str, Sequence[Run]]) -> Iterator[Concern]:
    """Arms of one budget that took different numbers of optimizer steps: part of their difference is the steps'."""
    steps: dict[str, dict[str, float]] = {}
    impatient = {kind for runs in arms.values() for run in runs if (kind := _stopped_early(run))}
    for arm, runs in arms.items():
        steps.setdefault(runs[0].record["budget"]["kind"], {})[arm] = fmean(map(_steps, runs))
    for kind, of_arms in steps.items():
        least, most = min(of_arms, key=of_arms.__getitem__), max(of_arms, key=of_arms.__getitem__)
        if of_arms[most] > _MORE_STEPS * of_arms[least]:
            words = f"under budget={kind} the arms take from {of_arms[least]:.0f} steps ({least}) to {of_arms[most]:.0f} ({most})"
            # equal_steps counts rows before augment and balance: arms that clean away rows still take fewer.
            fix = "budget.patience=null" if kind in impatient else "budget=equal_steps" if kind == "epochs" else "budget=steps"
            yield Concern("different steps", "", f"{words}; {fix} would give them the same")


def _stopped_early(run: Run) -> str:
    """The kind of budget of a run that `budget.patience` ended before its steps were done, else nothing."""
    budget = run.record["budget"]
    return str(budget["kind"]) if budget["steps"] < budget.get("planned_steps", 0) else ""


def _extra_steps(study: Study, metric: str) -> Iterator[Concern]:
    """Choices that took more steps than their baseline and gained no more than such steps bring without them.

    What these bring is measured by `duplicate` where it was run; else it is what the last steps of the baseline brought,
    drawn out in a straight line: more than they would have.
    """
    for factor, (baseline, choices) in choices_of(study, {}).items():
        longer = {choice: _longer(pairs_of(study, factor, choice, baseline)) for choice in choices}
        for choice, pairs in longer.items():
            if not pairs or factor.startswith("budget"):
                continue
            control = longer.get(CONTROL) if factor == "augment" and choice != CONTROL else None
            gain, alone = _gain(pairs, metric), _gain(control, metric) if control else _drawn_out(pairs, metric)
            if 0 < gain <= alone:
                ratio = fmean(_steps(other) / _steps(one) for _, one, other in pairs)
                gained = f"gains {_said(gain, metric)} of {name_of(metric)} with {ratio:.1f} times the steps of {baseline}"
                words = f"{gained}; extra steps alone bring {_said(alone, metric)}"
                yield Concern("extra steps", f"{factor}={choice}", f"{words} ({CONTROL if control else 'at the pace of its last steps'})")


def _longer(pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if _steps(pair[2]) > _MORE_STEPS * _steps(pair[1])]


def _drawn_out(pairs: Sequence[Pair], metric: str) -> float:
    """What the steps that the choice took beyond the baseline would bring at the pace of the baseline's last ones."""
    found = [
        gain * (_steps(other) - _steps(one)) / n_steps
        for _, one, other in pairs
        if (late := late_gain(one, metric)) is not None
        for gain, n_steps in [late]
    ]
    return fmean(found) if found else 0.0


def _gain(pairs: Sequence[Pair], metric: str) -> float:
    return fmean(other.record["metrics"]["test"][metric] - one.record["metrics"]["test"][metric] for _, one, other in pairs)


def _steps(run: Run) -> int:
    return int(run.record["budget"]["steps"])


def _said(gain: float, metric: str) -> str:
    unit = unit_of(metric)
    return f"{unit.said(gain, '+')} {unit.name}"
