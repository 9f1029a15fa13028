"""The test rows of a run as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

NEEDED_COLUMNS = ("uid", "label", "prediction")
_OF_ANSWERS = ("answer_loss", "answer_tokens")
_COLUMNS = (*NEEDED_COLUMNS, "length", *_OF_ANSWERS)


@dataclass(frozen=True)
class Tested:
    """Test rows in the order of their uids, all of shape (n_rows,): labels and predictions as places in `names`, -1 for none of them.

    `names` are the classes; where a label is no class (a set, a number, tags) the distinct labels and predictions, as they
    are written. `lengths` are in tokens; None for a run that was recorded without them. `answers` are the loss of a
    conversation's answers and their number of tokens, shape (n_rows, 2); None for other tasks.
    """

    uids: pa.Array
    labels: NDArray[np.int64]
    predictions: NDArray[np.int64]
    lengths: NDArray[np.int64] | None
    names: Sequence[str]
    answers: NDArray[np.float64] | None = None

    @classmethod
    def read(cls, file: Path, classes: Sequence[str] | None) -> Tested:
        """The rows of a `predictions.parquet`; without `classes` its labels are no classes."""
        with pq.ParquetFile(file) as opened:
            there = [name for name in _COLUMNS if name in opened.schema_arrow.names]
            table = opened.read(columns=there).sort_by("uid").combine_chunks()
        sides = [table.column(name) for name in ("label", "prediction")]
        names = pc.unique(pa.chunked_array([chunk for side in sides for chunk in side.chunks])) if classes is None else classes
        known = pa.array(names, pa.string())
        labels, predictions = (_numbers(pc.fill_null(pc.index_in(side, known), -1)) for side in sides)
        lengths = _numbers(table.column("length")) if "length" in there else None
        told = set(_OF_ANSWERS) <= set(there)
        answers = np.stack([table.column(name).to_numpy().astype(np.float64) for name in _OF_ANSWERS], axis=1) if told else None
        return cls(table.column("uid").combine_chunks(), labels, predictions, lengths, known.to_pylist(), answers)

    def texts(self, numbers: NDArray[np.int64]) -> list[str]:
        """What these labels or predictions are called."""
        names = [*self.names, ""]
        return [names[number] for number in numbers.tolist()]

    def has_labels_of(self, other: Tested) -> bool:
        """Whether these rows have the same labels as the others, one by one."""
        if self.names == other.names:
            return np.array_equal(self.labels, other.labels)
        return self.texts(self.labels) == other.texts(other.labels)

    def only(self, rows: NDArray[np.bool_]) -> Tested:
        """The rows that are marked."""
        lengths = None if self.lengths is None else self.lengths[rows]
        answers = None if self.answers is None else self.answers[rows]
        return Tested(self.uids.filter(pa.array(rows)), self.labels[rows], self.predictions[rows], lengths, self.names, answers)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(column.to_numpy(), dtype=np.int64)
