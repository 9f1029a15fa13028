"""The LightningModule: one recipe of fine-tuning for every task."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from prepsweep.datamodule import SHARE, PreparedData
from prepsweep.health import refuse_logits, refuse_loss
from prepsweep.length_groups import groups
from prepsweep.methods.adapters import after_step
from prepsweep.methods.freezing import without_dropout
from prepsweep.optimizer import adamw, warmed_up
from prepsweep.padded import STATES, inputs_of

Batch = dict[str, Tensor]


class Task(Protocol):
    """What the module asks of a task."""

    # The score of which the best model is kept; higher is better. `scores` holds it, `loss` and `per_class`, empty where there is no class.
    monitor: str
    classes: list[str]
    # How often the training loss passes a batch through the model.
    n_passes: int
    # What is chosen on dev and then kept: the threshold of several labels; empty where nothing is.
    decision: dict[str, float]

    def training_loss(self, model: torch.nn.Module, inputs: Batch, batch: Batch) -> Tensor: ...
    def evaluated(self, model: torch.nn.Module, inputs: Batch, batch: Batch) -> Tensor: ...
    def decide(self, logits: NDArray[np.float32], labels: NDArray[Any]) -> None: ...
    def scores(self, logits: NDArray[np.float32], labels: NDArray[Any]) -> dict[str, Any]: ...


class FineTuning(pl.LightningModule):
    """A pretrained model under AdamW with linear warm-up and decay (Devlin et al. 2019, appendix A.2)."""

    def __init__(
        self,
        model: torch.nn.Module,
        task: Task,
        *,
        learning_rate: float,
        layer_decay: float,
        weight_decay: float,
        warmup_fraction: float,
        n_steps: int,
    ):
        super().__init__()
        # from_pretrained leaves the model in eval mode and Lightning does not call train(): dropout would be off.
        self.model, self.task, self.n_steps = model.train(), task, n_steps
        without_dropout(model)
        model.register_forward_pre_hook(self._count_computed, with_kwargs=True)
        self.learning_rate, self.layer_decay = learning_rate, layer_decay
        self.weight_decay, self.warmup_fraction = weight_decay, warmup_fraction
        self.scores: dict[str, Any] = {}
        self.examples_seen = self.tokens_seen = self.tokens_computed = 0
        # Of the batches since the last look at dev: the sum of their losses, and how many they are, a part of one by its share.
        self.loss_sum, self.n_losses = 0.0, 0.0
        self._outputs: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self.test_logits: NDArray[np.float32] | None = None

    def training_step(self, batch: Batch, _: int) -> Tensor:
        loss = self.task.training_loss(self.model, inputs_of(self.model, batch), batch)
        # Not the gradients: those that overflow under float16 are the business of the scaler, which skips the step.
        if not torch.isfinite(loss):
            refuse_loss(float(loss.detach()), step=self.global_step + 1, uids=self._uids("train", batch["rows"]))
        self.examples_seen += len(batch["rows"])
        self.tokens_seen += int(batch["attention_mask"].sum())
        self.log("train/loss", loss)
        share = batch[SHARE] if SHARE in batch else torch.ones(())
        self.loss_sum, self.n_losses = self.loss_sum + float(loss.detach() * share), self.n_losses + float(share)
        # Lightning takes the plain mean over the parts of a batch.
        return loss * share * self.trainer.accumulate_grad_batches if SHARE in batch else loss

    def _count_computed(self, model: torch.nn.Module, _: Any, inputs: Batch) -> None:
        """Count the tokens, padding among them, of a call of the model in training; states that are stored count as if computed."""
        if model.training:
            mask = inputs["attention_mask"]
            # Where the first place is enough, a batch is one call.
            parts = groups(mask) if STATES in inputs and inputs[STATES].shape[1] == 1 else [(slice(None), slice(None))]
            self.tokens_computed += sum(mask[part].numel() for part in parts)

    def validation_step(self, batch: Batch, _: int) -> None:
        self._evaluate(batch)

    def test_step(self, batch: Batch, _: int) -> None:
        self._evaluate(batch)

    def _evaluate(self, batch: Batch) -> None:
        logits = self.task.evaluated(self.model, inputs_of(self.model, batch), batch)
        self._outputs.append((batch["windows"], batch["rows"], logits.float(), batch["labels"]))

    def on_validation_epoch_end(self) -> None:
        logits, labels = self._gathered()
        self._check_finite(logits, "dev")
        self.task.decide(logits, labels)
        self.scores = self.task.scores(logits, labels)
        shown = {f"val/{name}": value for name, value in self.scores.items() if isinstance(value, float)}
        self.log_dict(shown, sync_dist=self.trainer.world_size > 1)

    def on_test_epoch_end(self) -> None:
        self.test_logits, labels = self._gathered()
        self._check_finite(self.test_logits, "test")
        self.scores = self.task.scores(self.test_logits, labels)

    def take_train_loss(self) -> float:
        """Mean loss of the batches since this was last asked; in each of several processes that of its own."""
        mean = self.loss_sum / (self.n_losses or 1)
        self.loss_sum, self.n_losses = 0.0, 0.0
        return mean

    def _uids(self, split: str, rows: Any) -> list[str]:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, PreparedData)
        return data.uids(split, rows)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seen"] = [self.examples_seen, self.tokens_seen, self.tokens_computed, self.loss_sum, self.n_losses]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.examples_seen, self.tokens_seen, self.tokens_computed, self.loss_sum, self.n_losses = checkpoint["seen"]

    def _check_finite(self, logits: NDArray[np.float32], split: str) -> None:
        broken = np.flatnonzero(~np.isfinite(logits.reshape(len(logits), -1)).all(axis=1))
        if len(broken):
            refuse_logits(self._uids(split, broken), step=self.global_step, split=split)

    def _gathered(self) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Logits (n_rows, n_classes) and labels (n_rows,) in the order of the split, each row once; of words (n_rows, n_words, …).

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
        return np.divide(sums, n_windows.reshape(-1, *[1] * (sums.ndim - 1)), dtype=np.float32), labels[first][starts]

    def configure_optimizers(self) -> Any:
        optimizer = adamw(self.model, learning_rate=self.learning_rate, layer_decay=self.layer_decay, weight_decay=self.weight_decay)
        schedule = warmed_up(optimizer, n_warmup=round(self.warmup_fraction * self.n_steps), n_steps=self.n_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        after_step(self.model, self.global_step)
