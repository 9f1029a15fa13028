"""What a job of a sweep does in its own process: prepare a stage that runs share, or be a run."""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobRuntime, JobStatus, run_job, setup_globals
from hydra.types import HydraContext
from hydra.version import setbase
from omegaconf import DictConfig

from prepsweep.cache import Cache
from prepsweep.pipeline import prepare_stage
from prepsweep.preflight.resolvers import register_resolvers

if TYPE_CHECKING:
    from torch import Tensor


def prepare_shared(cfg: DictConfig, key: str, **_: object) -> None:
    """The stage with `key` of the preparation of `cfg`, into the cache."""
    register_resolvers()
    prepare_stage(cfg, Cache(Path(cfg.paths.cache_dir)), key)


def train_run(context: HydraContext, cfg: DictConfig, choices: Mapping[str, Any], *, attempt: int, progress: Connection) -> None:
    """One run as Hydra runs a job, `.hydra/` and log file included; each `attempt` halves what is computed at once of a batch."""
    from prepsweep.cli import train_one

    register_resolvers()
    setup_globals()
    # Without it Hydra falls back to what it did before 1.2, and works in the folder of the run.
    setbase("1.3")
    JobRuntime.instance().set("name", cfg.hydra.job.name)

    def task(task_cfg: DictConfig) -> float | None:
        def tell(done: int, total: int, _: Tensor) -> None:
            progress.send((done, total))

        return train_one(task_cfg, Cache(Path(task_cfg.paths.cache_dir)), choices, n_parts=2**attempt, on_step=tell)

    ended = run_job(task, cfg, "hydra.sweep.dir", "hydra.sweep.subdir", context)
    if ended.status is not JobStatus.COMPLETED:
        raise ended._return_value
