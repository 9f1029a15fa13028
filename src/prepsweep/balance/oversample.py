"""Random oversampling: copies of rows of the smaller classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prepsweep.balance.targets import Strategy, check_strategy, sampling_targets
from prepsweep.errors import Refused
from prepsweep.lineage import add_children, table_of
from prepsweep.randomness import draw_by_label
from prepsweep.row_classes import strata
from prepsweep.schema import LABEL_SET, ONE_CLASS, TAGS

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = (ONE_CLASS, LABEL_SET, TAGS)
_WHERE = "balance.oversample.sampling_strategy"
# Of each row so many copies: what asks for more is a mistake, mostly of many rare sets of labels.
_MOST = 100


def check(*, sampling_strategy: Strategy) -> None:
    """Refuse a strategy that imbalanced-learn does not know."""
    check_strategy(sampling_strategy, where=_WHERE)


def oversample(dataset: Dataset, *, seed: int, sampling_strategy: Strategy) -> Dataset:
    """The rows and copies of some, until every class has the size that `sampling_strategy` asks for.

    Rows are copied in turn in a random order, so no row is copied twice before each was once: the spread that drawing
    with replacement adds is left out.
    """
    table = table_of(dataset)
    labels, uids = strata(table).to_pylist(), table.column("uid").to_pylist()
    targets = sampling_targets(labels, sampling_strategy, where=_WHERE, kind="over-sampling")
    if (n_added := sum(targets.values())) > _MOST * len(table):
        what = f"would make {n_added:,} rows of {len(table):,}: there are {len(targets) + 1:,} classes or sets of them"
        raise Refused(_WHERE, what, "name the sets and their sizes, or use balance=weighted_sampler")
    drawn = draw_by_label(uids, labels, seed=seed, stage="oversample")
    parents = [rows[place % len(rows)] for label, rows in drawn.items() for place in range(targets.get(label, 0))]
    return add_children(dataset, parents=parents, texts=None, stage="oversample")
