"""One row of each text and label stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.lineage import drop, table_of

if TYPE_CHECKING:
    from datasets import Dataset

# A copy leaves from train rather than from a given dev or test file.
_KEEP_FIRST = {"test": 0, "dev": 1}


def exact_dedup(dataset: Dataset) -> Dataset:
    """Rows that repeat the text and label of another leave with the reason `duplicate`.

    Of equal rows the first stays, one of test before dev before the others. The same text under two labels is a
    conflict, not a copy: both stay.
    """
    table = table_of(dataset)
    texts, labels = (_codes(table.column(name)) for name in ("text", "label"))
    pairs = texts * (int(labels.max(initial=0)) + 1) + labels
    priority = np.array([_KEEP_FIRST.get(split, 2) for split in table.column("split").to_pylist()], dtype=np.int8)
    order = np.lexsort((np.arange(len(table)), priority))
    _, first = np.unique(pairs[order], return_index=True)
    repeats = np.ones(len(table), dtype=bool)
    repeats[order[first]] = False
    return drop(dataset, "duplicate", pa.array(repeats))


def _codes(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    codes = pc.dictionary_encode(column.combine_chunks()).indices
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)
