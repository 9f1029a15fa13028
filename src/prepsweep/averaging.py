"""Weights averaged over the last looks at dev, as one more candidate for the best model."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch

from prepsweep.best_model import BestModel


class WeightAverage(pl.Callback):
    """The uniform mean of the trained weights of the last `n_looks` validations; 1 averages nothing.

    Izmailov et al. (2018), Averaging Weights Leads to Wider Optima and Better Generalization, arXiv:1803.05407, under the
    run's own learning rate. Each look keeps a copy of the trained parameters in the memory of the processor and in the
    checkpoint: `n_looks` times 4 bytes a parameter.
    """

    def __init__(self, best: BestModel, n_looks: int) -> None:
        self.best, self.n_looks = best, n_looks
        self.looks: list[dict[str, torch.Tensor]] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.n_looks == 1 or self.best.n_averaged:
            return
        trained: Any = pl_module.model
        copies = {name: p.detach().to("cpu", copy=True) for name, p in trained.named_parameters() if p.requires_grad}
        self.looks = [*self.looks, copies][-self.n_looks :]

    def try_on(self, trainer: pl.Trainer, module: Any, data: pl.LightningDataModule) -> None:
        """Validate the mean, for `best` to take if it scores above every look; the model is left with it."""
        if len(self.looks) < 2:
            return
        # Added up in place: looks are as large as the model.
        means = {name: tensor / len(self.looks) for name, tensor in self.looks[0].items()}
        for look in self.looks[1:]:
            for name, tensor in look.items():
                means[name].add_(tensor, alpha=1 / len(self.looks))
        module.model.load_state_dict(means, strict=False)
        self.best.n_averaged = len(self.looks)
        trainer.validate(module, datamodule=data, verbose=False)

    def state_dict(self) -> dict[str, Any]:
        return {"looks": self.looks}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.looks = state_dict["looks"]
