"""Tells whoever waits for a run how far it is, and with what loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

OnStep = Callable[[int, int, Tensor], None]


class StepCount(pl.Callback):
    """Calls `on_step(done, total, loss)`, if there is one, after each optimizer step.

    The loss is where it was computed: to look at its value waits for the device.
    """

    def __init__(self, on_step: OnStep | None) -> None:
        self.on_step, self.told = on_step, 0
        # Of the parts of a batch so far: Lightning has each by its share.
        self.loss: Tensor | float = 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.on_step is None:
            return
        loss = outputs["loss"] + self.loss
        if stepped := trainer.global_step > self.told:
            self.told = trainer.global_step
            self.on_step(self.told, trainer.max_steps, loss)
        self.loss = 0.0 if stepped else loss
