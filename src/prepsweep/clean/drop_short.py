"""Rows too short to say anything leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.lineage import drop, table_of
from prepsweep.word_arrays import TEXTS_AT_ONCE, word_counts

if TYPE_CHECKING:
    from datasets import Dataset


def check(*, min_words: int) -> None:
    """Refuse a limit that drops nothing."""
    if min_words < 1:
        raise Refused("clean.drop_short.min_words", f"must be at least 1, got {min_words}", "use clean=none to drop nothing")


def drop_short(dataset: Dataset, *, min_words: int) -> Dataset:
    """Rows of fewer than `min_words` words leave with the reason `short`; a Chinese character counts as a word."""
    check(min_words=min_words)
    texts = table_of(dataset).column("text")
    parts = [word_counts(texts.slice(start, TEXTS_AT_ONCE).to_pylist()) for start in range(0, len(texts), TEXTS_AT_ONCE)]
    return drop(dataset, "short", pa.array(np.concatenate([np.empty(0, np.int64), *parts]) < min_words))
