"""The best model so far by validation score, as a folder that transformers loads."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from prepsweep.module import FineTuning


class BestModel(pl.Callback):
    """Saves the model whenever the monitored score rises, and keeps the score of every validation in `curve`.

    `validate_seconds` counts the validations and the saving, so that a training rate can leave them out.
    """

    def __init__(self, model_dir: Path, monitor: str) -> None:
        self.model_dir, self.monitor = model_dir, monitor
        self.curve: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        self.best_step = -1
        self.validate_seconds = 0.0
        self._started = 0.0

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, FineTuning)
        scores = pl_module.scores
        shown = {name: value for name, value in scores.items() if isinstance(value, float)}
        self.curve.append({"step": trainer.global_step, **shown})
        if self.best is None or scores[self.monitor] > self.best[self.monitor]:
            self.best, self.best_step = scores, trainer.global_step
            if trainer.is_global_zero:
                model: Any = pl_module.model
                model.save_pretrained(self.model_dir)
        self.validate_seconds += time.perf_counter() - self._started
