"""Random oversampling: copies of rows of the smaller classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prepsweep.balance.targets import Strategy, check_strategy, sampling_targets
from prepsweep.lineage import add_children, table_of
from prepsweep.randomness import draw_by_label

if TYPE_CHECKING:
    from datasets import Dataset


_WHERE = "balance.oversample.sampling_strategy"


def check(*, sampling_strategy: Strategy) -> None:
    """Refuse a strategy that imbalanced-learn does not know."""
    check_strategy(sampling_strategy, where=_WHERE)


def oversample(dataset: Dataset, *, seed: int, sampling_strategy: Strategy) -> Dataset:
    """The rows and copies of some, until every class has the size that `sampling_strategy` asks for.

    Rows are copied in turn in a random order, so no row is copied twice before each was once: the spread that drawing
    with replacement adds is left out.
    """
    labels, uids = (table_of(dataset).column(name).to_pylist() for name in ("label", "uid"))
    targets = sampling_targets(labels, sampling_strategy, where=_WHERE, kind="over-sampling")
    drawn = draw_by_label(uids, labels, seed=seed, stage="oversample")
    parents = [rows[place % len(rows)] for label, rows in drawn.items() for place in range(targets.get(label, 0))]
    return add_children(dataset, parents=parents, texts=None, stage="oversample")
