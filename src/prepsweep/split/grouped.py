"""Dev and test drawn by group: one author's, patient's or film's rows never cross a split."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prepsweep.errors import Refused, nearest
from prepsweep.lineage import table_of, with_column
from prepsweep.randomness import draw_order
from prepsweep.row_classes import by_class
from prepsweep.schema import CLASSES, UNSPLIT
from prepsweep.split.fractions import wanted_fractions

if TYPE_CHECKING:
    from datasets import Dataset


def check(*, dev_fraction: float, test_fraction: float, **_: object) -> None:
    """Refuse fractions that leave nothing to train on."""
    wanted_fractions("grouped", set(), dev_fraction=dev_fraction, test_fraction=test_fraction)


def grouped(dataset: Dataset, *, seed: int, group_column: str, dev_fraction: float, test_fraction: float) -> Dataset:
    """Rows without a split are given one, all rows of a group the same; class shares as near to the whole as groups allow.

    Groups go, largest first, to the split that is furthest from the class counts that it should have (the greedy rule
    of scikit-learn's StratifiedGroupKFold). Given splits stay; a group that is in one of them and also among the rows
    to be split is refused.
    """
    table = table_of(dataset)
    if group_column not in table.column_names:
        raise Refused("split.grouped.group_column", f"the data has no column {group_column!r}", nearest(group_column, table.column_names))
    groups, splits = (table.column(name).to_pylist() for name in (group_column, "split"))
    wanted = wanted_fractions("grouped", set(splits), dev_fraction=dev_fraction, test_fraction=test_fraction)
    _refuse_crossing(groups, splits)
    rows = [row for row, split in enumerate(splits) if split == UNSPLIT]
    counted = by_class(table.take(pa.array(rows, pa.int64())))
    place = _assign([str(group) for group in counted.column(group_column).to_pylist()], counted.column("label").to_pylist(), wanted, seed)
    for row in rows:
        splits[row] = place[str(groups[row])]
    labels = table.column("label").to_pylist()
    for split in ("train", *wanted) if CLASSES not in table.column_names else ():
        absent = sorted(set(labels) - {label for label, where in zip(labels, splits, strict=True) if where == split})
        if absent and rows:
            raise Refused("split", f"class {absent[0]!r} has no group left for {split}", "use split=stratified, or larger fractions")
    return with_column(dataset, "split", splits)


def _refuse_crossing(groups: list[object], splits: list[str]) -> None:
    place: dict[object, str] = {}
    for group, split in zip(groups, splits, strict=True):
        if place.setdefault(group, split) != split:
            names = " and ".join(sorted(name or "the rows to be split" for name in (place[group], split)))
            raise Refused("split", f"group {group!r} is in {names}", "keep all rows of a group in one file")


def _assign(groups: list[str], labels: list[str], wanted: dict[str, float], seed: int) -> dict[str, str]:
    names, classes = sorted(set(groups)), sorted(set(labels))
    counts = np.zeros((len(names), len(classes)))
    index = {name: row for row, name in enumerate(names)}
    for (group, label), n_rows in Counter(zip(groups, labels, strict=True)).items():
        counts[index[group], classes.index(label)] = n_rows
    fractions = {"train": 1 - sum(wanted.values())} | wanted
    missing = np.outer(list(fractions.values()), counts.sum(axis=0))
    total = counts.sum(axis=0)
    order = draw_order(names, seed=seed, stage="grouped")
    place = {}
    for group in order[np.argsort(-counts[order].sum(axis=1), kind="stable")]:
        # Lack of each split, in shares of what it should have, weighted by the classes that the group brings.
        need = (missing / (np.outer(list(fractions.values()), total))) @ counts[group]
        split = int(np.argmax(need))
        missing[split] -= counts[group]
        place[names[group]] = list(fractions)[split]
    return place
