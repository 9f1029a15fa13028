"""Balance by weight after the effective number of rows: what copies and near-copies add to a large class is little."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from prepsweep.errors import Refused
from prepsweep.lineage import table_of, with_column
from prepsweep.row_classes import strata
from prepsweep.schema import LABEL_SET, ONE_CLASS, TAGS

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = (ONE_CLASS, LABEL_SET, TAGS)


def check(*, beta: float) -> None:
    """Refuse a beta that gives no weights: 0 weighs all rows alike, 1 is the limit that class_weights is."""
    if not 0 < beta < 1:
        fix = "the paper takes 0.9 to 0.9999; use balance=none for no weights, balance=class_weights for the limit of beta 1"
        raise Refused("balance.effective_number.beta", f"must be above 0 and below 1, got {beta}", fix)


def effective_number(dataset: Dataset, *, beta: float) -> Dataset:
    """Each row's weight multiplied by (1 - beta) / (1 - beta ** n_class), scaled so that the k classes' weights sum to k.

    Cui et al. (2019), Class-Balanced Loss Based on Effective Number of Samples, arXiv:1901.05555, equation 4.
    """
    check(beta=beta)
    table = table_of(dataset)
    labels, given = strata(table).to_pylist(), table.column("weight").to_pylist()
    # 1 - beta ** n by expm1: at beta near 1 the plain difference has few digits left.
    inverse = {label: 1 / -math.expm1(n_rows * math.log(beta)) for label, n_rows in sorted(Counter(labels).items())}
    scale = len(inverse) / sum(inverse.values())
    return with_column(dataset, "weight", [old * scale * inverse[label] for old, label in zip(given, labels, strict=True)])
