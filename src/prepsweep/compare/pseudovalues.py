"""A score of a test set as one number per row, so that the variance of the score can be seen row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Values = NDArray[np.float64]


def macro_f1(labels: Codes, predictions: Codes, n_classes: int) -> Values:
    """Influence values around macro F1, shape (n_rows,); the mean is macro F1 itself.

    F1 of a class is 2 TP / (true + predicted). To first order a row moves it by (2 tp - F1 (t + p)) / (true + predicted),
    with t, p and tp 1 where the row is of the class, predicted as it, and both (the delta method: van der Vaart 1998,
    chapter 20). A class without a row and without a prediction has F1 0, as in scikit-learn with zero_division=0.
    """
    f1, size = _f1(labels, predictions, n_classes)
    # A row touches two classes at most, so no table of rows by classes is made; the last place is that of no class.
    share = np.append(np.divide(1.0, size, out=np.zeros(n_classes), where=size > 0), 0.0)
    loss = np.append(f1, 0.0) * share
    moves = 2.0 * (labels == predictions) * share[labels] - loss[labels] - loss[predictions]
    return np.asarray((f1.sum() + len(labels) * moves) / n_classes)


def per_class_f1(labels: Codes, predictions: Codes, n_classes: int) -> Values:
    """The same for each class, shape (n_rows, n_classes)."""
    f1, size = _f1(labels, predictions, n_classes)
    classes = np.arange(n_classes)
    true, predicted = labels[:, None] == classes, predictions[:, None] == classes
    moves = 2.0 * (true & predicted) - f1 * (true.astype(np.float64) + predicted)
    return np.asarray(f1 + len(labels) * np.divide(moves, size, out=np.zeros_like(moves), where=size > 0))


def _f1(labels: Codes, predictions: Codes, n_classes: int) -> tuple[Values, Values]:
    """F1 of each class, and how many rows are of it plus how many are predicted as it."""
    hits, true, predicted = (_counts(some, n_classes) for some in (labels[labels == predictions], labels, predictions))
    size = true + predicted
    return np.divide(2.0 * hits, size, out=np.zeros(n_classes), where=size > 0), size


def _counts(numbers: Codes, n_classes: int) -> Values:
    return np.bincount(numbers[numbers >= 0], minlength=n_classes).astype(np.float64)
