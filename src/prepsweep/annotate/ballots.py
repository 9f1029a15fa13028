"""Votes of several voters on rows: who voted on which row for which class, and how the voters fare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ballots:
    """Vote i is that of voter `voters[i]` on row `rows[i]` for class `codes[i]`; sorted by row, no vote is no entry.

    `weights` (n_rows,) says for how many rows each row stands.
    """

    rows: Ints
    voters: Ints
    codes: Ints
    weights: Floats
    names: Sequence[str]
    classes: Sequence[str]

    @property
    def n_rows(self) -> int:
        return len(self.weights)

    def counts(self) -> Floats:
        """Votes of each row for each class, (n_rows, n_classes)."""
        cells = np.bincount(self.rows * len(self.classes) + self.codes, minlength=self.n_rows * len(self.classes))
        return cells.reshape(self.n_rows, len(self.classes)).astype(np.float64)

    def compact(self) -> tuple[Ballots, Ints]:
        """Each pattern of votes once, standing for its rows, and the pattern of each row: ten rules make few of them."""
        matrix = np.full((self.n_rows, len(self.names)), -1, dtype=np.int16)
        matrix[self.rows, self.voters] = self.codes
        # As raw bytes, which sort ten times as fast as rows of numbers.
        keys = np.ascontiguousarray(matrix).view(np.dtype((np.void, matrix.dtype.itemsize * matrix.shape[1]))).reshape(-1)
        _, first, places = np.unique(keys, return_index=True, return_inverse=True)
        weights = np.bincount(places, weights=self.weights, minlength=len(first)).astype(np.float64)
        return ballots_of(matrix[first].astype(np.int64), self.names, self.classes, weights), places


def ballots_of(matrix: Ints, names: Sequence[str], classes: Sequence[str], weights: Floats | None = None) -> Ballots:
    """Ballots from class numbers (n_rows, n_voters), -1 for no vote."""
    rows, voters = np.nonzero(matrix >= 0)
    counted = np.ones(len(matrix)) if weights is None else weights
    return Ballots(rows, voters, matrix[rows, voters], counted, names, classes)


def coded(columns: Sequence[pa.Array | pa.ChunkedArray]) -> tuple[Ints, list[str]]:
    """Columns of class names, null for no vote, as class numbers (n_rows, n_columns), and the classes, sorted."""
    arrays = [column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column for column in columns]
    classes = sorted({name for array in arrays for name in pc.unique(array).to_pylist() if name is not None})
    known = pa.array(classes, pa.string())
    codes = [pc.index_in(array, known, skip_nulls=True).fill_null(-1).to_numpy(zero_copy_only=False) for array in arrays]
    return np.stack(codes, axis=1).astype(np.int64), classes


def quality(ballots: Ballots, gold: pa.ChunkedArray) -> dict[str, dict[str, Any]]:
    """What each voter does: shares of all rows, and `accuracy` of its votes on rows with a gold label (None without any).

    `coverage`: it votes. `overlaps`: another does too. `conflicts`: another votes for another class. Ratner et al. 2017
    (arXiv:1711.10160), as Snorkel prints them.
    """
    n_voters, n_rows = len(ballots.names), max(ballots.n_rows, 1)
    counts = ballots.counts()
    n_votes, same = counts.sum(axis=1)[ballots.rows], counts[ballots.rows, ballots.codes]
    truth = pc.index_in(gold, pa.array(ballots.classes, pa.string())).fill_null(-1).to_numpy()[ballots.rows]
    judged = pc.is_valid(gold).to_numpy()[ballots.rows]

    def of_voters(mask: NDArray[np.bool_]) -> Floats:
        return np.bincount(ballots.voters[mask], minlength=n_voters).astype(np.float64)

    everything = np.ones(len(ballots.rows), dtype=bool)
    shares = {"coverage": everything, "overlaps": n_votes > 1, "conflicts": same < n_votes}
    table = {name: (of_voters(mask) / n_rows).round(4).tolist() for name, mask in shares.items()}
    n_judged = of_voters(judged)
    right = of_voters(judged & (truth == ballots.codes))
    accuracy = [round(float(a / b), 4) if b else None for a, b in zip(right, n_judged, strict=True)]
    return {
        name: {column: values[place] for column, values in table.items()} | {"accuracy": accuracy[place], "n_gold": int(n_judged[place])}
        for place, name in enumerate(ballots.names)
    }
