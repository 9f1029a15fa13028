"""Any number of labels a text, none included: one yes or no for each class, over a threshold that is chosen on dev."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.errors import Refused
from prepsweep.length_groups import logits_by_length
from prepsweep.metrics import averages, class_table, per_class
from prepsweep.monitors import monitor_of
from prepsweep.schema import LABEL_SET, NO_CLASS
from prepsweep.sources.task_labels import NotALabel, each_cell, list_of_strings
from prepsweep.tasks.heads import sequence_head

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import Tensor
    from torch.nn import Module

    from prepsweep.sources.table import Rows

Matrix = NDArray[np.float64]
_WHERE = "task.thresholds"


def check(task: DictConfig) -> None:
    """Refuse thresholds that cannot be chosen from."""
    given = list(task.thresholds)
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1 for value in given)
    if not given or not numbers:
        raise Refused(_WHERE, f"must be numbers between 0 and 1, at least one, got {given}", f"try {_WHERE}=[0.5]")


class LabelSets:
    """Labels in one cell: a list (JSON lines, Parquet), or a string with `separator` between them; an empty one is no label.

    In the rows a label is the sorted list in JSON, `["anger","joy"]`, so that equal sets are equal strings.
    """

    kind, named, tokens = LABEL_SET, True, False

    def __init__(self, separator: str) -> None:
        if not separator or (separator.isspace() and separator != "\t"):
            raise Refused("task.labels.separator", f"must be a character or more, got {separator!r}", 'try task.labels.separator="|"')
        self.separator = separator

    def read(self, rows: Rows) -> Rows:
        """`rows` with each label as the sorted list of its names in JSON."""
        from dataclasses import replace

        return replace(rows, labels=pa.chunked_array([pa.array(each_cell(rows, rows.labels, self._set), pa.string())]))

    def classes(self, labels: pa.ChunkedArray) -> pa.ListArray:
        """The names of each row."""
        encoded = pc.dictionary_encode(labels.combine_chunks())
        sets = [json.loads(label) or [NO_CLASS] for label in encoded.dictionary.to_pylist()]
        return pa.array(sets, pa.list_(pa.string())).take(encoded.indices)

    def _set(self, cell: str) -> str:
        is_list = cell.lstrip().startswith("[")
        names = list_of_strings(cell, "labels") if is_list else cell.split(self.separator) if cell.strip() else []
        if not all(name.strip() for name in names):
            raise NotALabel(f"a blank label in {cell[:80]!r}", "take it out")
        if len(set(names)) < len(names):
            raise NotALabel(f"a label twice in {cell[:80]!r}", "keep one")
        return json.dumps(sorted(names), ensure_ascii=False, separators=(",", ":"))


class MultiLabel:
    """Binary cross-entropy of each class, and the threshold with the best macro F1 on dev, the same for all classes."""

    monitor = monitor_of("multi_label")
    n_passes = 1

    def __init__(self, classes: Sequence[str], *, labels: LabelSets, thresholds: Sequence[float], positive_weight: float) -> None:
        """`positive_weight` is how much more a label that is there counts in the loss than one that is not."""
        self.classes, self.labels, self.thresholds, self.positive_weight = list(classes), labels, list(thresholds), positive_weight
        self.decision = {"threshold": 0.5}

    def load_model(self, folder: Path) -> Module:
        """The checkpoint with a head of one logit a class."""
        return sequence_head(folder, self.classes, problem_type="multi_label_classification")

    def targets(self, labels: pa.ChunkedArray) -> NDArray[np.float32]:
        """1 where a row has the class, else 0, shape (n_rows, n_classes)."""
        classes = self.labels.classes(labels)
        found = pc.index_in(classes.flatten(), pa.array([*self.classes, NO_CLASS])).to_numpy()
        there = np.zeros((len(labels), len(self.classes) + 1), dtype=np.float32)
        there[classes.value_parent_indices().to_numpy(), found] = 1
        return there[:, :-1]

    def training_loss(self, model: Module, inputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """Mean over the rows, each by its weight, of the mean binary cross-entropy over the classes (0-dimensional).

        Targets may lie between 0 and 1.
        """
        from torch.nn import functional

        logits, targets = logits_by_length(model, inputs).float(), batch["labels"]
        weights = 1 + (self.positive_weight - 1) * targets
        losses = functional.binary_cross_entropy_with_logits(logits, targets, weight=weights, reduction="none").mean(dim=1)
        return (losses * batch["weights"]).sum() / batch["weights"].sum()

    def evaluated(self, model: Module, inputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """The logits of the rows as they are."""
        logits: Tensor = model(**inputs).logits
        return logits

    def decide(self, logits: NDArray[np.float32], targets: NDArray[np.float32]) -> None:
        """Take the threshold with the highest macro F1 of these rows; of equal ones the nearest to 0.5."""
        p, there = _sigmoid(logits), targets > 0
        f1 = [averages(**_counts(there, p >= threshold))["macro_f1"] for threshold in self.thresholds]
        best = min(range(len(f1)), key=lambda place: (-f1[place], abs(self.thresholds[place] - 0.5), self.thresholds[place]))
        self.decision = {"threshold": float(self.thresholds[best])}

    def scores(self, logits: NDArray[np.float32], targets: NDArray[np.float32]) -> dict[str, Any]:
        """Scores at the threshold, and of the ranking (LRAP, coverage error, ranking loss), which has none.

        `accuracy` counts rows whose set is exactly right; `sample_f1` is the mean over rows, 1 where both sets are empty.
        """
        from sklearn.metrics import coverage_error, label_ranking_average_precision_score, label_ranking_loss

        p, there = _sigmoid(logits), targets > 0
        said = p >= self.decision["threshold"]
        sizes = there.sum(axis=1) + said.sum(axis=1)
        row_f1 = np.divide(2 * (there & said).sum(axis=1), sizes, out=np.ones(len(sizes)), where=sizes > 0)
        log_p = -np.logaddexp(0, -logits.astype(np.float64)), -np.logaddexp(0, logits.astype(np.float64))
        counts = _counts(there, said)
        # Rankings are of two classes or more: one that no row has and that stands last changes none of their scores.
        n_more = ((0, 0), (0, max(0, 2 - p.shape[1])))
        ranked = np.pad(there, n_more), np.pad(p, n_more, constant_values=-1.0)
        return self.decision | {
            "accuracy": float((there == said).all(axis=1).mean()),
            **averages(**counts),
            "sample_f1": float(row_f1.mean()),
            "lrap": float(label_ranking_average_precision_score(*ranked)),
            "coverage_error": float(coverage_error(*ranked)),
            "ranking_loss": float(label_ranking_loss(*ranked)),
            "loss": float(-np.where(there, *log_p).mean()),
            "per_class": per_class(self.classes, **counts),
        }

    def predictions(self, logits: NDArray[np.float32], labels: pa.ChunkedArray) -> dict[str, Any]:
        """The predicted set as a sorted list in JSON and, as `p_<class>`, the probability of each class."""
        p = _sigmoid(logits)
        sets = [sorted(self.classes[i] for i in np.flatnonzero(row)) for row in p >= self.decision["threshold"]]
        columns: dict[str, Any] = {"prediction": [json.dumps(names, ensure_ascii=False, separators=(",", ":")) for names in sets]}
        return columns | {f"p_{name}": p[:, i].astype(np.float32).tolist() for i, name in enumerate(self.classes)}

    def report(self, test: dict[str, Any]) -> str:
        """Each class, then the averages."""
        return class_table(test, averages=("micro_f1", "macro_f1", "weighted_f1", "sample_f1", "lrap"))


def _sigmoid(logits: NDArray[np.float32]) -> Matrix:
    return np.asarray(np.exp(-np.logaddexp(0, -logits.astype(np.float64))))


def _counts(there: NDArray[np.bool_], said: NDArray[np.bool_]) -> dict[str, Any]:
    return {"hits": (there & said).sum(axis=0), "support": there.sum(axis=0), "predicted": said.sum(axis=0)}
