"""The best model so far by validation score: kept in memory while a run trains, then a folder that transformers loads."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from prepsweep.methods.saved import save_weights
from prepsweep.module import FineTuning
from prepsweep.predict.preparation import PREPARATION_FILE
from prepsweep.publish import publish_folder


class BestModel(pl.Callback):
    """Keeps the weights whenever the monitored score rises, and the scores of every validation in `curve`.

    Beside the scores stands `train_loss`, the mean since the validation before: what it does while the dev score stands
    still tells a model that learns by heart from one that has stopped learning.

    The weights are part of the run's checkpoint: a folder beside it could be that of a later step than the checkpoint's.
    A score or loss that is not finite is never the best. `validate_seconds` counts the validations, so that a training
    rate can leave them out.
    """

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self.curve: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        self.best_step = -1
        self.weights: dict[str, torch.Tensor] = {}
        # Of how many looks the weights are the mean that are validated now; such a validation is no point of the curve.
        self.n_averaged = 0
        self.validate_seconds = 0.0
        self._started = 0.0

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, FineTuning)
        scores = pl_module.scores
        shown = {name: value for name, value in scores.items() if isinstance(value, float)}
        if not self.n_averaged:
            self.curve.append({"step": trainer.global_step, "train_loss": pl_module.take_train_loss(), **shown})
        if self._is_better(scores):
            averaged = {"n_averaged": self.n_averaged} if self.n_averaged else {}
            self.best, self.best_step = scores | averaged, trainer.global_step
            self.weights = {name: tensor.detach().to("cpu", copy=True) for name, tensor in pl_module.model.state_dict().items()}
        self.validate_seconds += time.perf_counter() - self._started

    def _is_better(self, scores: Mapping[str, Any]) -> bool:
        if not (math.isfinite(scores[self.monitor]) and math.isfinite(scores["loss"])):
            return False
        return self.best is None or scores[self.monitor] > self.best[self.monitor]

    def state_dict(self) -> dict[str, Any]:
        names = ("curve", "best", "best_step", "weights", "validate_seconds")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)


def save_model(
    model: Any, tokenizer: Any, model_dir: Path, config: Mapping[str, Any], decision: Mapping[str, float], *, precision: str
) -> None:
    """`model_dir` as transformers loads it, with what prediction needs besides: how text was cleaned and tokenised, whether it
    was pairs of texts, in which arithmetic the model was tested, and what was decided on dev (a threshold).

    The folder appears whole, in place of one that an earlier start left.
    """
    pairs = config["data"]["text_pair_column"] is not None if "text_pair_column" in config["data"] else False
    facts = {"clean": config["clean"], "preprocess": config["preprocess"], "pairs": pairs, "precision": precision}
    facts |= {"decision": dict(decision)} if decision else {}

    def write(folder: Path) -> None:
        save_weights(model, folder)
        tokenizer.save_pretrained(folder)
        (folder / PREPARATION_FILE).write_text(json.dumps(facts, indent=2), encoding="utf-8")

    publish_folder(model_dir, write)
