"""Words of a text, and the one way a stage goes over all texts: to rewrite them, or to find something out about each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.lineage import table_of, with_column
from prepsweep.processes import Slice, over_batches, slices
from prepsweep.schema import text_columns

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
MARK = r"[^\w\s]"
WORD = re.compile(rf"{ALONE}|{IN_WORD}+(?:{JOINERS}{IN_WORD}+)*")
TOKEN = re.compile(rf"{WORD.pattern}|\s+|.", re.DOTALL)


def words(text: str) -> list[str]:
    """Words of `text` without punctuation: "it's a well-made film" has 4; a Chinese character counts as a word."""
    return WORD.findall(text)


def pieces(text: str) -> list[str]:
    """`text` cut into words, runs of white space and single marks; joined they give `text` back."""
    return TOKEN.findall(text)


def whole_texts(table: pa.Table) -> pa.ChunkedArray:
    """One string for each row that tells its text, or its pair of texts, from any other."""
    return as_one([table.column(name) for name in text_columns(table.column_names)])


def as_one(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """One string for each row, equal for two rows where they are equal in all of `columns`, one or two; one column stays as it is."""
    if len(columns) == 1:
        return columns[0]
    one, other = columns
    # The length says where the first ends, whatever the two hold.
    return pc.binary_join_element_wise(pc.utf8_length(one).cast(pa.string()), one, other, ":")


def rewrite(dataset: Dataset, function: Callable[[str], str], *, num_proc: int) -> Dataset:
    """`dataset` with `function` applied to every text, both of a pair; each order of rows and processes gives the same."""
    return with_texts(dataset, per_text_column(dataset, partial(_rewritten, function), num_proc=num_proc))


def with_texts(dataset: Dataset, found: Mapping[str, pa.Table]) -> Dataset:
    """`dataset` with each column of texts as the column `text` of what `per_text_column` found about it."""
    for name, of_column in found.items():
        dataset = with_column(dataset, name, of_column.column("text"))
    return dataset


def per_text_column(dataset: Dataset, function: OfTexts, *, num_proc: int) -> dict[str, pa.Table]:
    """`per_text` for each column of texts: `text`, and `text_pair` where the rows are pairs."""
    names = text_columns(dataset.column_names)
    return {name: per_text(dataset, function, column=name, num_proc=num_proc) for name in names}


def per_text(dataset: Dataset, function: OfTexts, *, num_proc: int, column: str = "text") -> pa.Table:
    """What `function` says about each text of `column`, as a table with a row per row of `dataset` and a column per name.

    `function` gets batches of texts and must judge each by itself, so that any order and number of processes give the
    same. It must be picklable, and each column of one type throughout; a rewriting stage that also counts gives the
    new text beside one column of numbers for each thing that it counts.
    """
    texts = table_of(dataset).select([column])
    batches = slices(texts, _BATCH) or [Slice(texts)]
    found = over_batches(partial(_of_batch, function), batches, num_proc=num_proc, description="texts")
    return pa.concat_tables(found, promote_options="permissive")


def _of_batch(function: OfTexts, batch: Slice) -> pa.Table:
    (texts,) = batch.lists()
    return pa.table(dict(function(texts)))


def _rewritten(function: Callable[[str], str], texts: Sequence[str]) -> dict[str, list[str]]:
    return {"text": [function(text) for text in texts]}
