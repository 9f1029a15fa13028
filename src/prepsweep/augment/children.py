"""The one way a stage makes rows out of the text of each row, in one process or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from prepsweep.lineage import add_children, table_of
from prepsweep.progress import track

if TYPE_CHECKING:
    from datasets import Dataset

TextsOf = Callable[[str, str], list[str]]


def make_children(dataset: Dataset, texts_of: TextsOf, *, stage: str, num_proc: int) -> Dataset:
    """`dataset` followed by the texts that `texts_of(uid, text)` gives for each row, as children of that row.

    `texts_of` may depend on its arguments only and must be picklable: then any order of rows and any number of
    processes give the same children.
    """
    if num_proc == 1 or len(dataset) < 1000 * num_proc:
        uids, texts = (table_of(dataset).column(name).to_pylist() for name in ("uid", "text"))
        made = [texts_of(uid, text) for uid, text in track(list(zip(uids, texts, strict=True)), stage)]
    else:
        mapped = dataset.select_columns(["uid", "text"]).map(
            partial(_texts_of_batch, texts_of),
            batched=True,
            num_proc=num_proc,
            input_columns=["uid", "text"],
            remove_columns=["uid", "text"],
            load_from_cache_file=False,
            desc=stage,
        )
        made = table_of(mapped).column("children").to_pylist()
    parents = [row for row, children in enumerate(made) for _ in children]
    return add_children(dataset, parents=parents, texts=[text for children in made for text in children], stage=stage)


def _texts_of_batch(texts_of: TextsOf, uids: Sequence[str], texts: Sequence[str]) -> dict[str, list[list[str]]]:
    return {"children": [texts_of(uid, text) for uid, text in zip(uids, texts, strict=True)]}
