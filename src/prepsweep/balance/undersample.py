"""Random undersampling: rows of the larger classes leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prepsweep.balance.targets import Strategy, check_strategy, sampling_targets
from prepsweep.lineage import drop, table_of
from prepsweep.randomness import draw_by_label
from prepsweep.row_classes import strata
from prepsweep.schema import LABEL_SET, ONE_CLASS, TAGS

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = (ONE_CLASS, LABEL_SET, TAGS)
_WHERE = "balance.undersample.sampling_strategy"


def check(*, sampling_strategy: Strategy) -> None:
    """Refuse a strategy that imbalanced-learn does not know."""
    check_strategy(sampling_strategy, where=_WHERE)


def undersample(dataset: Dataset, *, seed: int, sampling_strategy: Strategy) -> Dataset:
    """Each class keeps as many rows as `sampling_strategy` asks for, drawn at random; the others leave as `undersample`."""
    table = table_of(dataset)
    labels, uids = strata(table).to_pylist(), table.column("uid").to_pylist()
    targets = sampling_targets(labels, sampling_strategy, where=_WHERE, kind="under-sampling")
    drawn = draw_by_label(uids, labels, seed=seed, stage="undersample")
    leaves = [False] * len(labels)
    for label, n_kept in targets.items():
        for row in drawn[label][n_kept:]:
            leaves[row] = True
    return drop(dataset, "undersample", leaves)
