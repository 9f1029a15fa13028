"""One run from configuration to record: prepare, fine-tune, test, write down."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from prepsweep.best_model import BestModel
from prepsweep.cache import Cache
from prepsweep.checkpoints import TOKENIZER_FILES, WEIGHT_FILES, checkpoint_folder
from prepsweep.datamodule import PreparedData
from prepsweep.lineage import table_of
from prepsweep.module import FineTuning
from prepsweep.pipeline import Prepared, prepare
from prepsweep.precision import resolve_precision
from prepsweep.ranks import n_ranks, rank
from prepsweep.record import PREDICTIONS_FILE, RunRecord, peak_rss_mb, plain_config, recorded
from prepsweep.stages import instance, source_of
from prepsweep.step_count import OnStep, StepCount
from prepsweep.tasks.losses import class_priors
from prepsweep.terminal import show_run
from prepsweep.tracking import Trackers


def train(
    cfg: DictConfig,
    *,
    run_dir: str | Path,
    choices: Mapping[str, Any],
    overrides: Sequence[str] = (),
    cache: Cache | None = None,
    n_parts: int = 1,
    on_step: OnStep | None = None,
) -> float:
    """Run `cfg` in `run_dir` and return the best validation score; `run.json` tells how it ended, whatever happens.

    A batch is computed in `n_parts`, its gradients added up, where a device has no room for the whole. `on_step` is
    told the steps done and to do.
    """
    run_dir, first = Path(run_dir), rank() == 0
    with recorded(run_dir, plain_config(cfg), choices=choices, overrides=overrides, writes=first) as record:
        started = time.perf_counter()
        prepared = prepare(cfg, cache or Cache(Path(cfg.paths.cache_dir)))
        record.values |= {"data": _data_facts(cfg, prepared), "cost": {"prepare_seconds": _since(started)}}
        with Trackers.of(cfg, record) if first else Trackers([], record) as trackers:
            outcome = _fine_tune(cfg, prepared, record, trackers, n_parts=n_parts, on_step=on_step)
            if first:
                _write_predictions(run_dir / PREDICTIONS_FILE, prepared, outcome)
            trackers.finish(record.values, prepared)
    if first:
        show_run(record.values, report=outcome.report, run_dir=run_dir)
    return float(record.values["metrics"]["val"][outcome.monitor])


@dataclass(frozen=True)
class Outcome:
    """What fine-tuning leaves for the record besides its scores."""

    predictions: dict[str, list[Any]]
    report: str
    monitor: str


def n_steps(budget: Mapping[str, Any], *, n_before: int, n_train: int, batch_size: int) -> int:
    """Optimizer steps that a budget allows.

    `equal_steps` counts the train rows before augment and balance, so that every arm of a study takes the same steps;
    `epochs` counts the rows that the preparation made; `steps` is the number itself.
    """
    if budget["kind"] == "steps":
        return int(budget["steps"])
    rows = n_before if budget["kind"] == "equal_steps" else n_train
    return int(budget["epochs"]) * math.ceil(rows / batch_size)


def _fine_tune(
    cfg: DictConfig, prepared: Prepared, record: RunRecord, trackers: Trackers, *, n_parts: int, on_step: OnStep | None
) -> Outcome:
    from transformers import AutoTokenizer

    quiet()
    pl.seed_everything(cfg.seeds.model, workers=True, verbose=False)
    folder = checkpoint_folder(cfg.model.name, revision=cfg.model.revision, patterns=TOKENIZER_FILES + WEIGHT_FILES, where="model.name")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    priors = class_priors(table_of(prepared.tokens["train"]).column("label"), prepared.classes)
    task = instance(cfg.task, "task", classes=prepared.classes, priors=priors)
    steps = n_steps(
        cfg.budget, n_before=prepared.n_train_before, n_train=len(prepared.tokens["train"]), batch_size=cfg.model.batch_size * n_ranks(cfg)
    )
    recipe = {name: cfg.model[name] for name in ("learning_rate", "weight_decay", "warmup_fraction")}
    module = FineTuning(task.load_model(folder), task, n_steps=steps, **recipe)
    sizes = {name: max(1, cfg.model[name] // n_parts) for name in ("batch_size", "eval_batch_size")}
    data = PreparedData(prepared.tokens, task, pad_token_id=tokenizer.pad_token_id or 0, seed=cfg.seeds.model, **sizes)
    best = BestModel(record.run_dir / "model", task.monitor)
    callbacks: list[pl.Callback] = [best, StepCount(on_step)] if on_step else [best]
    accumulate = cfg.model.batch_size // sizes["batch_size"]
    trainer = _trainer(cfg, steps, trackers, n_rows=len(prepared.tokens["train"]), callbacks=callbacks, accumulate=accumulate)

    started = time.perf_counter()
    trainer.fit(module, datamodule=data)
    if not best.curve or best.curve[-1]["step"] != trainer.global_step:
        trainer.validate(module, datamodule=data, verbose=False)
    train_seconds = _since(started)
    trainer.strategy.barrier("the best model is on disk")
    if best.best_step != trainer.global_step:
        module.model = task.load_model(best.model_dir)
    if trainer.is_global_zero:
        tokenizer.save_pretrained(best.model_dir)
        _save_preparation(best.model_dir, record.values["config"])
    started = time.perf_counter()
    trainer.test(module, datamodule=data, verbose=False)
    assert best.best is not None and module.test_logits is not None

    record.values["metrics"] = {"val": best.best | {"step": best.best_step}, "test": module.scores, "val_curve": best.curve}
    record.values["budget"] = _budget_facts(cfg, module, trainer, n_train=len(prepared.tokens["train"]))
    seconds = {"train_seconds": train_seconds, "validate_seconds": round(best.validate_seconds, 3), "test_seconds": _since(started)}
    record.values["cost"] |= seconds | _device_facts(trainer)
    return Outcome(task.predictions(module.test_logits), task.report(module.scores), task.monitor)


def _trainer(cfg: DictConfig, steps: int, trackers: Trackers, *, n_rows: int, callbacks: list[pl.Callback], accumulate: int) -> pl.Trainer:
    n_batches = n_rows // (cfg.model.batch_size * n_ranks(cfg))
    return pl.Trainer(
        accelerator=cfg.trainer.accelerator,
        devices=cfg.trainer.devices,
        strategy=cfg.trainer.strategy,
        precision=resolve_precision(cfg.trainer.precision, cfg.trainer.accelerator),
        max_steps=steps,
        max_epochs=-1,
        gradient_clip_val=cfg.model.max_grad_norm,
        # Counted in steps over epochs, so that arms with more rows are looked at as often as the others.
        val_check_interval=max(1, steps // cfg.budget.evaluations) * accumulate,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=trackers.lightning_loggers() or False,
        # Once an epoch at the least: a small data set is fewer batches than ten.
        log_every_n_steps=max(1, min(10, steps // 20, n_batches)),
        callbacks=callbacks,
        accumulate_grad_batches=accumulate,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
    )


def quiet() -> None:
    """Leave to Lightning what is news to a user: warnings, but not its tips nor its advice on worker processes."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
    warnings.filterwarnings("ignore", message=".*all_gather is deprecated.*")
    # Rows that a sampler repeats to fill a process's last batch are taken out again by number (module._gathered).
    warnings.filterwarnings("ignore", message="Using `DistributedSampler` with the dataloaders.*")


def _data_facts(cfg: DictConfig, prepared: Prepared) -> dict[str, Any]:
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


def _budget_facts(cfg: DictConfig, module: FineTuning, trainer: pl.Trainer, *, n_train: int) -> dict[str, Any]:
    seen = module.examples_seen * trainer.world_size
    return {
        "kind": cfg.budget.kind,
        "epochs": round(seen / n_train, 4),
        "steps": trainer.global_step,
        "examples_seen": seen,
        "tokens_seen": module.tokens_seen * trainer.world_size,
        "real_token_fraction": round(module.tokens_seen / max(module.tokens_computed, 1), 4),
    }


def _device_facts(trainer: pl.Trainer) -> dict[str, Any]:
    gpu = torch.cuda.is_available() and trainer.strategy.root_device.type == "cuda"
    return {
        "peak_rss_mb": peak_rss_mb(),
        "device": torch.cuda.get_device_name() if gpu else "cpu",
        "n_devices": trainer.world_size,
        "precision": str(trainer.precision),
        "gpu_peak_mb": round(torch.cuda.max_memory_allocated() / 1024**2, 1) if gpu else None,
    }


def _write_predictions(path: Path, prepared: Prepared, outcome: Outcome) -> None:
    test = table_of(prepared.tokens["test"])
    columns: dict[str, Any] = {"uid": test.column("uid"), "label": test.column("label")}
    for name, values in outcome.predictions.items():
        columns[name] = pa.array(values, pa.float32() if name.startswith("p_") else pa.string())
    private = path.with_name(f".{path.name}")
    pq.write_table(pa.table(columns), private)
    private.replace(path)


def _save_preparation(model_dir: Path, config: Mapping[str, Any]) -> None:
    """Beside the weights: how text was cleaned and tokenised, so that prediction can do the same."""
    facts = {"clean": config["clean"], "preprocess": config["preprocess"]}
    (model_dir / "preparation.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)
