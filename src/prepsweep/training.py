"""One run from configuration to record: prepare, fine-tune, test, write down."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytorch_lightning as pl
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from numpy.typing import NDArray
from omegaconf import DictConfig

from prepsweep.annotate.origins import LABEL_ORIGIN
from prepsweep.averaging import WeightAverage
from prepsweep.best_model import BestModel, save_model
from prepsweep.cache import Cache
from prepsweep.checkpointing import Checkpoints, DurableFile, remove_checkpoint
from prepsweep.checkpoints import TOKENIZER_FILES, WEIGHT_FILES, checkpoint_folder
from prepsweep.continuing import CHECKPOINT_FILE
from prepsweep.datamodule import PreparedData
from prepsweep.early_stop import EarlyStop
from prepsweep.errors import Refused
from prepsweep.identity import hash_json
from prepsweep.lineage import table_of
from prepsweep.methods.adapters import merged
from prepsweep.methods.configured import with_method
from prepsweep.module import FineTuning
from prepsweep.monitors import monitored
from prepsweep.pipeline import Prepared, prepare
from prepsweep.precision import resolve_precision
from prepsweep.precomputed import read_states
from prepsweep.preemption import Stop, deferred, preemptible
from prepsweep.pretrained import n_places
from prepsweep.publish import publish_file
from prepsweep.ranks import n_ranks, rank
from prepsweep.record import PREDICTIONS_FILE, RunRecord, plain_config, recorded
from prepsweep.run_facts import budget_facts, data_facts, device_facts
from prepsweep.step_count import OnStep, StepCount
from prepsweep.synthetic import place_between
from prepsweep.tasks.options import built_task
from prepsweep.terminal import show_run
from prepsweep.tracking import Trackers
from prepsweep.training_bars import TrainingBars


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

    A batch is computed in `n_parts`, or as many as it has rows, and its gradients added up, where a device has no room for
    the whole. `on_step` is told the steps done, those to do and the loss.
    """
    run_dir, first = Path(run_dir), rank() == 0
    with preemptible(), recorded(run_dir, plain_config(cfg), choices=choices, overrides=overrides, writes=first) as record:
        started = time.perf_counter()
        cache = cache or Cache(Path(cfg.paths.cache_dir))
        prepared = prepare(cfg, cache)
        record.values |= {"data": data_facts(cfg, prepared), "cost": {"prepare_seconds": _since(started)}}
        with Trackers.of(cfg, record) if first else Trackers([], record) as trackers:
            outcome = _fine_tune(cfg, prepared, cache, record, trackers, n_parts=n_parts, on_step=on_step)
            if first:
                _write_predictions(run_dir / PREDICTIONS_FILE, prepared, outcome)
            trackers.finish(record.values, prepared)
    if first:
        remove_checkpoint(run_dir / CHECKPOINT_FILE)
        show_run(record.values, report=outcome.report, run_dir=run_dir)
    return monitored(record.values, "val")[1]


@dataclass(frozen=True)
class Outcome:
    """What fine-tuning leaves for the record besides its scores."""

    predictions: dict[str, Any]
    lengths: NDArray[np.int64]
    report: str


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
    cfg: DictConfig, prepared: Prepared, cache: Cache, record: RunRecord, trackers: Trackers, *, n_parts: int, on_step: OnStep | None
) -> Outcome:
    from transformers import AutoTokenizer

    quiet()
    pl.seed_everything(cfg.seeds.model, workers=True, verbose=False)
    folder = checkpoint_folder(cfg.model.name, revision=cfg.model.revision, patterns=TOKENIZER_FILES + WEIGHT_FILES, where="model.name")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    n_train = len(prepared.tokens["train"])
    task = built_task(cfg.task, classes=prepared.classes, train=table_of(prepared.tokens["train"]))
    batch_size = cfg.model.batch_size * n_ranks(cfg)
    steps = n_steps(cfg.budget, n_before=prepared.n_train_before, n_train=n_train, batch_size=batch_size)
    recipe = {name: cfg.model[name] for name in ("learning_rate", "layer_decay", "weight_decay", "warmup_fraction")}
    module = FineTuning(with_method(task.load_model(folder), cfg.method, n_steps=steps), task, n_steps=steps, **recipe)
    # A task that has a tokenizer gives it a chat template, which belongs to the model.
    tokenizer = getattr(task, "tokenizer", tokenizer)
    n_parts = min(n_parts, cfg.model.batch_size)
    data = _data(cfg, prepared, task, module.model, pad_token_id=tokenizer.pad_token_id or 0, n_parts=n_parts)
    record.values["cost"] |= _with_states(cfg, module, data, cache, prepared)
    best = BestModel(task.monitor)
    average = WeightAverage(best, cfg.model.average_last)
    with deferred() as stop:
        checkpoints = _checkpoints(cfg, record, prepared, stop, n_parts=n_parts)
        callbacks = [best, average, EarlyStop(best, cfg.budget.patience), StepCount(on_step), TrainingBars(best), checkpoints]
        precision = checkpoints.precision or resolve_precision(cfg.trainer.precision, cfg.trainer.accelerator)
        trainer = _trainer(cfg, steps, trackers, n_rows=n_train, callbacks=callbacks, n_parts=n_parts, precision=precision)
        trainer.fit(module, datamodule=data, ckpt_path=checkpoints.found, weights_only=True)
        if not best.curve or best.curve[-1]["step"] != trainer.global_step:
            trainer.validate(module, datamodule=data, verbose=False)
        average.try_on(trainer, module, data)
        record.values["cost"] |= {"train_seconds": round(checkpoints.train_seconds, 3), "n_starts": checkpoints.n_starts}
        assert best.best is not None
        task.decision = {name: best.best[name] for name in task.decision}
        module.model.load_state_dict(best.weights)
        record.values["budget"] = budget_facts(cfg, module, trainer, n_train=n_train)
        module.model = merged(module.model)
        if trainer.is_global_zero:
            folder, precision = record.run_dir / "model", str(trainer.precision)
            save_model(module.model, tokenizer, folder, record.values["config"], task.decision, precision=precision)
        started = time.perf_counter()
        trainer.test(module, datamodule=data, verbose=False)
    assert module.test_logits is not None

    val = best.best | {"step": best.best_step}
    record.values["metrics"] = {"monitor": task.monitor, "val": val, "test": module.scores, "val_curve": best.curve}
    record.values["cost"] |= {"validate_seconds": round(best.validate_seconds, 3), "test_seconds": _since(started)}
    record.values["cost"] |= device_facts(trainer)
    predictions = task.predictions(module.test_logits, table_of(prepared.tokens["test"]).column("label"))
    return Outcome(predictions, data.splits["test"].n_tokens, task.report(module.scores))


def _data(cfg: DictConfig, prepared: Prepared, task: Any, model: Any, *, pad_token_id: int, n_parts: int) -> PreparedData:
    """Batches of the prepared rows; refused where one has more tokens than the model has places for, which would fail amid training."""
    sizes = {"batch_size": cfg.model.batch_size, "eval_batch_size": max(1, cfg.model.eval_batch_size // n_parts), "n_parts": n_parts}
    data = PreparedData(prepared.tokens, task, pad_token_id=pad_token_id, seed=cfg.seeds.model, **sizes)
    most, longest = n_places(model), max(int(rows.lengths.max()) for rows in data.splits.values())
    if most is not None and longest > most:
        *_, name = cfg.preprocess
        what = f"{cfg.model.name} reads at most {most} tokens at once, and there are rows of {longest:,}"
        raise Refused(f"preprocess.{name}.max_length", what, f"set preprocess.{name}.max_length={most}")
    return data


def _with_states(cfg: DictConfig, module: FineTuning, data: PreparedData, cache: Cache, prepared: Prepared) -> dict[str, Any]:
    """Have batches bring the states of frozen layers and the points between them; what there was to compute."""
    # Mixup mixes what goes into the layers.
    mixes = getattr(module.task, "mixup", None) is not None
    facts = {} if mixes else read_states(module.model, data, cache, accelerator=cfg.trainer.accelerator)
    place_between(data.splits["train"], prepared.tokens["train"])
    return facts


def _checkpoints(cfg: DictConfig, record: RunRecord, prepared: Prepared, stop: Stop, *, n_parts: int) -> Checkpoints:
    """What keeps the run's checkpoint; one of other data, or of a batch that was split otherwise, is none of this run."""
    identity = {
        "run_id": record.values["run_id"],
        "data": hash_json([stage["key"] for stage in prepared.stages]),
        "number of processes": n_ranks(cfg),
        "number of parts of a batch": n_parts,
    }
    return Checkpoints(record.run_dir / CHECKPOINT_FILE, identity, every_seconds=cfg.trainer.checkpoint_seconds, stop=stop)


def _trainer(
    cfg: DictConfig, steps: int, trackers: Trackers, *, n_rows: int, callbacks: list[pl.Callback], n_parts: int, precision: Any
) -> pl.Trainer:
    n_batches = n_rows // (cfg.model.batch_size * n_ranks(cfg))
    return pl.Trainer(
        accelerator=cfg.trainer.accelerator,
        devices=cfg.trainer.devices,
        strategy=cfg.trainer.strategy,
        precision=precision,
        max_steps=steps,
        max_epochs=-1,
        gradient_clip_val=cfg.model.max_grad_norm,
        # Counted in steps over epochs, so that arms with more rows are looked at as often as the others.
        val_check_interval=max(1, steps // cfg.budget.evaluations) * n_parts,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=trackers.lightning_loggers() or False,
        # Once an epoch at the least: a small data set is fewer batches than ten.
        log_every_n_steps=max(1, min(10, steps // 20, n_batches)),
        callbacks=callbacks,
        accumulate_grad_batches=n_parts,
        # A run's processes are started here (`ranks`), and what Slurm says is of the job that they are part of.
        plugins=[DurableFile(), LightningEnvironment()],
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,  # TrainingBars has a better one
    )


def quiet() -> None:
    """Leave to Lightning what is news to a user: warnings, but not its tips nor its advice on worker processes."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
    warnings.filterwarnings("ignore", message=".*all_gather is deprecated.*")
    warnings.filterwarnings("ignore", message="The `srun` command is available on your system but is not used.*")
    # What is frozen runs without dropout (freezing.without_dropout).
    warnings.filterwarnings("ignore", message="Found .* in eval mode at the start of training.*")
    # It cannot know that the batch sampler begins at the place of the checkpoint (checkpointing.Place).
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before the epoch ended.*")
    # Rows that a sampler repeats to fill a process's last batch are taken out again by number (module._gathered).
    warnings.filterwarnings("ignore", message="Using `DistributedSampler` with the dataloaders.*")


def _write_predictions(path: Path, prepared: Prepared, outcome: Outcome) -> None:
    test = table_of(prepared.tokens["test"])
    columns: dict[str, Any] = {"uid": test.column("uid"), "label": test.column("label")}
    columns["label_origin"] = test.column(LABEL_ORIGIN) if LABEL_ORIGIN in test.column_names else pa.repeat(pa.scalar("gold"), len(test))
    for name, values in outcome.predictions.items():
        kind = pa.float32() if name.startswith("p_") else pa.string()
        columns[name] = values if isinstance(values, pa.Array) else pa.array(values, kind)
    columns["length"] = pa.array(outcome.lengths, pa.int32())
    table = pa.table(columns)
    publish_file(path, lambda file: pq.write_table(table, file), n_bytes=lambda: table.nbytes)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)
