"""Train rows whose label is probably wrong: confident learning on embeddings."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.embeddings import content_of_encoder, embed_rows
from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result, drop, table_of, with_column
from prepsweep.randomness import draw_order
from prepsweep.refine.fine_tuned import cross_fine_tuned
from prepsweep.refine.folds import LEFT_OUT, cross_fitted, fold_of_rows

if TYPE_CHECKING:
    from datasets import Dataset

ACTIONS = ("drop", "relabel", "down_weight", "report")
METHODS = (
    "both",
    "confident_learning",
    "low_normalized_margin",
    "low_self_confidence",
    "predicted_neq_given",
    "prune_by_class",
    "prune_by_noise_rate",
)
_WHERE = "refine.label_errors"
_PAIRS_SHOWN = 20


@dataclass(frozen=True)
class Judged:
    """The judged rows: their places in the data set, the classes, the given and the suggested ones by number, and how sure."""

    rows: NDArray[np.intp]
    classes: list[str]
    given: NDArray[np.intp]
    suggested: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    suspected: NDArray[np.bool_]


def label_errors(
    dataset: Dataset,
    *,
    seed: int,
    checkpoint: str,
    revision: str | None,
    max_length: int,
    batch_size: int,
    device: str,
    n_folds: int,
    penalty: float,
    method: str,
    min_confidence: float,
    action: str,
    fine_tuned: str | None,
    epochs: int,
    learning_rate: float,
) -> Result:
    """Train rows whose label is probably wrong leave as `label_error`, are relabelled, weigh less, or are reported only.

    Northcutt, Jiang & Chuang 2021 (https://doi.org/10.1613/jair.1.12125) as cleanlab has it: a class probability is high or low
    for a row by comparison with the mean over the rows that bear that class. Probabilities come from a logistic
    regression on embeddings that was fitted without the row's fold (rows of one `group` lie in one fold), so that no row
    vouches for itself; pairs of texts are embedded as `embeddings.embed_rows` says. With `fine_tuned`, a checkpoint, they are
    those of the model itself, fine-tuned `n_folds` times for `epochs` each: as many trainings, but what it finds hard is what counts.
    `method` is cleanlab's `filter_by`; a suspected row also needs `min_confidence` in its suggested class. `down_weight`
    multiplies the weight by the probability of the given class.

    Hard rows look like errors: with the labels of 10% of 3,000 rows changed, 97% of those suspected were among them for spam in
    SMS, 67% for kinds of question (TREC), and 40% for film reviews, at recalls of 69%, 77% and 74% (benchmarks/label_noise.py).
    A class of fewer rows (or groups) than `n_folds` is neither judged nor suggested. The row that fits its class best
    stays, so that no class is emptied. Only rows of train are judged.
    """
    check_rows(dataset, n_folds=n_folds)
    table = table_of(dataset)
    order, folds = _folds(table, draw_order(table.column("uid").to_pylist(), seed=seed, stage="label_errors"), n_folds)
    rows, folds = order[folds != LEFT_OUT], folds[folds != LEFT_OUT]
    judged_rows = table.take(pa.array(rows))
    labels = judged_rows.column("label").to_pylist()
    classes, given = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
    reading: dict[str, Any] = {"revision": revision, "max_length": max_length, "batch_size": batch_size, "device": device}
    if fine_tuned is None:
        probabilities = cross_fitted(embed_rows(judged_rows, checkpoint=checkpoint, **reading), given, folds, penalty=penalty)
    else:
        recipe: dict[str, Any] = {"epochs": epochs, "learning_rate": learning_rate, "seed": seed}
        probabilities = cross_fine_tuned(judged_rows, given, folds, checkpoint=fine_tuned, **reading, **recipe)
    judged = _judge(rows, classes.tolist(), given, probabilities, method, min_confidence)
    return Result(_acted(dataset, judged, action), _facts(table, judged), _evidence(table, judged))


def check(
    *, n_folds: int, penalty: float, method: str, min_confidence: float, action: str, epochs: int, learning_rate: float, **_: object
) -> None:
    """Refuse an unknown method or action, and numbers out of range."""
    for name, value, known in (("method", method, METHODS), ("action", action, ACTIONS)):
        if value not in known:
            raise Refused(f"{_WHERE}.{name}", f"no {name} {value!r}", nearest(str(value), known))
    for name, count, least, usual in (("n_folds", n_folds, 2, 5), ("epochs", epochs, 1, 2)):
        if count < least:
            raise Refused(f"{_WHERE}.{name}", f"must be at least {least}, got {count}", f"{usual} is usual")
    for name, number, fair in (("penalty", penalty, "1"), ("learning_rate", learning_rate, "1e-4")):
        if not number > 0:
            raise Refused(f"{_WHERE}.{name}", f"must be above 0, got {number}", f"try {_WHERE}.{name}={fair}")
    if not 0 <= min_confidence < 1:
        raise Refused(f"{_WHERE}.min_confidence", f"must be at least 0 and below 1, got {min_confidence}", "0 asks for none")


def check_rows(dataset: Dataset, *, n_folds: int, **_: object) -> None:
    """Refuse train rows in which fewer than two classes are large enough to be judged."""
    table = table_of(dataset)
    folds = _folds(table, np.arange(len(table)), n_folds)[1]
    if (folds == LEFT_OUT).all():
        what = f"fewer than two classes of train have n_folds={n_folds} rows (or groups): nothing can be judged"
        raise Refused(_WHERE, what, f"lower {_WHERE}.n_folds, or use refine=none")


def fingerprint(*, checkpoint: str, revision: str | None, fine_tuned: str | None, **_: object) -> dict[str, str]:
    """Content hashes of the encoder or of the model that is fine-tuned; refuses where cleanlab is not installed."""
    if importlib.util.find_spec("cleanlab") is None:
        raise Refused(_WHERE, "cleanlab is not installed", "pip install 'prepsweep[labels]'")
    if fine_tuned is not None:
        return content_of_encoder(fine_tuned, revision, where=f"{_WHERE}.fine_tuned")
    return content_of_encoder(checkpoint, revision, where=f"{_WHERE}.checkpoint")


def _folds(table: pa.Table, order: NDArray[np.intp], n_folds: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Train rows in `order` and their folds."""
    order = order[np.asarray(pc.equal(table.column("split"), "train"))[order]]
    ordered = table.select([name for name in ("label", "group") if name in table.column_names]).take(pa.array(order))
    codes = np.asarray(pc.dictionary_encode(ordered.column("label").combine_chunks()).indices, dtype=np.intp)
    groups = ordered.column("group").to_pylist() if "group" in ordered.column_names else None
    return order, fold_of_rows(codes, groups, n_folds=n_folds)


def _judge(
    rows: NDArray[np.intp],
    classes: list[str],
    given: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    method: str,
    min_confidence: float,
) -> Judged:
    from cleanlab.filter import find_label_issues

    suggested = probabilities.argmax(axis=1)
    suspected = find_label_issues(given, probabilities, filter_by=method, n_jobs=1)
    suspected &= (suggested != given) & (probabilities.max(axis=1) >= min_confidence)
    quality = probabilities[np.arange(len(given)), given]
    for code in range(len(classes)):
        suspected[np.flatnonzero(given == code)[quality[given == code].argmax()]] = False
    return Judged(rows, classes, given, suggested, probabilities, suspected)


def _acted(dataset: Dataset, judged: Judged, action: str) -> Dataset:
    rows = judged.rows[judged.suspected]
    if action == "drop":
        mask = np.zeros(len(dataset), dtype=bool)
        mask[rows] = True
        return drop(dataset, "label_error", pa.array(mask))
    if action == "relabel":
        labels = np.asarray(table_of(dataset).column("label").to_pylist(), dtype=object)
        labels[rows] = np.asarray(judged.classes, dtype=object)[judged.suggested[judged.suspected]]
        return with_column(dataset, "label", labels.tolist())
    if action == "down_weight":
        weights = table_of(dataset).column("weight").to_numpy().copy()
        weights[rows] *= judged.probabilities[judged.suspected, judged.given[judged.suspected]]
        return with_column(dataset, "weight", pa.array(weights))
    return dataset


def _facts(table: pa.Table, judged: Judged) -> Mapping[str, Any]:
    from cleanlab.count import num_label_issues

    names = judged.classes
    pairs = Counter(
        f"{names[given]} → {names[suggested]}"
        for given, suggested in zip(judged.given[judged.suspected], judged.suggested[judged.suspected], strict=True)
    )
    train = table.filter(pc.equal(table.column("split"), "train")).column("label").to_pylist()
    return {
        "n_judged": len(judged.rows),
        "not_judged": dict(sorted(Counter(train).items() - Counter(names[code] for code in judged.given).items())),
        "n_suspected": int(judged.suspected.sum()),
        "estimated_noise": round(float(num_label_issues(judged.given, judged.probabilities)) / len(judged.rows), 4),
        "cross_fitted_accuracy": round(float((judged.suggested == judged.given).mean()), 4),
        "given_to_suggested": dict(sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:_PAIRS_SHOWN]),
    }


def _evidence(table: pa.Table, judged: Judged) -> pa.Table:
    """Every suspected row, the least likely label first: `quality` is the probability of the given class, `confidence` of the suggested."""
    of_suspected = np.flatnonzero(judged.suspected)
    names, given, suggested = pa.array(judged.classes), judged.given[of_suspected], judged.suggested[of_suspected]
    found = {
        "uid": table.column("uid").take(pa.array(judged.rows[of_suspected])),
        "given": names.take(pa.array(given)),
        "suggested": names.take(pa.array(suggested)),
        "quality": pa.array(judged.probabilities[of_suspected, given].round(4)),
        "confidence": pa.array(judged.probabilities[of_suspected, suggested].round(4)),
    }
    return pa.table(found).sort_by([("quality", "ascending"), ("uid", "ascending")])
