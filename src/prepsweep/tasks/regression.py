"""One number a text: squared error, correlation, and how far off a prediction is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.errors import Refused
from prepsweep.length_groups import logits_by_length
from prepsweep.monitors import monitor_of
from prepsweep.row_classes import in_ranges
from prepsweep.schema import NUMBER
from prepsweep.sources.files import short
from prepsweep.sources.task_labels import NotALabel, each_cell
from prepsweep.tasks.heads import sequence_head

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import Tensor
    from torch.nn import Module

    from prepsweep.sources.table import Rows

Values = NDArray[np.float64]
# Decimal digits alone: `float` would take 1_000, Arabic digits, nan and a padded cell too.
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def check(task: DictConfig) -> None:
    """Refuse a number of ranges that is none."""
    n_ranges = task.labels.n_ranges
    if not isinstance(n_ranges, int) or isinstance(n_ranges, bool) or n_ranges < 1:
        raise Refused("task.labels.n_ranges", f"must be a whole number of at least 1, got {n_ranges!r}", "try task.labels.n_ranges=5")


class Numbers:
    """A label is a decimal number and stays as it is written; a row's class is one of `n_ranges` ranges of equally many rows.

    The ranges are of all rows, over all splits, and only count rows: splits have equal shares of them, no model reads them.
    """

    kind, named, tokens = NUMBER, False, False

    def __init__(self, n_ranges: int) -> None:
        self.n_ranges = n_ranges

    def read(self, rows: Rows) -> Rows:
        """`rows` as they are, each label a number."""
        each_cell(rows, rows.labels, _checked)
        return rows

    def classes(self, labels: pa.ChunkedArray) -> pa.ListArray:
        """The range that each number is in, by its ends; equal numbers are in one range."""
        return in_ranges(_numbers(labels), self.n_ranges)


class Regression:
    """Mean squared error, of numbers that the model gives as deviations from the mean of train, in its standard deviations.

    So prices train as well as stars do. Both numbers stand in the record and beside the model.
    """

    monitor = monitor_of("regression")
    n_passes = 1

    def __init__(self, classes: Sequence[str], *, labels: Numbers, train_labels: pa.ChunkedArray) -> None:
        numbers = _numbers(train_labels)
        self.classes = list(classes)
        self.decision = {"label_mean": float(numbers.mean()), "label_deviation": _spread(numbers) ** 0.5 or 1.0}

    def load_model(self, folder: Path) -> Module:
        """The checkpoint with a head of one number."""
        return sequence_head(folder, ["number"], problem_type="regression")

    def targets(self, labels: pa.ChunkedArray) -> NDArray[np.float32]:
        """The numbers of the rows in deviations of train, shape (n_rows,); Apple's GPUs have no float64."""
        return np.asarray((_numbers(labels) - self.decision["label_mean"]) / self.decision["label_deviation"], dtype=np.float32)

    def training_loss(self, model: Module, inputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """Mean squared error over the rows, each by its weight, in squared deviations of train (0-dimensional)."""
        losses = (logits_by_length(model, inputs).float().squeeze(1) - batch["labels"]) ** 2
        return (losses * batch["weights"]).sum() / batch["weights"].sum()

    def evaluated(self, model: Module, inputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """The numbers of the rows, in deviations of train."""
        logits: Tensor = model(**inputs).logits
        return logits

    def decide(self, logits: NDArray[np.float32], labels: NDArray[np.float32]) -> None:
        """Nothing: the number itself is predicted."""

    def scores(self, logits: NDArray[np.float32], targets: NDArray[np.float32]) -> dict[str, Any]:
        """Errors in the unit of the labels, and correlations; `loss` is the mean squared error in squared deviations of train.

        A correlation with numbers that are all equal is not defined and stands as 0, R2 of such labels too.
        """
        predictions, labels = self._numbers(logits[:, 0]), self._numbers(targets)
        errors, spread = predictions - labels, _spread(labels)
        mse = float((errors**2).mean())
        return self.decision | {
            "r2": 1 - mse / spread if spread else 0.0,
            "pearson": _correlation(predictions, labels),
            "spearman": _correlation(_ranks(predictions), _ranks(labels)),
            "rmse": math.sqrt(mse),
            "mae": float(np.abs(errors).mean()),
            "loss": mse / self.decision["label_deviation"] ** 2,
            "per_class": {},
        }

    def predictions(self, logits: NDArray[np.float32], labels: pa.ChunkedArray) -> dict[str, Any]:
        """The predicted numbers, in decimal."""
        return {"prediction": [repr(number) for number in self._numbers(logits[:, 0]).tolist()]}

    def report(self, test: dict[str, Any]) -> str:
        """The scores, one a line."""
        return "\n".join(f"{name:>10} {test[name]:10.4f}" for name in ("rmse", "mae", "r2", "pearson", "spearman"))

    def _numbers(self, deviations: NDArray[np.float32]) -> Values:
        return np.asarray(deviations.astype(np.float64) * self.decision["label_deviation"] + self.decision["label_mean"])


def _checked(cell: str) -> None:
    if not _NUMBER.fullmatch(cell) or not math.isfinite(float(cell)):
        raise NotALabel(f"label {short(cell)} is no number", "write it in digits, such as 3 or -0.5, or take the row out")


def _numbers(labels: pa.ChunkedArray) -> Values:
    return np.asarray(pc.cast(labels, pa.float64()).to_numpy())


def _spread(values: Values) -> float:
    """The variance; of equal numbers 0, which rounding would miss."""
    return float(values.var()) if np.ptp(values) else 0.0


def _correlation(one: Values, other: Values) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _ranks(values: Values) -> Values:
    """Ranks, of equal values their mean."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), dtype=np.float64)
