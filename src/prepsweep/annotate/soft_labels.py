"""Soft labels: the probabilities of the classes of a row, kept as text with the names of the classes.

`{"HAM": 0.25, "SPAM": 0.75}`, sorted by name: which classes there are, and their order, is settled only after the split.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_DIGITS = 4


def encoded(probabilities: NDArray[np.float64], classes: Sequence[str]) -> pa.Array:
    """Rows of `probabilities` (n_rows, n_classes) as text, null for a row of NaN; what is 0 to four digits is left out."""
    distinct, places = np.unique(np.round(probabilities, _DIGITS), axis=0, return_inverse=True, equal_nan=True)
    texts = [_text(row, classes) for row in distinct.tolist()]
    return pa.array(texts, pa.string()).take(pa.array(places.reshape(-1)))


def _text(row: Sequence[float], classes: Sequence[str]) -> str | None:
    if row[0] != row[0]:
        return None
    return json.dumps({name: p for name, p in sorted(zip(classes, row, strict=True)) if p}, ensure_ascii=False)


def decoded(column: pa.ChunkedArray, labels: NDArray[np.int64], classes: Sequence[str]) -> NDArray[np.float32]:
    """Probabilities (n_rows, n_classes) of the `classes` in their order, each row's sum 1; of a row that has none, 1 for its label.

    Where the label is not the most probable class, a later stage has given the row another: then it counts alone.
    """
    codes = column.combine_chunks().dictionary_encode()
    known = np.zeros((len(codes.dictionary) + 1, len(classes)), dtype=np.float32)
    for place, text in enumerate(codes.dictionary.to_pylist()):
        given = json.loads(text)
        known[place] = [given.get(name, 0.0) for name in classes]
    found: NDArray[np.float32] = known[codes.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    rows = np.arange(len(labels))
    hard = found[rows, labels] < np.maximum(found.max(axis=1), 10.0**-_DIGITS) - 2 * 10.0**-_DIGITS
    hard |= found.sum(axis=1) == 0
    found[hard] = 0.0
    found[rows[hard], labels[hard]] = 1.0
    found /= found.sum(axis=1, keepdims=True)
    return found
