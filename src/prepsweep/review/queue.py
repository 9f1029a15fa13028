"""A queue of the train rows that are most worth an expert's minute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from omegaconf import ListConfig

from prepsweep.annotate.origins import LABEL_ORIGIN, SOFT_LABEL
from prepsweep.annotate.soft_labels import decoded
from prepsweep.cache import Cache
from prepsweep.embeddings import embed_rows
from prepsweep.errors import Refused
from prepsweep.kept import kept_in
from prepsweep.lineage import table_of
from prepsweep.planning import split_and_limit
from prepsweep.randomness import draw_order
from prepsweep.refine.folds import LEFT_OUT, cross_fitted, fold_of_rows
from prepsweep.review.selection import REASONS, margins, priorities, spread
from prepsweep.schema import UNLABELLED, text_columns
from prepsweep.walk import configured, walk

if TYPE_CHECKING:
    from omegaconf import DictConfig

# Twice that of a label that could not be more doubtful.
_NO_LABEL = 2.0
_JUDGE = "refine=label_errors"
_ENCODER = ("checkpoint", "revision", "max_length", "batch_size", "device")


def train_rows(overrides: Sequence[str]) -> tuple[DictConfig, pa.Table]:
    """The configuration, with the options of `refine.label_errors`, and the rows that its split puts in train, in the order of their uids.

    What comes after the split is left out: a queue is of rows as they were read, cleaned and labelled.
    """
    kept = [each for each in overrides if not each.lstrip("+~").startswith(("refine=", "refine.")) or ".label_errors." in each]
    cfg = configured([*kept, _JUDGE])
    table = table_of(walk([*kept, _JUDGE], until=split_and_limit(cfg)[-1].where).steps[-1].after.of("train").dataset)
    return cfg, table.sort_by("uid").combine_chunks()


def queue_of(table: pa.Table, vectors: NDArray[np.float32], *, budget: int, seed: int, n_folds: int, penalty: float) -> pa.Table:
    """`budget` of the rows, most wanted first, with two more columns: the class `suggested` by a model, and the `reason`.

    `table` is in the order of the uids, so that they decide ties; see `selection` for what is wanted. Class probabilities
    are cross-fitted as those of `refine.label_errors` are. A row without a label is wanted most, one
    that was reviewed before is not asked about again.
    """
    classes, codes = _classes(table)
    if len(classes) == 1:
        raise Refused("review", f"the labelled rows are all {classes[0]!r}", "label a few rows of another class first")
    probabilities = _probabilities(table, vectors, codes, len(classes), seed=seed, n_folds=n_folds, penalty=penalty)
    scores, reasons = priorities(probabilities, codes, _disagreement(table, classes, codes))
    scores[codes == LEFT_OUT] = _NO_LABEL
    places = np.flatnonzero(~_reviewed(table))
    places = places[spread(scores[places], vectors[places], budget)]
    suggested = np.where(probabilities[places].any(axis=1), probabilities[places].argmax(axis=1), LEFT_OUT)
    told = np.where(codes[places] == LEFT_OUT, "no label yet", np.asarray(REASONS, dtype=object)[reasons[places]])
    names = np.asarray([*classes, ""], dtype=object)
    queue = table.select(["uid", *text_columns(table.column_names), "label"]).take(pa.array(places))
    return queue.append_column("suggested", pa.array(names[suggested], pa.string())).append_column("reason", pa.array(told, pa.string()))


def classes_of(table: pa.Table, cfg: DictConfig) -> list[str]:
    """What the rows may be: `data.classes` where it is a list, else the labels that are there."""
    named = cfg.data.get("classes")
    return [str(name) for name in named] if isinstance(named, ListConfig) else _classes(table)[0]


def vectors_of(table: pa.Table, cfg: DictConfig) -> NDArray[np.float32]:
    """Embeddings of the rows by the encoder of `refine.label_errors`, kept in the cache."""
    encoder = {name: cfg.refine.label_errors[name] for name in _ENCODER}
    with kept_in(Cache(Path(cfg.paths.cache_dir))):
        return embed_rows(table, **encoder)


def _reviewed(table: pa.Table) -> NDArray[np.bool_]:
    """Rows whose label people have decided on."""
    if LABEL_ORIGIN not in table.column_names:
        return np.zeros(len(table), dtype=bool)
    return np.asarray(pc.equal(table.column(LABEL_ORIGIN), "reviewed").fill_null(False))


def _classes(table: pa.Table) -> tuple[list[str], NDArray[np.intp]]:
    """The classes in order, and the number of each row's; `LEFT_OUT` for a row without a label."""
    classes = sorted(set(pc.unique(table.column("label")).to_pylist()) - {UNLABELLED})
    codes = pc.index_in(table.column("label"), pa.array(classes, pa.string())).fill_null(LEFT_OUT)
    return classes, np.asarray(codes.to_numpy(), dtype=np.intp)


def _probabilities(
    table: pa.Table, vectors: NDArray[np.float32], codes: NDArray[np.intp], n_classes: int, *, seed: int, n_folds: int, penalty: float
) -> NDArray[np.float64]:
    """Cross-fitted class probabilities, shape (n, n_classes), of the rows whose class is large enough; zeros for the others."""
    order = draw_order(table.column("uid").to_pylist(), seed=seed, stage="review")
    order = order[codes[order] != LEFT_OUT]
    groups = table.column("group").take(pa.array(order)).to_pylist() if "group" in table.column_names else None
    folds = fold_of_rows(codes[order], groups, n_folds=n_folds)
    rows, folds = order[folds != LEFT_OUT], folds[folds != LEFT_OUT]
    found = np.zeros((len(table), max(n_classes, 2)))
    if len(rows):
        judged, of_class = np.unique(codes[rows], return_inverse=True)
        found[np.ix_(rows, judged)] = cross_fitted(vectors[rows], of_class, folds, penalty=penalty)
    return found


def _disagreement(table: pa.Table, classes: list[str], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """How little the votes behind a label lead to it, 0 to 1, by the soft labels that annotate left; 0 without any."""
    if SOFT_LABEL not in table.column_names or len(classes) < 2:
        return np.zeros(len(table))
    shares = decoded(table.column(SOFT_LABEL), codes.clip(0).astype(np.int64), classes).astype(np.float64)
    return np.asarray(1 - margins(shares))
