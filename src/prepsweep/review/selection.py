"""Which rows are worth an expert's minute: what there is to learn from each, and how unlike the others it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REASONS = ("the votes disagree", "the label is doubtful", "the model is unsure")
_CANDIDATES_PER_ROW = 5
_MAX_SPREAD = 5000

Floats = NDArray[np.float64]


def margins(probabilities: Floats) -> Floats:
    """How far the most likely class of each row leads the next, shape (n,): 0 where the model cannot tell them apart."""
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.asarray(top[:, 1] - top[:, 0])


def priorities(probabilities: Floats, given: NDArray[np.intp], disagreement: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """How much there is to learn from each row, from 0 to 1, and which of `REASONS` says so; a tie goes to the first.

    Three things are asked: how far the votes disagree (`disagreement`), how much more likely another class is than the
    given one, and how small the margin is. Each says of a row which fraction of the rows has less of it, and the most
    counts: so the queue holds some of each, however flat the probabilities are. They come from a model that has not seen
    the row; a row of zeros is one that no model could judge.
    """
    doubt = probabilities.max(axis=1) - probabilities[np.arange(len(given)), given]
    unsure = np.where(probabilities.any(axis=1), 1 - margins(probabilities), 0)
    said = np.stack([_share_below(values.round(5)) for values in (disagreement, doubt, unsure)])
    return said.max(axis=0), said.argmax(axis=0)


def _share_below(values: Floats) -> Floats:
    """For each value the fraction of the others that are lower."""
    return np.asarray(np.searchsorted(np.sort(values), values) / max(len(values) - 1, 1))


def spread(scores: Floats, vectors: NDArray[np.float32], n_rows: int) -> NDArray[np.intp]:
    """Places of `n_rows` rows with high scores that are unlike each other, most wanted first; ties go to the lower place.

    Of the rows with the highest scores, five for each that is wanted, one is taken after another: the highest product of
    score and cosine distance to the nearest that was taken. To filter by score before rows are spread is Zhdanov 2019
    (arXiv:1901.05954), the greedy walk is that of Sener & Savarese 2018 (arXiv:1708.00489). Any first part of the result
    is the result for that many rows of the same candidates. After 5,000 rows the score alone decides.
    """
    by_score = np.argsort(-scores, kind="stable")
    candidates = np.sort(by_score[: _CANDIDATES_PER_ROW * n_rows])
    some, nearest, is_taken = vectors[candidates], np.ones(len(candidates)), np.zeros(len(candidates), dtype=bool)
    taken: list[int] = []
    for _ in range(min(n_rows, len(candidates), _MAX_SPREAD)):
        place = int(np.where(is_taken, -1, scores[candidates] * nearest).argmax())
        is_taken[place] = True
        taken.append(int(candidates[place]))
        # Rounded, so that no last bit decides.
        nearest = np.minimum(nearest, (1 - some @ some[place]).astype(np.float64).clip(0, 1).round(5))
    rest = by_score[~np.isin(by_score, taken)]
    return np.asarray([*taken, *rest[: max(n_rows - len(taken), 0)]], dtype=np.intp)
