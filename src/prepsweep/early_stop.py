"""Ends training when the monitored score has not risen for some looks at dev."""

from __future__ import annotations

import pytorch_lightning as pl

from prepsweep.best_model import BestModel


class EarlyStop(pl.Callback):
    """Stops after `patience` validations in turn that were no better than the best before them; None never does.

    Stands behind `best`, whose curve is all that it remembers: a run that was cut off at the look that ends it ends there too.
    The schedule of the learning rate stays that of the whole budget.
    """

    def __init__(self, best: BestModel, patience: int | None) -> None:
        self.best, self.patience = best, patience

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._look(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._look(trainer)

    def _look(self, trainer: pl.Trainer) -> None:
        if self.patience is not None and sum(look["step"] > self.best.best_step for look in self.best.curve) >= self.patience:
            trainer.should_stop = True
