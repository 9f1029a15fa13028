"""One label a text: the loss of `task.loss`, accuracy and F1, scikit-learn's report."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.errors import Refused
from prepsweep.length_groups import logits_by_length
from prepsweep.metrics import scores
from prepsweep.monitors import monitor_of
from prepsweep.tasks.heads import sequence_head
from prepsweep.tasks.losses import Loss, check_loss
from prepsweep.tasks.mixup import Mixed, check_mixup, refuse_without_embeddings
from prepsweep.tasks.r_drop import disagreement

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import Tensor
    from torch.nn import Module

    Mixup = Callable[[Module, dict[str, Tensor]], Mixed]


def check(task: DictConfig) -> None:
    """Refuse a loss or a way to mix rows that is none, and numbers that cannot be meant."""
    check_loss(task.loss)
    check_mixup(task)
    smoothing, r_drop = task.label_smoothing, task.r_drop
    if not _is_number(smoothing) or not 0 <= smoothing < 1:
        raise Refused("task.label_smoothing", f"must be at least 0 and below 1, got {smoothing!r}", "try task.label_smoothing=0.1")
    if not _is_number(r_drop) or not 0 <= r_drop < math.inf:
        raise Refused("task.r_drop", f"must be a number of at least 0, got {r_drop!r}", "try task.r_drop=1; 0 is one pass and no R-Drop")
    if r_drop and "mixup" in task:
        raise Refused("task.r_drop", "two passes over rows that are mixed anew differ by more than dropout", "leave augment=mixup out")


class TextClassification:
    """What the rest of the project asks of a task; another task is another class with these methods."""

    monitor = monitor_of("text_classification")

    def __init__(
        self,
        classes: Sequence[str],
        *,
        loss: Loss,
        labels: None = None,
        label_smoothing: float = 0.0,
        r_drop: float = 0.0,
        priors: Sequence[float] = (),
        mixup: Mixup | None = None,
    ) -> None:
        """`loss` is a loss of single rows (`losses.py`); `priors` are the shares of the classes among the train rows.

        `mixup`, where training mixes rows, gives the logits of a batch as it mixed it (`mixup.py`). `label_smoothing` is the
        share of each label that goes to all classes alike (Szegedy et al. 2016, arXiv:1512.00567, section 7), whatever the
        loss; `r_drop` is how much the disagreement of two passes counts (`r_drop.py`), 0 for one pass.
        """
        assert labels is None, "a label is the class itself"
        self.classes, self.mixup = list(classes), mixup
        self.label_smoothing, self.r_drop, self.n_passes = label_smoothing, r_drop, 2 if r_drop else 1
        self.decision: dict[str, float] = {}
        given = {"priors": priors} if "priors" in inspect.signature(loss).parameters else {}
        self.row_losses = partial(loss, **given)

    def load_model(self, folder: Path) -> Module:
        """The checkpoint with a classification head over the classes."""
        model = sequence_head(folder, self.classes)
        if self.mixup is not None:
            refuse_without_embeddings(model)
        return model

    def targets(self, labels: pa.ChunkedArray) -> NDArray[np.int64]:
        """Class numbers of the rows, shape (n_rows,)."""
        index = pa.compute.index_in(labels, pa.array(self.classes, pa.string()))
        return np.asarray(index.to_numpy(), dtype=np.int64)

    def loss(self, logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Mean loss over the rows, each by its weight (0-dimensional)."""
        losses = self.row_losses(logits, self._truth(batch))
        return _mean(losses, batch)

    def training_loss(self, model: Module, inputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """`loss` of the model's logits; of a mixed batch the losses of both labels, each by its row's share and weight.

        With R-Drop the mean of both passes' losses, and their disagreement.
        """
        if self.r_drop:
            one, other = (logits_by_length(model, inputs) for _ in range(self.n_passes))
            return (self.loss(one, batch) + self.loss(other, batch)) / 2 + self.r_drop * _mean(disagreement(one, other), batch)
        if self.mixup is None:
            return self.loss(logits_by_length(model, inputs), batch)
        mixed = self.mixup(model, inputs)
        labels, weights = self._truth(batch), batch["weights"]
        own, others = weights * mixed.shares, weights[mixed.partners] * (1 - mixed.shares)
        losses = own * self.row_losses(mixed.logits, labels) + others * self.row_losses(mixed.logits, labels[mixed.partners])
        return losses.sum() / (own + others).sum()

    def _truth(self, batch: dict[str, Tensor]) -> Tensor:
        """The classes of the rows (n_rows,), or their probabilities (n_rows, n_classes) where labels are soft or smoothed."""
        from torch.nn import functional

        found = batch["soft_labels"] if "soft_labels" in batch else batch["labels"]
        if not self.label_smoothing:
            return found
        n_classes = len(self.classes)
        p = functional.one_hot(found, n_classes).float() if found.ndim == 1 else found
        return (1 - self.label_smoothing) * p + self.label_smoothing / n_classes

    def evaluated(self, model: Module, inputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """The logits of the rows as they are."""
        logits: Tensor = model(**inputs).logits
        return logits

    def decide(self, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Nothing: the class with the highest logit is predicted."""

    def scores(self, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, Any]:
        """Scores of `logits` (n_rows, n_classes); the loss is the plain mean cross-entropy, no row weighted."""
        log_p = _log_softmax(logits)
        loss = float(-log_p[np.arange(len(labels)), labels].mean())
        return scores(labels, logits.argmax(axis=1), classes=self.classes, loss=loss)

    def predictions(self, logits: NDArray[np.float32], labels: pa.ChunkedArray) -> dict[str, list[Any]]:
        """Columns of `predictions.parquet`: the predicted class and, as `p_<class>`, the probability of each class."""
        p = np.exp(_log_softmax(logits))
        columns: dict[str, list[Any]] = {"prediction": [self.classes[i] for i in logits.argmax(axis=1)]}
        return columns | {f"p_{name}": p[:, i].astype(np.float32).tolist() for i, name in enumerate(self.classes)}

    def report(self, test: dict[str, Any]) -> str:
        """The per-class table as scikit-learn's `classification_report` prints it, from the confusion matrix."""
        from sklearn.metrics import classification_report

        counts = np.asarray(test["confusion"])
        true, predicted = np.indices(counts.shape)
        labels = np.repeat(true.ravel(), counts.ravel())
        guesses = np.repeat(predicted.ravel(), counts.ravel())
        numbers = list(range(len(self.classes)))
        text = classification_report(labels, guesses, labels=numbers, target_names=self.classes, digits=3, zero_division=0)
        return str(text).rstrip()


def _mean(losses: Tensor, batch: dict[str, Tensor]) -> Tensor:
    return (losses * batch["weights"]).sum() / batch["weights"].sum()


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
