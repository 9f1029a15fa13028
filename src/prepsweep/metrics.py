"""Scores of a classifier from its labels and predictions."""

from __future__ import annotations

from collections.abc import Sequence
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
    precision, recall = _ratio(hits, predicted), _ratio(hits, support)
    f1 = _ratio(2 * hits, support + predicted)
    per_class = {
        name: {"precision": float(precision[i]), "recall": float(recall[i]), "f1": float(f1[i]), "support": int(support[i])}
        for i, name in enumerate(classes)
    }
    total = max(int(support.sum()), 1)
    return {
        "accuracy": float(hits.sum() / total),
        "macro_f1": float(f1.mean()),
        "weighted_f1": float((f1 * support).sum() / total),
        "loss": loss,
        "per_class": per_class,
        "confusion": counts.tolist(),
    }


def _ratio(part: Ints, whole: Ints) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole != 0)
