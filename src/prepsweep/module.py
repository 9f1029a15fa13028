"""The LightningModule: one recipe of fine-tuning for every task."""

from __future__ import annotations

import inspect
from typing import Any, Protocol

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from prepsweep.datamodule import PreparedData
from prepsweep.health import refuse_logits, refuse_loss
from prepsweep.preprocess.tokenize import TYPES

Batch = dict[str, Tensor]


class Task(Protocol):
    """What the module asks of a task."""

    monitor: str
    classes: list[str]

    def training_loss(self, model: torch.nn.Module, inputs: Batch, batch: Batch) -> Tensor: ...
    def scores(self, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, Any]: ...


def inputs_of(model: torch.nn.Module, batch: Batch) -> Batch:
    """What of a batch the model is given; `token_type_ids` only where it has an embedding for a second text (BERT, not RoBERTa)."""
    names = ["input_ids", "attention_mask"]
    if TYPES in batch and TYPES in inspect.signature(model.forward).parameters and getattr(model.config, "type_vocab_size", 2) > 1:
        names.append(TYPES)
    return {name: batch[name] for name in names}


class FineTuning(pl.LightningModule):
    """A pretrained model under AdamW with linear warm-up and decay (Devlin et al. 2019, appendix A.2)."""

    def __init__(
        self, model: torch.nn.Module, task: Task, *, learning_rate: float, weight_decay: float, warmup_fraction: float, n_steps: int
    ):
        super().__init__()
        # from_pretrained leaves the model in eval mode and Lightning does not call train(): dropout would be off.
        self.model, self.task, self.n_steps = model.train(), task, n_steps
        self.learning_rate, self.weight_decay, self.warmup_fraction = learning_rate, weight_decay, warmup_fraction
        self.scores: dict[str, Any] = {}
        self.examples_seen = self.tokens_seen = self.tokens_computed = 0
        self._outputs: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self.test_logits: NDArray[np.float32] | None = None

    def training_step(self, batch: Batch, _: int) -> Tensor:
        loss = self.task.training_loss(self.model, inputs_of(self.model, batch), batch)
        # Not the gradients: those that overflow under float16 are the business of the scaler, which skips the step.
        if not torch.isfinite(loss):
            refuse_loss(float(loss.detach()), step=self.global_step + 1, uids=self._uids("train", batch["rows"]))
        self.examples_seen += len(batch["rows"])
        self.tokens_seen += int(batch["attention_mask"].sum())
        self.tokens_computed += batch["attention_mask"].numel()
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        self._evaluate(batch)

    def test_step(self, batch: Batch, _: int) -> None:
        self._evaluate(batch)

    def _evaluate(self, batch: Batch) -> None:
        logits = self.model(**inputs_of(self.model, batch)).logits
        self._outputs.append((batch["windows"], batch["rows"], logits.float(), batch["labels"]))

    def on_validation_epoch_end(self) -> None:
        logits, labels = self._gathered()
        self._check_finite(logits, "dev")
        self.scores = self.task.scores(logits, labels)
        shown = {f"val/{name}": value for name, value in self.scores.items() if isinstance(value, float)}
        self.log_dict(shown, sync_dist=self.trainer.world_size > 1)

    def on_test_epoch_end(self) -> None:
        self.test_logits, labels = self._gathered()
        self._check_finite(self.test_logits, "test")
        self.scores = self.task.scores(self.test_logits, labels)

    def _uids(self, split: str, rows: Any) -> list[str]:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, PreparedData)
        return data.uids(split, rows)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seen"] = [self.examples_seen, self.tokens_seen, self.tokens_computed]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.examples_seen, self.tokens_seen, self.tokens_computed = checkpoint["seen"]

    def _check_finite(self, logits: NDArray[np.float32], split: str) -> None:
        broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
        if len(broken):
            refuse_logits(self._uids(split, broken), step=self.global_step, split=split)

    def _gathered(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Logits (n_rows, n_classes) and labels (n_rows,) in the order of the split, each row once.

        The logits of a row that was read in several windows are their mean.
        """
        gathered = [torch.cat(parts) for parts in zip(*self._outputs, strict=True)]
        self._outputs = []
        if self.trainer.world_size > 1:
            # Lightning fills the last batch of some processes with repeated windows; their numbers take them out again.
            gathered = [torch.cat(list(self.all_gather(part))) for part in gathered]
        windows, rows, logits, labels = (part.cpu().numpy() for part in gathered)
        order, first = np.unique(windows, return_index=True)
        assert len(order) == order[-1] + 1, "a part of the split was not evaluated"
        # Windows are numbered row by row, so those of a row are neighbours now.
        _, starts, n_windows = np.unique(rows[first], return_index=True, return_counts=True)
        sums = np.add.reduceat(logits[first], starts, axis=0)
        return np.divide(sums, n_windows[:, None], dtype=np.float32), labels[first][starts]

    def configure_optimizers(self) -> Any:
        decayed = [p for p in self.model.parameters() if p.requires_grad and p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, fused=True)
        n_warmup = round(self.warmup_fraction * self.n_steps)

        def factor(step: int) -> float:
            if step < n_warmup:
                return (step + 1) / n_warmup
            return max(0.0, (self.n_steps - step) / max(1, self.n_steps - n_warmup))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
