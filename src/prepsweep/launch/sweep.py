"""A sweep from Hydra's lists of overrides to records: compose, merge, plan, prepare what is shared, train the rest."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

from prepsweep.cache import Cache
from prepsweep.choices import choices_of
from prepsweep.continuing import mark_ended
from prepsweep.launch.fresh import score_of
from prepsweep.launch.runs import prepare_shared, train_run
from prepsweep.launch.scheduler import Job, Outcome, run_jobs
from prepsweep.launch.sharing import SharedStage, shared_stages
from prepsweep.launch.slots import Slot, slots_for, visible_gpus
from prepsweep.launch.view import SweepView, clock
from prepsweep.planning import planned
from prepsweep.preflight.runs import Run, known_run, resolved, study_dir
from prepsweep.preflight.variants import Composed, compose_variants
from prepsweep.record import read_record

_PRELOAD = ["prepsweep.launch.preloaded"]
_NAMED = 6


@dataclass
class SweepRun:
    """One run of a sweep: what preflight knows of it, its number, where its record will be and what it is called."""

    checked: Run
    number: int
    run_dir: Path
    label: str


@dataclass
class Plan:
    """What a sweep comes to: the runs to train, those that are finished, and the preparation that they share."""

    runs: list[SweepRun]
    finished: list[SweepRun]
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
    # A run is called by what tells it from the others.
    labels = [" ".join(one for one in given if one not in common) for given in overrides]
    checked = checked_runs(context, config, overrides)
    runs = [SweepRun(run, first + place, study_dir(run.config) / run.run_id, labels[place]) for place, run in enumerate(checked)]
    plan = plan_sweep(runs)
    gpus = visible_gpus(str(config.trainer.accelerator), os.environ)
    slots = slots_for(len(plan.runs), gpus=gpus, runs_per_gpu=runs_per_gpu, n_slots=n_slots)
    print(describe(plan, slots), file=sys.stderr)
    if plan.runs and not plan_only:
        composed = compose_variants([run.checked.overrides for run in plan.runs], partial(context.config_loader.load_sweep_config, config))
        _run(context, plan, composed, slots, timeout_seconds)
    return [_answer(run) for run in runs]


def checked_runs(context: HydraContext, config: DictConfig, overrides: Sequence[list[str]]) -> list[Run]:
    """The runs as preflight left them; composed now where a sweeper that searches has made them up since."""

    def compose(one: list[str]) -> DictConfig:
        cfg = context.config_loader.load_sweep_config(config, one)
        with open_dict(cfg):
            del cfg["hydra"]
        return cfg

    new = [given for given in overrides if known_run(given) is None]
    made = {tuple(run.overrides): run for run in resolved(compose_variants(new, compose))}
    for run in made.values():
        run.stages = planned(run.cfg)
    return [known_run(given) or made[tuple(given)] for given in overrides]


def plan_sweep(runs: Sequence[SweepRun]) -> Plan:
    """Equal runs merged, finished ones set aside, shared stages found."""
    distinct = list({run.run_dir: run for run in runs}.values())
    finished, left = list[SweepRun](), list[SweepRun]()
    for run in distinct:
        (finished if run.checked.is_finished else left).append(run)
    stages = {stage.key: stage for run in left for stage in run.checked.stages}
    caches = [Cache(Path(cache_dir)) for cache_dir in {run.checked.config["paths"]["cache_dir"] for run in left}]
    cached = {key for key in stages if any(cache.has(key) for cache in caches)}
    parents = {str(run.run_dir): {stage.key: stage.parent for stage in run.checked.stages} for run in left}
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
    if plan.finished and plan.runs:
        spent = sorted(_seconds(run) for run in plan.finished)
        lines.append(f"time: about {clock(spent[len(spent) // 2] * len(plan.runs) / len(slots))}, as long as the finished runs took")
    return "\n".join(lines)


def _seconds(run: SweepRun) -> float:
    cost = (read_record(run.run_dir) or {}).get("cost", {})
    return float(sum(cost.get(name, 0) for name in ("prepare_seconds", "train_seconds", "test_seconds")))


def _run(
    context: HydraContext, plan: Plan, composed: Sequence[Composed], slots: Sequence[Slot], timeout_seconds: float | None
) -> dict[str, Outcome]:
    earlier = {run.run_dir: read_record(run.run_dir) for run in plan.runs}
    choices = {one.choices: choices_of(one.choices) for one in {one.choices: one for one in composed}.values()}
    jobs = [_prepare_job(stage, plan) for stage in plan.shared]
    jobs += [_train_job(run, one, plan, context, choices[one.choices]) for run, one in zip(plan.runs, composed, strict=True)]
    with SweepView(n_train=len(plan.runs), n_prepare=len(plan.shared)) as view:
        outcomes = run_jobs(jobs, slots, preload=_PRELOAD, timeout_seconds=timeout_seconds, watcher=view)
    for run, one in zip(plan.runs, composed, strict=True):
        outcome = outcomes[str(run.run_dir)]
        if outcome.failed:
            told = {"choices": choices[one.choices], "overrides": one.overrides, "reason": str(outcome)}
            mark_ended(run.run_dir, run.checked.config, earlier=earlier[run.run_dir], **told)
    return outcomes


def _prepare_job(shared: SharedStage, plan: Plan) -> Job:
    run = next(run for run in plan.runs if str(run.run_dir) in shared.runs)
    where = next(step for step in run.checked.stages if step.key == shared.key).stage.where
    log_file = run.run_dir.parent / ".prepare" / f"{shared.key[:12]}.log"
    return Job(shared.key, where, "prepare", prepare_shared, (run.checked.cfg, shared.key), log_file, shared.needs)


def _train_job(run: SweepRun, composed: Composed, plan: Plan, context: HydraContext, choices: Mapping[str, Any]) -> Job:
    needs = frozenset(shared.key for shared in plan.shared if str(run.run_dir) in shared.runs)
    arguments = (context, composed, run.number, choices)
    return Job(str(run.run_dir), run.label, "train", train_composed, arguments, run.run_dir / "train.log", needs)


def train_composed(context: HydraContext, composed: Composed, number: int, choices: Mapping[str, Any], **given: Any) -> None:
    """`train_run` of a configuration that is made in the run's own process: a thousand of them at once take memory."""
    cfg = composed.cfg
    with open_dict(cfg):
        cfg.hydra.job.id, cfg.hydra.job.num = str(number), number
    train_run(context, cfg, choices, **given)


def _answer(run: SweepRun) -> JobReturn:
    answer = JobReturn(overrides=run.checked.overrides, working_dir=str(run.run_dir), status=JobStatus.COMPLETED)
    # Hydra would end the whole sweep for a failed run; a sweeper that optimises sees it as no score.
    answer.return_value = score_of(run.run_dir)
    return answer
