"""Probabilities of the classes of every row by a model that has not seen the row."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prepsweep.progress import track

LEFT_OUT = -1


def fold_of_rows(codes: NDArray[np.intp], groups: Sequence[str] | None, *, n_folds: int) -> NDArray[np.intp]:
    """Fold of each row, classes spread evenly, a group whole; `LEFT_OUT` for rows of a class that is too small.

    A class is too small with fewer rows, or groups, than folds, or where all its rows fell into one fold: then some model
    would be asked about a class that it was never shown. Nothing is drawn: the order of the rows decides.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    folds = np.full(len(codes), LEFT_OUT, dtype=np.intp)
    names = np.arange(len(codes)) if groups is None else np.unique(np.asarray(groups, dtype=object), return_inverse=True)[1]
    large = [code for code in np.unique(codes) if len(np.unique(names[codes == code])) >= n_folds]
    rows = np.flatnonzero(np.isin(codes, large))
    if len(large) < 2:
        return folds
    splitter = StratifiedKFold(n_folds) if groups is None else StratifiedGroupKFold(n_folds)
    among = None if groups is None else names[rows]
    for fold, (_, held_out) in enumerate(splitter.split(rows, codes[rows], among)):
        folds[rows[held_out]] = fold
    for code in large:
        if len(np.unique(folds[codes == code])) == 1:
            folds[codes == code] = LEFT_OUT
    return folds


def cross_fitted(vectors: NDArray[np.float32], codes: NDArray[np.intp], folds: NDArray[np.intp], *, penalty: float) -> NDArray[np.float64]:
    """Class probabilities of each row, shape (n, classes), by the logistic regression that was fitted without its fold.

    `codes` count the classes from 0, and each class is in at least two folds. `penalty` is that on the squared
    coefficients, 1 / C of scikit-learn: high enough, and the model does not learn the wrong labels by heart.
    """
    found = np.zeros((len(codes), int(codes.max()) + 1))
    for fold in track(np.unique(folds).tolist(), "fitting without each fold"):
        held_out = folds == fold
        found[held_out] = fitted(vectors[~held_out], codes[~held_out], vectors[held_out], penalty=penalty)
    return found


def fitted(vectors: NDArray[np.float32], codes: NDArray[np.intp], others: NDArray[np.float32], *, penalty: float) -> NDArray[np.float64]:
    """Probabilities of the classes in `codes` for the rows of `others`, by a logistic regression on `vectors`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    # One thread: the same bits whatever the machine has, and ten times as fast where another program uses its cores.
    with threadpool_limits(1), warnings.catch_warnings():
        # A fit that has not come to rest in 1,000 steps is near enough: what counts is the order of the probabilities.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=1 / penalty, max_iter=1000).fit(vectors, codes)
        return np.asarray(model.predict_proba(others))
