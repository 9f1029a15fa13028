"""The scores that `compare` can compare by: one number per test row, a name, a unit. In all of them higher is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from prepsweep.compare.pseudovalues import Values, macro_f1, per_class_f1
from prepsweep.compare.records import Run, Study
from prepsweep.compare.task_scores import (
    Counting,
    entity_f1,
    f1_by_class,
    log_likelihood,
    negative_squared_error,
    of_labels,
    of_tags,
    sample_f1,
)
from prepsweep.compare.tested import Tested
from prepsweep.errors import Refused, nearest
from prepsweep.monitors import ONE_CLASS


@dataclass(frozen=True)
class Unit:
    """What scores and effects are shown in: `factor` times the number, by name, with so many digits."""

    factor: float
    name: str
    long_name: str
    exact: str
    short: str

    def of(self, name: str) -> str:
        """The name of a score with its unit, where the name does not say it."""
        return f"{name}, {self.name}" if self is POINTS else name

    def said(self, value: float, sign: str = "") -> str:
        """A score in its unit, with a true minus sign; `sign` "+" marks effects above 0."""
        return with_minus(f"{self.factor * value:{sign}{self.short}}")


def with_minus(number: str) -> str:
    """A number as a page has it, with a true minus sign; what rounds to nothing has no sign."""
    return number.replace("-", "−") if number.strip("+-0.,") else number.strip("+-")


POINTS = Unit(100, "points", "points of 0.01", ".2f", ".1f")
NATS = Unit(1, "nats", "nats a token", ".4f", ".3f")
SQUARED = Unit(1, "squared units", "squared units of the label", ".4g", ".3g")


@dataclass(frozen=True)
class Measure:
    """A score of a run: the mean of its `values` over the test rows.

    `delta` is the difference that counts as none unless another is given, `relative` to the baseline's score or absolute.
    `gain` says in a sentence what a choice that helps does; `note` what a reader has to know.
    """

    name: str
    values: Callable[[Tested], Values]
    recorded: Callable[[Mapping[str, Any]], float | None]
    unit: Unit = POINTS
    relative: bool = False
    gain: str = "adds {size} points of {name}"
    note: str = ""


def _named(key: str) -> Callable[[Mapping[str, Any]], float | None]:
    return lambda scores: scores.get(key)


def _minus_mse(scores: Mapping[str, Any]) -> float | None:
    return -(scores["rmse"] ** 2) if "rmse" in scores else None


def _as_written(values: Callable[[Sequence[str], Sequence[str]], Values]) -> Callable[[Tested], Values]:
    return lambda rows: values(rows.texts(rows.labels), rows.texts(rows.predictions))


def _log_likelihood(rows: Tested) -> Values:
    assert rows.answers is not None, "only runs of causal_lm_sft are asked"
    return log_likelihood(*rows.answers.T)


def right(rows: Tested) -> Values:
    """1 where the prediction is the label, else 0: the class, the whole set of labels, all tags of a sentence."""
    return np.asarray(rows.labels == rows.predictions, dtype=np.float64)


MEASURES = {
    "macro_f1": Measure("macro F1", lambda rows: macro_f1(rows.labels, rows.predictions, len(rows.names)), _named("macro_f1")),
    "accuracy": Measure("accuracy", right, _named("accuracy")),
    "sample_f1": Measure("sample F1", _as_written(sample_f1), _named("sample_f1")),
    "micro_f1": Measure(
        "micro F1",
        lambda rows: entity_f1(rows.texts(rows.labels), rows.texts(rows.predictions), of_tags(rows.names)),
        _named("micro_f1"),
    ),
    "mse": Measure(
        "negative mean squared error",
        _as_written(negative_squared_error),
        _minus_mse,
        unit=SQUARED,
        relative=True,
        gain="lowers the mean squared error by {size}",
        note="Errors are shown with a minus sign, so that higher is better: an effect above 0 is an error that became smaller.",
    ),
    "log_likelihood": Measure(
        "log-likelihood of a token",
        _log_likelihood,
        _named("log_likelihood"),
        unit=NATS,
        gain="adds {size} to the log-likelihood of an answer's token",
        note="An effect of d nats divides the perplexity by exp(d): 0.01 is one percent of it.",
    ),
    "exact_match": Measure("exact match", right, _named("exact_match")),
}


@dataclass(frozen=True)
class TaskScores:
    """What a task is compared by, the default first, and what else it can be asked."""

    metrics: tuple[str, ...]
    flips: bool = True


TASKS = {
    ONE_CLASS: TaskScores(("macro_f1", "accuracy")),
    "multi_label": TaskScores(("sample_f1", "accuracy")),
    "regression": TaskScores(("mse",), flips=False),
    "token_classification": TaskScores(("micro_f1",)),
    "causal_lm_sft": TaskScores(("log_likelihood", "exact_match")),
}


def metric_of(study: Study, asked: str | None) -> str:
    """The name of the score to compare by; refuses one that the task of the study does not have, and studies that mix tasks."""
    known = TASKS[study.task].metrics
    if asked is None:
        return known[0]
    if asked not in known:
        raise Refused("--metric", f"no metric {asked!r} of task={study.task}", nearest(asked, known))
    return asked


def name_of(measure: str) -> str:
    """A score, a monitor or the `measure` of a slice, as a sentence has it."""
    return MEASURES[measure].name if measure in MEASURES else {"r2": "R²", "f1": "F1"}[measure]


def unit_of(measure: str) -> Unit:
    """What a score, or the `measure` of a slice, is shown in."""
    return MEASURES[measure].unit if measure in MEASURES else POINTS


def score(run: Run, metric: str) -> float:
    """The test score of a run, from its predictions where the record does not have it."""
    known = MEASURES[metric].recorded(run.record["metrics"]["test"]) if "metrics" in run.record else None
    return float(MEASURES[metric].values(run.tested).mean()) if known is None else float(known)


def default_delta(runs: Sequence[Run], metric: str) -> float:
    """A point of 0.01; of an error 1% of its mean over the runs, which are those of the baseline."""
    if not MEASURES[metric].relative:
        return 0.01
    return max(0.01 * abs(fmean(score(run, metric) for run in runs)), 1e-9)


def f1_of_classes(rows: Tested, classes: Sequence[str], task: str) -> Values:
    """Influence values around the F1 of each class, label or kind of entity, shape (n_rows, n_classes)."""
    if task == ONE_CLASS:
        return per_class_f1(rows.labels, rows.predictions, len(classes))
    return f1_by_class(rows.texts(rows.labels), rows.texts(rows.predictions), classes, _counting(rows, task))


def has_class(rows: Tested, classes: Sequence[str], task: str) -> Values:
    """1 where a row has the class, label or an entity of the kind, else 0, shape (n_rows, n_classes)."""
    if task == ONE_CLASS:
        return np.asarray(rows.labels[:, None] == np.arange(len(classes)), dtype=np.float64)
    counts = [_counting(rows, task)(label, label)[0] for label in rows.texts(rows.labels)]
    return np.array([[float(name in row) for name in classes] for row in counts]).reshape(len(counts), len(classes))


def _counting(rows: Tested, task: str) -> Counting:
    return of_labels if task == "multi_label" else of_tags(rows.names)
