"""Random oversampling: copies of rows of the smaller classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prepsweep.balance.targets import Strategy, check_strategy, parents_to_target
from prepsweep.lineage import add_children, table_of
from prepsweep.schema import LABEL_SET, ONE_CLASS, TAGS

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = (ONE_CLASS, LABEL_SET, TAGS)


def check(*, sampling_strategy: Strategy) -> None:
    """Refuse a strategy that imbalanced-learn does not know."""
    check_strategy(sampling_strategy, where="balance.oversample.sampling_strategy")


def oversample(dataset: Dataset, *, seed: int, sampling_strategy: Strategy) -> Dataset:
    """The rows and copies of some, until every class has the size that `sampling_strategy` asks for."""
    parents = parents_to_target(table_of(dataset), sampling_strategy, seed=seed, stage="oversample")
    return add_children(dataset, parents=parents, texts=None, stage="oversample")
