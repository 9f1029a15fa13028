"""Rows too short to say anything leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prepsweep.errors import Refused
from prepsweep.lineage import drop, table_of
from prepsweep.text import words

if TYPE_CHECKING:
    from datasets import Dataset


def check(*, min_words: int) -> None:
    """Refuse a limit that drops nothing."""
    if min_words < 1:
        raise Refused("clean.drop_short.min_words", f"must be at least 1, got {min_words}", "use clean=none to drop nothing")


def drop_short(dataset: Dataset, *, min_words: int) -> Dataset:
    """Rows of fewer than `min_words` words leave with the reason `short`; a Chinese character counts as a word."""
    check(min_words=min_words)
    texts = table_of(dataset).column("text").to_pylist()
    return drop(dataset, "short", [len(words(text)) < min_words for text in texts])
