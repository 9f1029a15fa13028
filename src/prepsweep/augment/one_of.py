"""One of several augmentations for each row, drawn by weight (NL-Augmenter's and imgaug's "one of")."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from prepsweep.augment.wrapped import Augment, make_inner, with_children
from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result, table_of
from prepsweep.randomness import row_rng

if TYPE_CHECKING:
    from datasets import Dataset

_WHERE = "augment.one_of"


def one_of(dataset: Dataset, *, seed: int, stages: Mapping[str, Augment], weights: Mapping[str, float], num_proc: int) -> Result:
    """Each row's children come from one of `stages`, drawn with a chance in proportion to the slot's weight.

    The draw of a row depends on its uid and the weights alone. Evidence has the slot that it came from in the column `slot`.
    """
    check(stages=stages, weights=weights)
    # Mappings that differ in order only have one key, so the order must not count.
    slots = sorted(stages)
    shares = np.array(list(accumulate(weights[slot] for slot in slots)), dtype=float)
    draws = np.array([row_rng(seed, "one_of", uid).random() for uid in table_of(dataset).column("uid").to_pylist()])
    slot_of = np.searchsorted(shares, draws * shares[-1], side="right")
    facts: dict[str, Any] = {}
    children, evidence = [], []
    for number, slot in enumerate(slots):
        rows = np.flatnonzero(slot_of == number).tolist()
        made = make_inner(dataset, stages[slot], rows=rows, wrapper="one_of", slot=slot, seed=seed, num_proc=num_proc)
        children.append(made.children)
        facts[slot] = {"rows": len(rows), **made.facts}
        if made.evidence is not None:
            evidence.append(made.evidence.append_column("slot", pa.repeat(pa.scalar(slot), len(made.evidence))))
    found = pa.concat_tables(evidence, promote_options="permissive") if evidence else None
    return Result(with_children(dataset, children), facts, found)


def check(*, stages: Mapping[str, Any], weights: Mapping[str, float], **_: object) -> None:
    """Refuse fewer than two slots, a slot without a weight, and weights that draw nothing."""
    if not (isinstance(stages, Mapping) and len(stages) >= 2):
        fix = "add one with +augment@augment.one_of.stages.third=…, or choose the augmentation itself"
        raise Refused(f"{_WHERE}.stages", "needs two augmentations or more to choose from", fix)
    for slot in sorted(set(weights) ^ set(stages)):
        if slot in stages:
            raise Refused(f"{_WHERE}.weights.{slot}", "is not set", f"add +{_WHERE}.weights.{slot}=1")
        raise Refused(f"{_WHERE}.weights.{slot}", "is the weight of no slot", nearest(str(slot), map(str, stages)))
    for slot, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < float("inf"):
            raise Refused(f"{_WHERE}.weights.{slot}", f"must be a number of at least 0, got {weight!r}", "only their proportion counts")
    if not sum(weights.values()):
        raise Refused(f"{_WHERE}.weights", "are all 0", "give one of them a positive weight")
