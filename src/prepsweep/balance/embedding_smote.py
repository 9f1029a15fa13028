"""SMOTE on the states of a frozen encoder: new rows of the smaller classes that are points between two texts, and no text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prepsweep.balance.targets import Strategy, check_strategy, parents_to_target
from prepsweep.errors import Refused
from prepsweep.lineage import Result, add_children, dataset_of, table_of
from prepsweep.randomness import row_keys, uniform
from prepsweep.schema import SMOTE_NEIGHBOR, SMOTE_SHARE

if TYPE_CHECKING:
    from datasets import Dataset
    from omegaconf import DictConfig

_STAGE = "embedding_smote"
_WHERE = f"balance.{_STAGE}"


def check(*, sampling_strategy: Strategy, k_neighbors: int) -> None:
    """Refuse a strategy that imbalanced-learn does not know, and no neighbours."""
    check_strategy(sampling_strategy, where=f"{_WHERE}.sampling_strategy")
    if k_neighbors < 1:
        raise Refused(f"{_WHERE}.k_neighbors", f"must be at least 1, got {k_neighbors}", "5 is usual")


def check_run(cfg: DictConfig, **_: object) -> None:
    """Refuse a run whose encoder learns, or is given more than texts: then there are no states that stay as they are."""
    method = str(cfg.method._target_).rpartition(".")[2]
    if method != "head":
        what = f"makes points between states of a frozen encoder, and method={method} trains it"
        raise Refused(_WHERE, what, "add method=head, or use balance=oversample")
    if "mixup" in cfg.task:
        raise Refused(_WHERE, "makes points of what the encoder gives, and augment=mixup mixes what it is given", "leave augment=mixup out")


def embedding_smote(dataset: Dataset, *, seed: int, sampling_strategy: Strategy, k_neighbors: int) -> Result:
    """The rows and, until every class has the size that `sampling_strategy` asks for, points between them.

    Chawla et al. 2002, SMOTE (https://doi.org/10.1613/jair.953), in imbalanced-learn's words. Drawn here is toward which of its
    parent's `k_neighbors` nearest rows of the class a point moves, and by what share of the way. Which rows these are the states
    tell that training reads, and there the point gets its state (`synthetic.py`); its text stays the parent's.
    A class of fewer rows has fewer neighbours (`fewer_neighbors` in the record); points of a single row are copies.
    """
    table = table_of(dataset)
    parents = parents_to_target(table, sampling_strategy, seed=seed, stage=_STAGE)
    rows = table_of(add_children(dataset, parents=parents, texts=None, stage=_STAGE))
    made = rows.slice(len(table))
    labels, keys = made.column("label").to_pylist(), row_keys(made.column("uid").to_pylist(), seed=seed, stage=_STAGE)
    n_others = {label: min(k_neighbors, n - 1) for label, n in Counter(table.column("label").to_pylist()).items()}
    n_near = np.array([n_others[label] for label in labels], dtype=np.int64)
    drawn = {SMOTE_NEIGHBOR: (uniform(keys, 0) * n_near).astype(np.int32), SMOTE_SHARE: uniform(keys, 1).astype(np.float32)}
    for name, values in drawn.items():
        column = pa.array(values)
        rows = rows.append_column(name, pa.chunked_array([pa.nulls(len(table), column.type), column]))
    fewer = {label: n_others[label] for label in sorted(set(labels)) if n_others[label] < k_neighbors}
    return Result(dataset_of(rows), {"fewer_neighbors": fewer})
