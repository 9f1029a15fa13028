"""A sweep from Hydra's lists of overrides to records: compose, merge, plan, prepare what is shared, train the rest."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from prepsweep.cache import Cache
from prepsweep.choices import choices_of
from prepsweep.launch.runs import prepare_shared, train_run
from prepsweep.launch.scheduler import Job, Outcome, run_jobs
from prepsweep.launch.sharing import SharedStage, shared_stages
from prepsweep.launch.slots import Slot, slots_for, visible_gpus
from prepsweep.launch.view import SweepView, clock
from prepsweep.planning import Planned, planned
from prepsweep.record import RECORD_FILE, finished_before, mark_failed, plain_config, read_record

_PRELOAD = ["prepsweep.launch.preloaded"]
_NAMED = 6


@dataclass
class Run:
    """One run of a sweep: its configuration with Hydra's part, and where its record will be."""

    cfg: DictConfig
    run_dir: Path
    overrides: list[str]
    label: str

    @cached_property
    def stages(self) -> list[Planned]:
        """The stages of its preparation, by key."""
        return planned(self.cfg)


@dataclass
class Plan:
    """What a sweep comes to: the runs to train, those that are finished, and the preparation that they share."""

    runs: list[Run]
    finished: list[Run]
    n_equal: int
    shared: list[SharedStage]
    n_stages: int
    n_cached: int


def launch_sweep(
    context: HydraContext,
    config: DictConfig,
    overrides: Sequence[list[str]],
    *,
    first: int,
    n_slots: int | None,
    runs_per_gpu: int,
    timeout_seconds: float | None,
    plan_only: bool,
) -> list[JobReturn]:
    """Hydra's answer for each list of overrides; how the runs ended is in their records."""
    setup_globals()
    common = set(overrides[0]).intersection(*overrides[1:]) if len(overrides) > 1 else set()
    runs = [_composed(context, config, one, first + place, common) for place, one in enumerate(overrides)]
    plan = plan_sweep(runs)
    gpus = visible_gpus(str(config.trainer.accelerator), os.environ)
    slots = slots_for(len(plan.runs), gpus=gpus, runs_per_gpu=runs_per_gpu, n_slots=n_slots)
    print(describe(plan, slots), file=sys.stderr)
    if not plan_only:
        _run(context, plan, slots, timeout_seconds)
    return [_answer(run) for run in runs]


def plan_sweep(runs: Sequence[Run]) -> Plan:
    """Equal runs merged, finished ones set aside, shared stages found."""
    distinct = list({run.run_dir: run for run in runs}.values())
    finished = [run for run in distinct if finished_before(run.run_dir, [stage.key for stage in run.stages])]
    left = [run for run in distinct if run not in finished]
    stages = {stage.key: stage for run in left for stage in run.stages}
    caches = {run.cfg.paths.cache_dir: Cache(Path(run.cfg.paths.cache_dir)) for run in left}
    cached = {key for key in stages if any(cache.has(key) for cache in caches.values())}
    parents = {str(run.run_dir): {stage.key: stage.parent for stage in run.stages} for run in left}
    shared = shared_stages(parents, cached=cached)
    return Plan(left, finished, len(runs) - len(distinct), shared, len(stages), len(cached))


def describe(plan: Plan, slots: Sequence[Slot]) -> str:
    """The plan in a few lines, with an estimate from finished runs of the study where there are any."""
    equal = f", {plan.n_equal} equal to another and not trained twice" if plan.n_equal else ""
    lines = [f"runs: {len(plan.runs)} to train, {len(plan.finished)} finished before{equal}"]
    lines += [f"  {run.label}" for run in plan.runs[:_NAMED]]
    if len(plan.runs) > _NAMED:
        lines.append(f"  … and {len(plan.runs) - _NAMED} more")
    lines.append(f"stages: {plan.n_stages} distinct, {plan.n_cached} cached, {len(plan.shared)} shared ones to prepare first")
    gpus = sorted({slot.gpu for slot in slots if slot.gpu})
    where = f"on GPU {', '.join(gpus)}" if gpus else f"{slots[0].n_threads} threads each"
    lines.append(f"at once: {len(slots)}, {where}")
    spent = sorted(_seconds(run) for run in plan.finished)
    if spent and plan.runs:
        lines.append(f"time: about {clock(spent[len(spent) // 2] * len(plan.runs) / len(slots))}, as long as the finished runs took")
    return "\n".join(lines)


def _seconds(run: Run) -> float:
    cost = (read_record(run.run_dir) or {}).get("cost", {})
    return float(sum(cost.get(name, 0) for name in ("prepare_seconds", "train_seconds", "test_seconds")))


def _composed(context: HydraContext, config: DictConfig, overrides: list[str], number: int, common: set[str]) -> Run:
    cfg = context.config_loader.load_sweep_config(config, overrides)
    with open_dict(cfg):
        cfg.hydra.job.id, cfg.hydra.job.num = str(number), number
    HydraConfig.instance().set_config(cfg)
    run_dir = Path(str(OmegaConf.select(cfg, "hydra.sweep.dir"))) / str(OmegaConf.select(cfg, "hydra.sweep.subdir"))
    # A run is called by what tells it from the others.
    return Run(cfg, run_dir, overrides, " ".join(one for one in overrides if one not in common))


def _run(context: HydraContext, plan: Plan, slots: Sequence[Slot], timeout_seconds: float | None) -> dict[str, Outcome]:
    for run in plan.runs:
        # What an earlier start left must not be taken for the end of this one.
        (run.run_dir / RECORD_FILE).unlink(missing_ok=True)
    jobs = [_prepare_job(stage, plan) for stage in plan.shared]
    jobs += [_train_job(run, plan, context) for run in plan.runs]
    with SweepView(n_train=len(plan.runs), n_prepare=len(plan.shared)) as view:
        outcomes = run_jobs(jobs, slots, preload=_PRELOAD, timeout_seconds=timeout_seconds, watcher=view)
    for run in plan.runs:
        outcome = outcomes[str(run.run_dir)]
        if outcome.code:
            mark_failed(run.run_dir, plain_config(run.cfg), choices=choices_of(run.overrides), overrides=run.overrides, reason=str(outcome))
    return outcomes


def _prepare_job(shared: SharedStage, plan: Plan) -> Job:
    run = next(run for run in plan.runs if str(run.run_dir) in shared.runs)
    where = next(step for step in run.stages if step.key == shared.key).stage.where
    cfg = copy.deepcopy(run.cfg)
    with open_dict(cfg):
        del cfg["hydra"]
    log_file = run.run_dir.parent / ".prepare" / f"{shared.key[:12]}.log"
    return Job(shared.key, where, "prepare", prepare_shared, (cfg, shared.key), log_file, shared.needs)


def _train_job(run: Run, plan: Plan, context: HydraContext) -> Job:
    needs = frozenset(shared.key for shared in plan.shared if str(run.run_dir) in shared.runs)
    arguments = (context, run.cfg, choices_of(run.overrides))
    return Job(str(run.run_dir), run.label, "train", train_run, arguments, run.run_dir / "train.log", needs)


def _answer(run: Run) -> JobReturn:
    record = read_record(run.run_dir)
    answer = JobReturn(overrides=run.overrides, cfg=run.cfg, working_dir=str(run.run_dir), status=JobStatus.COMPLETED)
    # Hydra would end the whole sweep for a failed run; a sweeper that optimises sees it as no score.
    answer.return_value = record["metrics"]["val"]["macro_f1"] if record and record["status"] == "finished" else float("nan")
    return answer
