"""One row of each text and label stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prepsweep.clean.clusters import codes_of, priority_of
from prepsweep.lineage import drop, table_of
from prepsweep.schema import ALL_KINDS
from prepsweep.text import whole_texts

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = ALL_KINDS


def exact_dedup(dataset: Dataset) -> Dataset:
    """Rows that repeat the text (both texts of a pair) and label of another leave with the reason `duplicate`.

    Of equal rows the first stays, one of test before dev before the others. The same text under two labels is a
    conflict, not a copy: both stay.
    """
    table = table_of(dataset)
    texts, labels = codes_of(whole_texts(table)), codes_of(table.column("label"))
    pairs = texts * (int(labels.max(initial=0)) + 1) + labels
    order = np.argsort(priority_of(table), kind="stable")
    _, first = np.unique(pairs[order], return_index=True)
    repeats = np.ones(len(table), dtype=bool)
    repeats[order[first]] = False
    return drop(dataset, "duplicate", pa.array(repeats))
