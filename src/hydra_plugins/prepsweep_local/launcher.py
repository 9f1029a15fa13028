"""`hydra/launcher=local`: the runs of a sweep as fresh processes, one in each slot, shared preparation first."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class LocalLauncher(Launcher):
    """See `prepsweep.launch.sweep.launch_sweep`; the arguments are those of `conf/hydra/launcher/local.yaml`."""

    def __init__(self, *, n_slots: int | None, runs_per_gpu: int, timeout_seconds: float | None, plan_only: bool) -> None:
        self.n_slots, self.runs_per_gpu = n_slots, runs_per_gpu
        self.timeout_seconds, self.plan_only = timeout_seconds, plan_only
        self.context: HydraContext | None = None
        self.config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        # The task function is a closure of this process; a run's own process calls `prepsweep.cli.train_one` instead.
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from prepsweep.launch.sweep import launch_sweep

        assert self.context is not None
        assert self.config is not None
        return launch_sweep(
            self.context,
            self.config,
            [list(overrides) for overrides in job_overrides],
            first=initial_job_idx,
            n_slots=self.n_slots,
            runs_per_gpu=self.runs_per_gpu,
            timeout_seconds=self.timeout_seconds,
            plan_only=self.plan_only,
        )
