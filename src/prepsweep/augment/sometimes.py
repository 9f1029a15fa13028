"""Another augmentation on a random part of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prepsweep.augment.wrapped import Augment, make_inner, with_children
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from prepsweep.randomness import draw_order

if TYPE_CHECKING:
    from datasets import Dataset


def sometimes(dataset: Dataset, *, seed: int, stage: Augment, p: float, num_proc: int) -> Result:
    """The children that `stage` makes of a fraction `p` of the rows, drawn without regard to class.

    Exactly round(p * n) of n rows are drawn, at least one; they stay nearly the same when other rows come or go.
    """
    check(p=p)
    uids = table_of(dataset).column("uid").to_pylist()
    n_drawn = min(len(uids), max(1, int(p * len(uids) + 0.5)))
    rows = sorted(draw_order(uids, seed=seed, stage="sometimes")[:n_drawn].tolist())
    made = make_inner(dataset, stage, rows=rows, wrapper="sometimes", seed=seed, num_proc=num_proc)
    return Result(with_children(dataset, [made.children]), made.facts, made.evidence)


def check(*, p: float, **_: object) -> None:
    """Refuse a fraction that draws nothing, or more than there is."""
    if not (isinstance(p, (int, float)) and 0 < p <= 1):
        raise Refused("augment.sometimes.p", f"must be above 0 and at most 1, got {p!r}", "use augment=none for no children")
