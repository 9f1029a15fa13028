"""Small augmentations for the tests of the wrappers; importable, as a stage is."""

from __future__ import annotations

import pyarrow as pa
from datasets import Dataset

from prepsweep.lineage import Result, add_children, drop, table_of
from prepsweep.randomness import row_rng


def shout(dataset: Dataset, *, seed: int, n_copies: int) -> Result:
    """`n_copies` children per row, the text and a number drawn for the row; evidence names every child."""
    table = table_of(dataset)
    uids, texts = (table.column(name).to_pylist() for name in ("uid", "text"))
    parents = [row for row in range(len(uids)) for _ in range(n_copies)]
    draws = [row_rng(seed, "shout", uid) for uid in uids]
    made = [f"{texts[row]} {draws[row].random():.9f}" if "mute" not in texts[row] else texts[row] for row in parents]
    rows = add_children(dataset, parents=parents, texts=made, stage="shout")
    children = table_of(rows).slice(len(dataset))
    return Result(rows, {"rows": len(uids)}, pa.table({"uid": children.column("uid"), "parent_uid": children.column("parent_uid")}))


def same(dataset: Dataset, *, text: str) -> Dataset:
    """One child per row, all of one text."""
    return add_children(dataset, parents=range(len(dataset)), texts=[text] * len(dataset), stage="same")


def classes(dataset: Dataset) -> Dataset:
    """One child per row: the names of all classes that the stage was shown."""
    seen = " ".join(sorted(set(table_of(dataset).column("label").to_pylist())))
    return add_children(dataset, parents=range(len(dataset)), texts=[seen] * len(dataset), stage="classes")


def eat(dataset: Dataset) -> Dataset:
    """An augmentation that does what it may not: it drops the rows that it was given."""
    return drop(dataset, "eaten", [True] * len(dataset))
