"""States of the rows that `balance=embedding_smote` made: points between the states of two texts of a class."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prepsweep.datamodule import TokenRows
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.padded import Lists
from prepsweep.schema import SMOTE_NEIGHBOR, SMOTE_SHARE

_WHERE = "balance.embedding_smote"


def place_between(rows: TokenRows, dataset: Any) -> None:
    """Give each made row of `rows`, the windows of `dataset`, a state of its own: start + share * (neighbour - start).

    `start` is its parent's state, which it has until now. Neighbours are the other states of the class, by Euclidean distance as
    in imbalanced-learn, but a copy of a row is no neighbour of it, nor is another made row. Real rows keep their states.
    """
    table = table_of(dataset)
    if SMOTE_SHARE not in table.column_names:
        return
    states = rows.states
    if states is None:
        what = "the encoder's states, between which it makes points, are not stored: it learns, or there is no room for them on the disk"
        raise Refused(_WHERE, what, "use method=head with a plain encoder, or balance=oversample")
    shares = table.column(SMOTE_SHARE).to_numpy()[rows.row_of]
    ranks = table.column(SMOTE_NEIGHBOR).fill_null(0).to_numpy()[rows.row_of]
    made, labels = ~np.isnan(shares), rows.labels[rows.row_of]
    points = np.empty((len(made), states.width), dtype=np.float16)
    for label in np.unique(labels[made]):
        of_class = np.flatnonzero(labels == label)
        found = states.padded(of_class)
        if found.shape[1] > 1:
            raise Refused(_WHERE, "the model's head reads the states of all tokens, and texts differ in length", "use balance=oversample")
        distinct, which = np.unique(found[:, 0].astype(np.float32), axis=0, return_inverse=True)
        own, which = of_class[made[of_class]], which.reshape(-1)[made[of_class]]
        starts, ends = distinct[which], distinct[_neighbors(distinct, which, ranks[own])]
        points[own] = starts + shares[own, None] * (ends - starts)
    lists = Lists(np.arange(len(points) + 1) * states.width, points.ravel())
    entries, places = np.where(made, len(states.lists), states.entries), np.where(made, np.arange(len(points)), states.places)
    rows.states = replace(states, lists=[*states.lists, lists], entries=entries, places=places)


def _neighbors(points: NDArray[np.float32], starts: NDArray[np.intp], ranks: NDArray[np.int32]) -> NDArray[np.intp]:
    """Place of the rank-th nearest other point of each of `starts`; the last one where there are not so many, of a single point itself."""
    from sklearn.neighbors import NearestNeighbors

    n_near = min(int(ranks.max()) + 2, len(points))
    near = NearestNeighbors(n_neighbors=n_near, algorithm="brute").fit(points).kneighbors(points, return_distance=False)
    found: NDArray[np.intp] = near[starts, np.minimum(ranks + 1, n_near - 1)]
    return found
