"""Balance by draws: no row is added or removed, training comes across the rows of a rare class more often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from prepsweep.balance.class_sizes import check_power, inverse_sizes
from prepsweep.lineage import dataset_of, table_of
from prepsweep.row_classes import strata
from prepsweep.schema import LABEL_SET, ONE_CLASS, TAGS

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = (ONE_CLASS, LABEL_SET, TAGS)
_WHERE = "balance.weighted_sampler.power"


def check(*, power: float) -> None:
    """Refuse a power that is none."""
    check_power(power, where=_WHERE)


def weighted_sampler(dataset: Dataset, *, power: float) -> Dataset:
    """The rows with `sampling_weight`, in proportion to which each epoch draws them with replacement.

    It is (n / (k * n_class)) ** power for n rows in k classes: under `power` 1 every class is drawn as often. An epoch
    has as many draws as there are rows. The draws are made when training (`datamodule.py`), from `seeds.model`; stages
    that add or remove rows belong before this one, or the classes are weighed by sizes that they no longer have.
    """
    check(power=power)
    table = table_of(dataset)
    labels = strata(table).to_pylist()
    weight = inverse_sizes(labels, power=power)
    return dataset_of(table.append_column("sampling_weight", pa.array([weight[label] for label in labels], pa.float32())))
