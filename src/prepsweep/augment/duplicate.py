"""Plain copies: the control that every augmentation is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prepsweep.errors import Refused
from prepsweep.lineage import add_children
from prepsweep.schema import ALL_KINDS

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = ALL_KINDS


def check(*, n_copies: int) -> None:
    """Refuse fewer than one copy."""
    if n_copies < 1:
        raise Refused("augment.duplicate.n_copies", f"must be at least 1, got {n_copies}", "use augment=none for no copies")


def duplicate(dataset: Dataset, *, n_copies: int) -> Dataset:
    """As many rows as an augmentation with the same `n_copies` makes, with no new text in them."""
    check(n_copies=n_copies)
    parents = [row for row in range(len(dataset)) for _ in range(n_copies)]
    return add_children(dataset, parents=parents, texts=None, stage="duplicate")
