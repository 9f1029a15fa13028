"""The score on dev that the runs of a task keep the best of; read from records without what computes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The task whose labels are classes; also one that is of the study's own making.
ONE_CLASS = "text_classification"
# Task → the key of its score in `metrics`, and how a sentence calls it. In all of them higher is better.
# A task that is of the study's own making needs no line here: its `monitor` stands in the record.
MONITORS = {
    ONE_CLASS: ("macro_f1", "macro F1"),
    "multi_label": ("macro_f1", "macro F1"),
    "regression": ("r2", "R²"),
    "token_classification": ("micro_f1", "micro F1"),
    "causal_lm_sft": ("log_likelihood", "log-likelihood of a token"),
}


def monitor_of(task: str) -> str:
    """The key of a task's score in `metrics`."""
    return MONITORS[task][0]


def task_of(record: Mapping[str, Any]) -> str:
    """The option of the group `task`; one that is of the study's own making has one class a text."""
    named = str(record["choices"].get("task"))
    return named if named in MONITORS else ONE_CLASS


def monitored(record: Mapping[str, Any], split: str) -> tuple[str, float]:
    """Name and value, on `val` or `test`, of the score that a finished run keeps the best of; its record says which."""
    metrics = record["metrics"]
    key = metrics["monitor"]
    return dict(MONITORS.values()).get(key, key), float(metrics[split][key])
