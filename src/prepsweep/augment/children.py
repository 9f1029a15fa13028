"""The one way a stage makes rows out of the text of each row, in one process or several."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.lineage import add_children, table_of
from prepsweep.processes import Slice, over_batches, slices
from prepsweep.schema import child_uid

if TYPE_CHECKING:
    from datasets import Dataset

TextsOf = Callable[[str, str], list[str]]
# Uids and texts of some rows to the texts of their children, row by row, and how many each row has.
TextsOfBatch = Callable[[list[str], list[str]], tuple[pa.StringArray, NDArray[np.int64]]]
_BATCH = 2000


def make_children(dataset: Dataset, texts_of: TextsOf, *, stage: str, num_proc: int) -> Dataset:
    """`dataset` followed by the texts that `texts_of(uid, text)` gives for each row, as children of that row.

    `texts_of` may depend on its arguments only and must be picklable: then any order of rows and any number of
    processes give the same children.
    """
    return make_in_batches(dataset, partial(_each, texts_of), stage=stage, num_proc=num_proc)


def make_in_batches(dataset: Dataset, texts_of: TextsOfBatch, *, stage: str, num_proc: int) -> Dataset:
    """`make_children` for a `texts_of` that works on many rows at once, and must not let one tell upon another."""
    batches = slices(table_of(dataset).select(["uid", "text"]), _BATCH)
    made = over_batches(partial(_of_batch, texts_of, stage), batches, num_proc=num_proc, description=stage)
    columns = pa.concat_tables([table for table, _ in made]) if made else pa.table({"uid": pa.array([], pa.string()), "text": []})
    counts = np.concatenate([n_children for _, n_children in made]) if made else np.array([], dtype=np.int64)
    parents = np.repeat(np.arange(len(counts)), counts)
    return add_children(dataset, parents=parents, texts=columns.column("text"), stage=stage, uids=columns.column("uid"))


def _of_batch(texts_of: TextsOfBatch, stage: str, batch: Slice) -> tuple[pa.Table, NDArray[np.int64]]:
    """Uids and texts of the children of a batch, and how many each row has."""
    uids, texts = batch.lists()
    children, counts = texts_of(uids, texts)
    made = [child_uid(uid, stage, ordinal) for uid, n_made in zip(uids, counts.tolist(), strict=True) for ordinal in range(n_made)]
    return pa.table({"uid": pa.array(made, pa.string()), "text": children}), counts


def _each(texts_of: TextsOf, uids: list[str], texts: list[str]) -> tuple[pa.StringArray, NDArray[np.int64]]:
    children = [texts_of(uid, text) for uid, text in zip(uids, texts, strict=True)]
    counts = np.fromiter(map(len, children), np.int64, len(children))
    return pa.array([child for of_row in children for child in of_row], pa.string()), counts
