"""Words of a text, and the one way a stage goes over all texts: to rewrite them, or to find something out about each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from prepsweep.lineage import table_of, with_column
from prepsweep.processes import over_batches

if TYPE_CHECKING:
    from datasets import Dataset

# Texts to values by name, one each per text: what `per_text` spreads over processes.
OfTexts = Callable[[Sequence[str]], Mapping[str, Sequence[Any]]]
_BATCH = 2000

# Han, kana and Hangul have no spaces between words: there a character counts as one.
_SCRIPT_WITHOUT_SPACES = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# The parts of a word, apart so that `word_arrays` is made of the same.
ALONE = f"[{_SCRIPT_WITHOUT_SPACES}]"
IN_WORD = rf"[^\W_{_SCRIPT_WITHOUT_SPACES}]"
JOINERS = r"['’\-]"
WORD = re.compile(rf"{ALONE}|{IN_WORD}+(?:{JOINERS}{IN_WORD}+)*")
TOKEN = re.compile(rf"{WORD.pattern}|\s+|.", re.DOTALL)


def words(text: str) -> list[str]:
    """Words of `text` without punctuation: "it's a well-made film" has 4; a Chinese character counts as a word."""
    return WORD.findall(text)


def pieces(text: str) -> list[str]:
    """`text` cut into words, runs of white space and single marks; joined they give `text` back."""
    return TOKEN.findall(text)


def rewrite(dataset: Dataset, function: Callable[[str], str], *, num_proc: int) -> Dataset:
    """`dataset` with `function` applied to every text; each distinct order of rows and processes gives the same."""
    return with_column(dataset, "text", per_text(dataset, partial(_rewritten, function), num_proc=num_proc).column("text"))


def per_text(dataset: Dataset, function: OfTexts, *, num_proc: int) -> pa.Table:
    """What `function` says about each text, as a table with a row per row of `dataset` and a column per name.

    `function` gets batches of texts and must judge each by itself, so that any order and number of processes give the
    same. It must be picklable, and each column of one type throughout; a rewriting stage that also counts gives the
    new text beside one column of numbers for each thing that it counts.
    """
    texts = table_of(dataset).column("text").to_pylist()
    batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)] or [[]]
    found = over_batches(partial(_of_batch, function), batches, num_proc=num_proc, description="texts")
    return pa.concat_tables(found, promote_options="permissive")


def _of_batch(function: OfTexts, texts: Sequence[str]) -> pa.Table:
    return pa.table(dict(function(texts)))


def _rewritten(function: Callable[[str], str], texts: Sequence[str]) -> dict[str, list[str]]:
    return {"text": [function(text) for text in texts]}
