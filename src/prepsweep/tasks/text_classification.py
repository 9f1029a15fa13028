"""One label a text: the loss of `task.loss`, accuracy and F1, scikit-learn's report."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from prepsweep.metrics import scores
from prepsweep.tasks.losses import Loss
from prepsweep.tasks.mixup import Mixed, refuse_without_embeddings

Mixup = Callable[[torch.nn.Module, dict[str, Tensor]], Mixed]
MONITOR = "macro_f1"


class TextClassification:
    """What the rest of the project asks of a task; another task is another class with these methods."""

    monitor = MONITOR

    def __init__(self, classes: Sequence[str], *, loss: Loss, priors: Sequence[float] = (), mixup: Mixup | None = None) -> None:
        """`loss` is a loss of single rows (`losses.py`); `priors` are the shares of the classes among the train rows.

        `mixup`, where training mixes rows, gives the logits of a batch as it mixed it (`mixup.py`).
        """
        self.classes, self.mixup = list(classes), mixup
        given = {"priors": priors} if "priors" in inspect.signature(loss).parameters else {}
        self.row_losses = partial(loss, **given)

    def load_model(self, folder: Path) -> torch.nn.Module:
        """The checkpoint with a classification head over the classes, in float32; a new head is drawn from torch's generator."""
        from transformers import AutoModelForSequenceClassification
        from transformers.utils import logging

        shown = logging.get_verbosity()
        # "Some weights were newly initialized" is what fine-tuning a new head means, and no news to anybody.
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            model: torch.nn.Module = AutoModelForSequenceClassification.from_pretrained(
                folder,
                num_labels=len(self.classes),
                id2label=dict(enumerate(self.classes)),
                label2id={name: i for i, name in enumerate(self.classes)},
                ignore_mismatched_sizes=True,
                dtype=torch.float32,
            )
        finally:
            logging.set_verbosity(shown)
        if self.mixup is not None:
            refuse_without_embeddings(model)
        return model

    def targets(self, labels: pa.ChunkedArray) -> NDArray[np.int64]:
        """Class numbers of the rows, shape (n_rows,)."""
        index = pa.compute.index_in(labels, pa.array(self.classes, pa.string()))
        return np.asarray(index.to_numpy(), dtype=np.int64)

    def loss(self, logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Mean loss over the rows, each by its weight (0-dimensional)."""
        losses = self.row_losses(logits, batch["labels"])
        return (losses * batch["weights"]).sum() / batch["weights"].sum()

    def training_loss(self, model: torch.nn.Module, inputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """`loss` of the model's logits; of a mixed batch the losses of both labels, each by its row's share and weight."""
        if self.mixup is None:
            return self.loss(model(**inputs).logits, batch)
        mixed = self.mixup(model, inputs)
        labels, weights = batch["labels"], batch["weights"]
        own, others = weights * mixed.shares, weights[mixed.partners] * (1 - mixed.shares)
        losses = own * self.row_losses(mixed.logits, labels) + others * self.row_losses(mixed.logits, labels[mixed.partners])
        return losses.sum() / (own + others).sum()

    def scores(self, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, Any]:
        """Scores of `logits` (n_rows, n_classes); the loss is the plain mean cross-entropy, no row weighted."""
        log_p = _log_softmax(logits)
        loss = float(-log_p[np.arange(len(labels)), labels].mean())
        return scores(labels, logits.argmax(axis=1), classes=self.classes, loss=loss)

    def predictions(self, logits: NDArray[np.float32]) -> dict[str, list[Any]]:
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


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
