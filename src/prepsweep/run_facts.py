"""What a run tells of its data, its budget and its cost in the record."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from prepsweep.methods.four_bits import n_numbers
from prepsweep.module import FineTuning
from prepsweep.pipeline import Prepared
from prepsweep.record import peak_rss_mb
from prepsweep.stages import source_of


def data_facts(cfg: DictConfig, prepared: Prepared) -> dict[str, Any]:
    source = source_of(cfg)
    named = {name: source.spec[name] for name in ("path", "dev_path", "test_path", "name", "revision") if source.spec.get(name)}
    content = prepared.stages[0]["key"]
    return {
        "source": {"kind": source.name, **named, "content_hash": content, "given_splits": prepared.given_splits},
        "classes": prepared.classes,
        "stages": prepared.stages,
        "splits": prepared.splits,
        "leaks": prepared.leaks,
    }


def budget_facts(cfg: DictConfig, module: FineTuning, trainer: pl.Trainer, *, n_train: int) -> dict[str, Any]:
    seen = module.examples_seen * trainer.world_size
    return {
        "kind": cfg.budget.kind,
        "epochs": round(seen / n_train, 4),
        "steps": trainer.global_step,
        # More than `steps` where budget.patience ended the run.
        "planned_steps": module.n_steps,
        "examples_seen": seen,
        "tokens_seen": module.tokens_seen * trainer.world_size,
        "trained_parameters": n_numbers(parameter for parameter in module.model.parameters() if parameter.requires_grad),
        "parameters": n_numbers(module.model.parameters()),
        "tokens_computed": module.tokens_computed * trainer.world_size,
        "real_token_fraction": round(module.task.n_passes * module.tokens_seen / max(module.tokens_computed, 1), 4),
    }


def device_facts(trainer: pl.Trainer) -> dict[str, Any]:
    gpu = torch.cuda.is_available() and trainer.strategy.root_device.type == "cuda"
    return {
        "peak_rss_mb": peak_rss_mb(),
        "device": torch.cuda.get_device_name() if gpu else "cpu",
        "n_devices": trainer.world_size,
        "precision": str(trainer.precision),
        "gpu_peak_mb": round(torch.cuda.max_memory_allocated() / 1024**2, 1) if gpu else None,
    }
