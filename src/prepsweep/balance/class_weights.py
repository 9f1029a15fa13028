"""Balance by weight: no row is added or removed, the loss of a rare class counts for more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prepsweep.balance.class_sizes import check_power, inverse_sizes
from prepsweep.lineage import table_of, with_column
from prepsweep.row_classes import strata
from prepsweep.schema import LABEL_SET, ONE_CLASS, TAGS

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = (ONE_CLASS, LABEL_SET, TAGS)
_WHERE = "balance.class_weights.power"


def check(*, power: float) -> None:
    """Refuse a power that is none."""
    check_power(power, where=_WHERE)


def class_weights(dataset: Dataset, *, power: float) -> Dataset:
    """Each row's weight multiplied by (n / (k * n_class)) ** power, for n rows in k classes."""
    check(power=power)
    table = table_of(dataset)
    labels, given = strata(table).to_pylist(), table.column("weight").to_pylist()
    weight = inverse_sizes(labels, power=power)
    return with_column(dataset, "weight", [old * weight[label] for old, label in zip(given, labels, strict=True)])
