"""Train rows as if only some of them had been labelled: what a label is worth, and whether it matters which rows get one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.embeddings import content_of_encoder, embed_rows
from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result, drop, table_of
from prepsweep.randomness import draw_order
from prepsweep.refine.folds import fitted
from prepsweep.review.selection import margins, spread

if TYPE_CHECKING:
    from datasets import Dataset

CHOSEN_BY = ("random", "queue")
_WHERE = "refine.label_budget"


def label_budget(
    dataset: Dataset,
    *,
    seed: int,
    n_labels: int,
    by: str,
    n_start: int,
    checkpoint: str,
    revision: str | None,
    max_length: int,
    batch_size: int,
    device: str,
    penalty: float,
) -> Result:
    """`n_labels` train rows stay, chosen at random or as the review queue would ask for them; the others leave as `unlabelled`.

    `queue` is active learning with the labels that are there: it begins with `n_start` random rows, and in each round a
    logistic regression on their embeddings says of which other rows it is least sure; as many as there are already, unlike
    each other (`review.selection.spread`), get their label. While all labels are of one class, rows are drawn at random.
    The rows of a smaller budget are among those of a larger one, and both ways begin with the same rows.
    """
    check(n_labels=n_labels, by=by, n_start=n_start, penalty=penalty)
    check_rows(dataset, n_labels=n_labels)
    table = table_of(dataset)
    rows = np.flatnonzero(pc.equal(table.column("split"), "train"))
    train = table.take(pa.array(rows))
    order = draw_order(train.column("uid").to_pylist(), seed=seed, stage="label_budget")
    if by == "queue" and n_labels > n_start:
        encoder = {"checkpoint": checkpoint, "revision": revision, "max_length": max_length, "batch_size": batch_size, "device": device}
        vectors = embed_rows(train, **encoder)
        order = _asked(vectors, train.column("label").to_pylist(), order, n_start=n_start, n_labels=n_labels, penalty=penalty)
    stays = rows[order[:n_labels]]
    leaves = np.zeros(len(table), dtype=bool)
    leaves[rows] = True
    leaves[stays] = False
    facts = {"labels_per_class": dict(sorted(Counter(table.column("label").take(pa.array(stays)).to_pylist()).items()))}
    return Result(drop(dataset, "unlabelled", pa.array(leaves)), facts)


def check(*, n_labels: int, by: str, n_start: int, penalty: float, **_: object) -> None:
    """Refuse an unknown way to choose, and numbers out of range."""
    if by not in CHOSEN_BY:
        raise Refused(f"{_WHERE}.by", f"must be one of {', '.join(CHOSEN_BY)}, got {by!r}", nearest(str(by), CHOSEN_BY))
    for name, number in (("n_labels", n_labels), ("n_start", n_start)):
        if number < 1:
            raise Refused(f"{_WHERE}.{name}", f"must be at least 1, got {number}", f"try {_WHERE}.{name}=25")
    if not penalty > 0:
        raise Refused(f"{_WHERE}.penalty", f"must be above 0, got {penalty}", f"try {_WHERE}.penalty=1")


def check_rows(dataset: Dataset, *, n_labels: int, **_: object) -> None:
    """Refuse a budget that there are not enough train rows for: its point on a learning curve would be a lie."""
    n_rows = pc.sum(pc.equal(table_of(dataset).column("split"), "train")).as_py() or 0
    if n_rows < n_labels:
        raise Refused(f"{_WHERE}.n_labels", f"train has {n_rows:,} rows, fewer than {n_labels:,} labels", f"use at most {n_rows}")


def fingerprint(*, checkpoint: str, revision: str | None, by: str, **_: object) -> dict[str, str]:
    """Content hashes of the encoder, where one is asked."""
    return content_of_encoder(checkpoint, revision, where=f"{_WHERE}.checkpoint") if by == "queue" else {}


def _asked(
    vectors: NDArray[np.float32], labels: list[str], order: NDArray[np.intp], *, n_start: int, n_labels: int, penalty: float
) -> NDArray[np.intp]:
    """Places of rows in the order in which their labels are asked for, `n_labels` or more."""
    codes = np.unique(np.asarray(labels, dtype=object), return_inverse=True)[1]
    taken = order[:n_start]
    while len(taken) < n_labels:
        rest = order[~np.isin(order, taken)]
        n_more = min(len(taken), len(rest))
        if len(np.unique(codes[taken])) > 1:
            unsure = (1 - margins(fitted(vectors[taken], codes[taken], vectors[rest], penalty=penalty))).round(5)
            rest = rest[spread(unsure, vectors[rest], n_more)]
        taken = np.concatenate([taken, rest[:n_more]])
    return taken
