"""Words of a text, and the one way a stage rewrites texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from prepsweep.lineage import table_of, with_column

if TYPE_CHECKING:
    from datasets import Dataset

# Han, kana and Hangul have no spaces between words: there a character counts as one.
_SCRIPT_WITHOUT_SPACES = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WORD = re.compile(rf"[{_SCRIPT_WITHOUT_SPACES}]|[^\W_{_SCRIPT_WITHOUT_SPACES}]+(?:['’\-][^\W_{_SCRIPT_WITHOUT_SPACES}]+)*")
TOKEN = re.compile(rf"{WORD.pattern}|\s+|.", re.DOTALL)


def words(text: str) -> list[str]:
    """Words of `text` without punctuation: "it's a well-made film" has 4; a Chinese character counts as a word."""
    return WORD.findall(text)


def pieces(text: str) -> list[str]:
    """`text` cut into words, runs of white space and single marks; joined they give `text` back."""
    return TOKEN.findall(text)


def rewrite(dataset: Dataset, function: Callable[[str], str], *, num_proc: int) -> Dataset:
    """`dataset` with `function` applied to every text; each distinct order of rows and processes gives the same."""
    if num_proc == 1 or len(dataset) < 1000 * num_proc:
        return with_column(dataset, "text", [function(text) for text in table_of(dataset).column("text").to_pylist()])
    return dataset.map(partial(_rewrite_batch, function), batched=True, num_proc=num_proc, input_columns=["text"])


def _rewrite_batch(function: Callable[[str], str], texts: Sequence[str]) -> dict[str, list[str]]:
    return {"text": [function(text) for text in texts]}
