"""Rows too short to say anything leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.lineage import drop, table_of
from prepsweep.schema import ALL_KINDS, text_columns
from prepsweep.word_arrays import TEXTS_AT_ONCE, word_counts

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = ALL_KINDS


def check(*, min_words: int) -> None:
    """Refuse a limit that drops nothing."""
    if min_words < 1:
        raise Refused("clean.drop_short.min_words", f"must be at least 1, got {min_words}", "use clean=none to drop nothing")


def drop_short(dataset: Dataset, *, min_words: int) -> Dataset:
    """Rows of fewer than `min_words` words leave with the reason `short`; a Chinese character counts as a word.

    The words of a pair of texts are counted together: "yes" is a full answer to a long question.
    """
    check(min_words=min_words)
    table = table_of(dataset)
    n_words = np.zeros(len(table), dtype=np.int64)
    for name in text_columns(table.column_names):
        for start in range(0, len(table), TEXTS_AT_ONCE):
            texts = table.column(name).slice(start, TEXTS_AT_ONCE).to_pylist()
            n_words[start : start + TEXTS_AT_ONCE] += word_counts(texts)
    return drop(dataset, "short", pa.array(n_words < min_words))
