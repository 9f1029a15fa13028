"""Balance by weight: no row is added or removed, the loss of a rare class counts for more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prepsweep.errors import Refused
from prepsweep.lineage import table_of, with_column

if TYPE_CHECKING:
    from datasets import Dataset


def check(*, power: float) -> None:
    """Refuse a power that is none."""
    if not 0 < power <= 1:
        raise Refused("balance.class_weights.power", f"must be above 0 and at most 1, got {power}", "use balance=none for no weights")


def class_weights(dataset: Dataset, *, power: float) -> Dataset:
    """Each row's weight multiplied by (n / (k * n_class)) ** power, for n rows in k classes.

    `power` 1 is scikit-learn's "balanced" (King & Zeng 2001, section 4); 0.5, its square root, is milder.
    """
    check(power=power)
    labels, given = (table_of(dataset).column(name).to_pylist() for name in ("label", "weight"))
    counts = Counter(labels)
    weight = {label: (len(labels) / (len(counts) * n_rows)) ** power for label, n_rows in counts.items()}
    return with_column(dataset, "weight", [old * weight[label] for old, label in zip(given, labels, strict=True)])
