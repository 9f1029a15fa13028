"""The one way a stage makes rows out of the text of each row, in one process or several."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prepsweep.lineage import add_children, table_of
from prepsweep.processes import over_batches
from prepsweep.schema import child_uid

if TYPE_CHECKING:
    from datasets import Dataset

TextsOf = Callable[[str, str], list[str]]
_BATCH = 2000


def make_children(dataset: Dataset, texts_of: TextsOf, *, stage: str, num_proc: int) -> Dataset:
    """`dataset` followed by the texts that `texts_of(uid, text)` gives for each row, as children of that row.

    `texts_of` may depend on its arguments only and must be picklable: then any order of rows and any number of
    processes give the same children.
    """
    uids, texts = (table_of(dataset).column(name).to_pylist() for name in ("uid", "text"))
    batches = [(uids[start : start + _BATCH], texts[start : start + _BATCH]) for start in range(0, len(uids), _BATCH)]
    made = over_batches(partial(_of_batch, texts_of, stage), batches, num_proc=num_proc, description=stage)
    columns = pa.concat_tables([table for table, _ in made]) if made else pa.table({"uid": pa.array([], pa.string()), "text": []})
    counts = np.concatenate([n_children for _, n_children in made]) if made else np.array([], dtype=np.int64)
    parents = np.repeat(np.arange(len(counts)), counts)
    return add_children(dataset, parents=parents, texts=columns.column("text"), stage=stage, uids=columns.column("uid"))


def _of_batch(
    texts_of: TextsOf, stage: str, batch: tuple[list[str], list[str]]
) -> tuple[pa.Table, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Uids and texts of the children of a batch, and how many each row has."""
    children = [texts_of(uid, text) for uid, text in zip(*batch, strict=True)]
    uids = [child_uid(uid, stage, ordinal) for uid, texts in zip(batch[0], children, strict=True) for ordinal in range(len(texts))]
    columns = {"uid": pa.array(uids, pa.string()), "text": pa.array([text for texts in children for text in texts], pa.string())}
    return pa.table(columns), np.array([len(texts) for texts in children], dtype=np.int64)
