"""What logits say, by the kind of task: one class, a set of labels, a number, a tag a word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Logits = NDArray[np.float32]
PREDICTION = "prediction"


def one_class(logits: Logits, classes: Sequence[str], decision: Mapping[str, float]) -> pa.Table:  # noqa: ARG001 - all kinds take it
    """The class with the highest probability, and as `p_<class>` the probability of each."""
    from scipy.special import softmax

    names = pa.array(classes, pa.string()).take(pa.array(logits.argmax(axis=1)))
    return _with_probabilities(names, softmax(logits.astype(np.float64), axis=1), classes)


def label_set(logits: Logits, classes: Sequence[str], decision: Mapping[str, float]) -> pa.Table:
    """The labels at or above the threshold, sorted, and as `p_<class>` the probability of each."""
    from scipy.special import expit

    p = expit(logits.astype(np.float64))
    sets = [sorted(classes[i] for i in np.flatnonzero(row).tolist()) for row in p >= decision.get("threshold", 0.5)]
    return _with_probabilities(pa.array(sets, pa.list_(pa.string())), p, classes)


def number(logits: Logits, classes: Sequence[str], decision: Mapping[str, float]) -> pa.Table:  # noqa: ARG001 - all kinds take it
    """The number, in the unit of the labels."""
    values = logits[:, 0].astype(np.float64) * decision.get("label_deviation", 1.0) + decision.get("label_mean", 0.0)
    return pa.table({PREDICTION: pa.array(values)})


KINDS: dict[str, Callable[[Logits, Sequence[str], Mapping[str, float]], pa.Table]] = {
    "one class": one_class,
    "label set": label_set,
    "number": number,
}
TAGS = "tags"


def columns_of(kind: str, classes: Sequence[str]) -> list[str]:
    """Names of the columns that a kind of task adds."""
    return [PREDICTION, *(f"p_{name}" for name in classes)] if kind in ("one class", "label set") else [PREDICTION]


def kind_of(config: Any) -> str | None:
    """What a checkpoint was trained for, by its configuration; None where it is no classifier."""
    architecture = (config.architectures or [""])[0]
    if architecture.endswith("ForTokenClassification"):
        return TAGS
    if not architecture.endswith("ForSequenceClassification"):
        return None
    if config.problem_type == "multi_label_classification":
        return "label set"
    return "number" if config.num_labels == 1 else "one class"


def _with_probabilities(prediction: pa.Array, p: NDArray[np.float64], classes: Sequence[str]) -> pa.Table:
    columns = {f"p_{name}": pa.array(p[:, i].astype(np.float32)) for i, name in enumerate(classes)}
    return pa.table({PREDICTION: prediction} | columns)
