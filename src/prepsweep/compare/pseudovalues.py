"""A score of a test set as one number per row, so that the variance of the score can be seen row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Values = NDArray[np.float64]


def accuracy(labels: Codes, predictions: Codes, n_classes: int) -> Values:  # noqa: ARG001 - the signature of a metric
    """1 for each right row, else 0, shape (n_rows,); the mean is the accuracy."""
    return np.asarray(labels == predictions, dtype=np.float64)


def macro_f1(labels: Codes, predictions: Codes, n_classes: int) -> Values:
    """Influence values around macro F1, shape (n_rows,); the mean is macro F1 itself.

    F1 of a class is 2 TP / (true + predicted). To first order a row moves it by (2 tp - F1 (t + p)) / (true + predicted),
    with t, p and tp 1 where the row is of the class, predicted as it, and both (the delta method: van der Vaart 1998,
    chapter 20). A class without a row and without a prediction has F1 0, as in scikit-learn with zero_division=0.
    """
    return np.asarray(per_class_f1(labels, predictions, n_classes).mean(axis=1))


def per_class_f1(labels: Codes, predictions: Codes, n_classes: int) -> Values:
    """The same for each class, shape (n_rows, n_classes)."""
    classes = np.arange(n_classes)
    true, predicted = labels[:, None] == classes, predictions[:, None] == classes
    hit = true & predicted
    size = (true.sum(axis=0) + predicted.sum(axis=0)).astype(np.float64)
    f1 = np.divide(2.0 * hit.sum(axis=0), size, out=np.zeros(n_classes), where=size > 0)
    moves = 2.0 * hit - f1 * (true.astype(np.float64) + predicted)
    return np.asarray(f1 + len(labels) * np.divide(moves, size, out=np.zeros_like(moves), where=size > 0))


METRICS: dict[str, Callable[[Codes, Codes, int], Values]] = {"accuracy": accuracy, "macro_f1": macro_f1}


def codes(values: Sequence[str], classes: Sequence[str]) -> Codes:
    """Number of each value in `classes`; -1, which is never right, for one that is none of them."""
    number = {name: i for i, name in enumerate(classes)}
    return np.array([number.get(value, -1) for value in values], dtype=np.int64)
