"""Dev and test drawn with the class shares of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.lineage import table_of, with_column
from prepsweep.randomness import draw_by_label
from prepsweep.row_classes import share_out
from prepsweep.schema import CLASSES, UNSPLIT
from prepsweep.split.fractions import wanted_fractions

if TYPE_CHECKING:
    from datasets import Dataset


def check(*, dev_fraction: float, test_fraction: float) -> None:
    """Refuse fractions that leave nothing to train on."""
    wanted_fractions("stratified", set(), dev_fraction=dev_fraction, test_fraction=test_fraction)


def stratified(dataset: Dataset, *, seed: int, dev_fraction: float, test_fraction: float) -> Dataset:
    """Rows without a split are given one; each class has the same share in dev and in test, at least one row.

    Splits that come with the data stay, and only the missing ones are cut. A row's place depends on its uid and the
    seed, so new rows hardly move the old. Rows with several classes are shared out so that each class has its share.
    """
    table = table_of(dataset)
    splits, labels, uids = (table.column(name).to_pylist() for name in ("split", "label", "uid"))
    wanted = wanted_fractions("stratified", set(splits), dev_fraction=dev_fraction, test_fraction=test_fraction)
    if CLASSES in table.column_names:
        rows = [row for row, split in enumerate(splits) if split == UNSPLIT]
        sizes = {split: round(fraction * len(rows)) for split, fraction in wanted.items()}
        sizes["train"] = len(rows) - sum(sizes.values())
        for row, split in zip(rows, share_out(table.take(pa.array(rows, pa.int64())), sizes, seed=seed, stage="stratified"), strict=True):
            splits[row] = split
        return with_column(dataset, "split", splits)
    drawn = draw_by_label(uids, labels, seed=seed, stage="stratified")
    for label, order in drawn.items():
        order = [row for row in order if splits[row] == UNSPLIT]
        n_label = len(order)
        if 0 < n_label <= len(wanted):
            names = ", ".join(["train", *wanted])
            raise Refused(
                "split", f"class {label!r} has {n_label} rows to share among {names}", "add rows, or merge or leave out the class"
            )
        for split, fraction in wanted.items():
            n_rows = min(max(1, round(fraction * n_label)), len(order) - 1)
            for row in order[:n_rows]:
                splits[row] = split
            order = order[n_rows:]
        for row in order:
            splits[row] = "train"
    return with_column(dataset, "split", splits)
