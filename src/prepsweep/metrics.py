"""Scores of a model from its labels and predictions, and the table of them that a run ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def confusion(labels: Ints, predictions: Ints, n_classes: int) -> Ints:
    """Counts of shape (n_classes, n_classes): row = true class, column = predicted class."""
    counts = np.bincount(labels * n_classes + predictions, minlength=n_classes * n_classes)
    return counts.reshape(n_classes, n_classes).astype(np.int64)


def scores(labels: Ints, predictions: Ints, *, classes: Sequence[str], loss: float) -> dict[str, Any]:
    """`accuracy, macro_f1, weighted_f1, loss`, the confusion matrix, and `per_class` precision, recall, f1, support.

    A class that is never predicted has precision and F1 of 0, as in scikit-learn with `zero_division=0`. Macro F1 is
    the plain mean over all classes of the task.
    """
    counts = confusion(labels, predictions, len(classes))
    hits, support, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    f1 = _ratio(2 * hits, support + predicted)
    total = max(int(support.sum()), 1)
    return {
        "accuracy": float(hits.sum() / total),
        "macro_f1": float(f1.mean()),
        "weighted_f1": float((f1 * support).sum() / total),
        "loss": loss,
        "per_class": per_class(classes, hits, support=support, predicted=predicted),
        "confusion": counts.tolist(),
    }


def averages(hits: Ints, *, support: Ints, predicted: Ints) -> dict[str, float]:
    """`macro_f1`, `micro_f1` and `weighted_f1` over classes of which a row may have any number; 0 where there is nothing."""
    f1 = _ratio(2 * hits, support + predicted)
    return {
        "macro_f1": float(f1.mean()) if len(f1) else 0.0,
        "micro_f1": float(2 * hits.sum() / max(support.sum() + predicted.sum(), 1)),
        "weighted_f1": float((f1 * support).sum() / max(support.sum(), 1)),
    }


def per_class(names: Sequence[str], hits: Ints, *, support: Ints, predicted: Ints) -> dict[str, dict[str, float]]:
    """`precision`, `recall`, `f1` and `support` of each class, from how many are right, true and predicted."""
    precision, recall, f1 = _ratio(hits, predicted), _ratio(hits, support), _ratio(2 * hits, support + predicted)
    return {
        name: {"precision": float(precision[i]), "recall": float(recall[i]), "f1": float(f1[i]), "support": int(support[i])}
        for i, name in enumerate(names)
    }


def class_table(test: Mapping[str, Any], *, averages: Sequence[str]) -> str:
    """Each class in the columns of scikit-learn's `classification_report`, then the scores named in `averages`."""
    cells = test["per_class"]
    width = max(map(len, [*cells, *averages]), default=0)
    lines = [" " * width + "".join(f"{name:>10}" for name in ("precision", "recall", "f1-score", "support")), ""]
    for name, cell in cells.items():
        lines.append(f"{name:>{width}}" + "".join(f"{cell[key]:10.3f}" for key in ("precision", "recall", "f1")) + f"{cell['support']:10}")
    return "\n".join([*lines, "", *(f"{name:>{width}}{test[name]:30.3f}" for name in averages)])


def _ratio(part: Ints, whole: Ints) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole != 0)
