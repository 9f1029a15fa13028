"""The checkpoint of a run under way: one file, replaced whole, from which the same command goes on bit by bit alike.

Lightning gathers it and puts it back (`Trainer.save_checkpoint`, `fit(ckpt_path=…)`); what it leaves open is done here.
Its writer does not sync, so `DurableFile` is the writer. It restores neither random generators nor the place within an
epoch, and how its loops start again depends on the hook that saved; so `Checkpoints` saves between two steps only and
writes the state of the loops as it is there, whatever the hook.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO

from prepsweep.datamodule import PreparedData
from prepsweep.preemption import Preempted, Stop
from prepsweep.publish import private_name, publish_file
from prepsweep.ranks import rank
from prepsweep.rng_states import restore_rng_states, rng_states

_OWN = "prepsweep"


class DurableFile(TorchCheckpointIO):
    """Lightning's checkpoint file, written beside its place, synced and renamed, and read without running any code in it."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        publish_file(Path(path), lambda file: torch.save(checkpoint, file), private=private_name(Path(path)))

    def load_checkpoint(self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return loaded


def _own_part(file: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """Our part of the checkpoint in `file`, if it is one of a run with this identity; says so where it cannot be used."""
    if not file.exists():
        return None
    try:
        found: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True, mmap=True)[_OWN]
        differs = sorted(name for name in identity if found["identity"].get(name) != identity[name])
    except Exception:  # noqa: BLE001 - torch has many ways to say that a file is damaged
        _say(f"checkpoint not used, the run starts anew: {file}: it is damaged")
        return None
    if differs:
        _say(f"checkpoint not used, the run starts anew: {file}: another {', '.join(differs)}")
        return None
    _say(f"continues after step {found['step']}: {file}")
    return found


def _say(line: str) -> None:
    if rank() == 0:
        print(line, file=sys.stderr)


def remove_checkpoint(file: Path) -> None:
    """Nothing is to be continued any more."""
    for path in (file, private_name(file)):
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Place:
    """A place between two steps: `batch` batches of this epoch are done, `batches` and `steps` of all epochs."""

    epoch: int
    batch: int
    batches: int
    steps: int

    @classmethod
    def of(cls, trainer: pl.Trainer) -> Place:
        loop = trainer.fit_loop
        epoch, batch = trainer.current_epoch, loop.batch_idx + 1
        if batch >= trainer.num_training_batches:
            epoch, batch = epoch + 1, 0
        return cls(epoch, batch, loop.total_batch_idx + 1, trainer.global_step)

    def loops(self, state: dict[str, Any], *, validation_due: bool, validated: bool) -> dict[str, Any]:
        """Lightning's state of its loops, as it reads it to go on at this place: with the validation that is due, or after it."""
        halfway = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
        validation = halfway if validation_due and not validated else dict.fromkeys(halfway, 0)
        epoch = {"ready": self.epoch + 1, "started": self.epoch + 1, "processed": self.epoch, "completed": self.epoch}
        batches = {"total": dict.fromkeys(halfway, self.batches), "current": dict.fromkeys(halfway, self.batch), "is_last_batch": False}
        fit_loop = state["fit_loop"] | {
            "epoch_progress": {"total": epoch, "current": dict(epoch)},
            "epoch_loop.batch_progress": batches,
            # Lightning counts a step for its loggers after the validation that follows it.
            "epoch_loop.state_dict": {"_batches_that_stepped": self.steps - validation_due},
            "epoch_loop.val_loop.batch_progress": {"total": validation, "current": dict(validation), "is_last_batch": False},
        }
        return state | {"fit_loop": fit_loop}


class Checkpoints(pl.Callback):
    """Saves a checkpoint every `every_seconds` and, when `stop` was asked for, before it ends the run.

    Stands behind the callbacks whose state belongs to a step. Within a step, and between the parts of a batch that is
    computed in several, it waits; a validation is broken off, and done from its start by the run that continues.
    """

    def __init__(self, file: Path, identity: Mapping[str, Any], *, every_seconds: float, stop: Stop) -> None:
        self.file, self.identity, self.every_seconds, self.stop = file, dict(identity), every_seconds, stop
        own = _own_part(file, identity)
        # What `fit` goes on from, and the precision that it had: `auto` measures, and may find another a second time.
        self.found: Path | None = file if own else None
        self.precision: str | None = own["precision"] if own else None
        self.n_starts, self._seconds_before = 1, 0.0
        self._started = self._saved = time.monotonic()
        self._rng: dict[str, Any] | None = None
        self._steps, self._between_steps, self._validated = 0, False, False

    @property
    def train_seconds(self) -> float:
        """Time that training has taken so far, in all starts of the run."""
        return self._seconds_before + time.monotonic() - self._started

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.stop.listen()
        self._started = self._saved = time.monotonic()
        self._steps = trainer.global_step
        if self._rng is not None:
            restore_rng_states(self._rng)
            self._rng = None

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._between_steps = trainer.global_step > self._steps
        self._steps, self._validated = trainer.global_step, False
        if not _validation_due(trainer):
            self._look(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self._look(trainer, only_to_stop=True)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._validated = True
        self._look(trainer)

    def on_test_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self._look(trainer, only_to_stop=True)

    def _look(self, trainer: pl.Trainer, *, only_to_stop: bool = False) -> None:
        if not self._between_steps:
            return
        due = not only_to_stop and trainer.state.fn == "fit" and time.monotonic() - self._saved > self.every_seconds
        if _any_process(trainer, due or bool(self.stop.signal_name)):
            trainer.save_checkpoint(self.file)
            self._saved = time.monotonic()
            if _any_process(trainer, bool(self.stop.signal_name)):
                raise Preempted(self.stop.signal_name or "another process of the run")

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        place = Place.of(trainer)
        checkpoint["loops"] = place.loops(checkpoint["loops"], validation_due=_validation_due(trainer), validated=self._validated)
        checkpoint[_OWN] = {
            "identity": self.identity,
            "step": place.steps,
            "place": [place.epoch, place.batch],
            "rng": _of_all_processes(trainer, rng_states()),
            "train_seconds": self.train_seconds,
            "n_starts": self.n_starts,
            "precision": str(trainer.precision),
        }

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        own, data = checkpoint[_OWN], getattr(trainer, "datamodule", None)
        assert isinstance(data, PreparedData)
        data.start = (own["place"][0], own["place"][1])
        self._rng = own["rng"][trainer.global_rank]
        self._seconds_before, self.n_starts = own["train_seconds"], own["n_starts"] + 1
        # A run that has its steps behind it can be stopped again in its last validation or its test.
        self._between_steps, self._steps = True, own["step"]


def _validation_due(trainer: pl.Trainer) -> bool:
    """Whether Lightning validates after the last batch: it counts batches over epochs, see `training._trainer`."""
    return trainer.fit_loop.total_batch_idx >= 0 and (trainer.fit_loop.total_batch_idx + 1) % trainer.val_check_interval == 0


def _any_process(trainer: pl.Trainer, asked: bool) -> bool:
    """Whether any process of the run says so: they must save the same step."""
    return trainer.strategy.reduce_boolean_decision(asked, all=False) if trainer.world_size > 1 else asked


def _of_all_processes(trainer: pl.Trainer, states: dict[str, Any]) -> list[Any]:
    if trainer.world_size == 1:
        return [states]
    gathered: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(gathered, states)
    return gathered
