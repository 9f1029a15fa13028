"""A ceiling on the size of every class: few-shot studies, and classes that are far too large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prepsweep.errors import Refused
from prepsweep.lineage import drop, table_of
from prepsweep.randomness import draw_by_label
from prepsweep.row_classes import strata
from prepsweep.schema import LABEL_SET, ONE_CLASS, TAGS

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = (ONE_CLASS, LABEL_SET, TAGS)


def check(*, n_rows: int) -> None:
    """Refuse a cap that leaves nothing."""
    if n_rows < 1:
        raise Refused("balance.cap_per_class.n_rows", f"must be at least 1, got {n_rows}", "use balance=none for no cap")


def cap_per_class(dataset: Dataset, *, seed: int, n_rows: int) -> Dataset:
    """At most `n_rows` rows of each class stay, drawn at random; the others leave as `cap_per_class`.

    A larger cap keeps the rows of a smaller one with the same seed, so that learning curves are nested.
    """
    check(n_rows=n_rows)
    table = table_of(dataset)
    labels, uids = strata(table).to_pylist(), table.column("uid").to_pylist()
    leaves = [False] * len(labels)
    for rows in draw_by_label(uids, labels, seed=seed, stage="cap_per_class").values():
        for row in rows[n_rows:]:
            leaves[row] = True
    return drop(dataset, "cap_per_class", leaves)
