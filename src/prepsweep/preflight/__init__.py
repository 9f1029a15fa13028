"""Everything that can be refused before anything is written, checked before Hydra makes a directory or torch is imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prepsweep.cache import Cache
from prepsweep.flow import TRAIN_ONLY
from prepsweep.leaks.guards import split_leaks
from prepsweep.methods.configured import check_method
from prepsweep.pipeline import split_rows
from prepsweep.planning import built_stages, check_rows_to_read, check_train_rows, flow_of, keyed
from prepsweep.preflight.choosing import refuse_choice_on_test
from prepsweep.preflight.compose import composed
from prepsweep.preflight.runs import Run, alike, refuse_several_studies, refuse_unwritable, resolved
from prepsweep.preflight.values import PLAIN_GROUPS, check_values
from prepsweep.stages import PREPARATION
from prepsweep.tasks.options import check_task
from prepsweep.terminal import warn_of_leaks

__all__ = ["Checked", "check", "check_configurations"]

# What decides the rows of a run, but for the seeds.
_ROWS = ("data", *PREPARATION, "paths", "runtime", "guards")


@dataclass(frozen=True)
class Checked:
    """The runs of a command, found sound, and the caches by folder, with what was prepared on the way.

    Where a sweeper `searches`, its runs are not known yet and `runs` are the bounds of the search.
    """

    runs: list[Run]
    caches: dict[str, Cache]
    searches: bool = False


def check_configurations(overrides: list[str], *, multirun: bool) -> tuple[list[Run], bool]:
    """The runs of a command, found sound as far as that can be seen before a row is read, and whether a sweeper searches."""
    composed_, is_search = composed(overrides, multirun=multirun)
    runs = resolved(composed_)
    refuse_several_studies(runs)
    _check_each(runs)
    return runs, is_search


def check(overrides: list[str], *, multirun: bool, keep: bool = True) -> Checked:
    """Compose and validate every run of the command.

    Rows are read and split here for each distinct preparation, since only then can a class that is too small be seen;
    what that computed is kept in memory and goes to the cache once every run is found sound, unless it is not to be kept.
    """
    runs, is_search = check_configurations(overrides, multirun=multirun)
    refuse_unwritable(runs[0], multirun=multirun)
    caches: dict[str, Cache] = {}
    _plan(runs)
    # The rows of a finished run were found sound when it began, and by the keys of its stages they are the same still.
    _check_rows([run for run in runs if is_search or not (multirun and run.is_finished)], caches)
    for cache in caches.values() if keep else ():
        cache.flush()
    return Checked(runs, caches, is_search)


def _check_each(runs: list[Run]) -> None:
    """Each check once for all runs that agree in what it looks at."""
    for run, *_ in alike(runs, "seed", "data", *PLAIN_GROUPS):
        check_values(run.config)
    for run, *_ in alike(runs, *_ROWS, "method", "task"):
        built_stages(run.cfg)
    for run in runs:
        refuse_choice_on_test(run.config)
    for run, *_ in alike(runs, "task"):
        check_task(run.cfg.task)
    for run, *_ in alike(runs, "method"):
        check_method(run.cfg.method)


def _plan(runs: list[Run]) -> None:
    """Plan the stages of every run: a thousand runs have few preparations and many seeds."""
    for prepared_alike in alike(runs, *_ROWS):
        flow = flow_of(prepared_alike[0].cfg)
        for equal in alike(prepared_alike, "seeds"):
            stages = keyed(flow, equal[0].config["seeds"])
            for run in equal:
                run.stages = stages


def _check_rows(runs: list[Run], caches: dict[str, Cache]) -> None:
    """Read and split the rows of each distinct split once, and look at them."""
    by_split: dict[tuple[str, ...], list[Run]] = {}
    for run, *_ in alike(runs, *_ROWS, "seeds"):
        split_key = [stage.key for stage in run.stages if stage.split is None][-1]
        # Of `config`: `cfg` would be built for each of a thousand runs.
        by_split.setdefault((run.config["paths"]["cache_dir"], split_key, run.config["guards"]["on_leak"]), []).append(run)
    asked: set[tuple[str, str]] = set()
    leaks: dict[str, dict[str, Any]] = {}
    for (cache_dir, *_), (first, *others) in by_split.items():
        cache = caches.setdefault(cache_dir, Cache(Path(cache_dir), deferred=True))
        records: list[dict[str, Any]] = []
        whole, _ = split_rows(first.cfg, cache, records)
        leaks |= {leak["what"]: leak for leak in split_leaks(first.cfg, whole, cache, records)}
        train = whole.of("train")
        for run in (first, *others):
            # Each stage once: those that read every split for itself come up as what they do to train.
            stages = [step.stage for step in run.stages if step.split in (None, "train")]
            check_train_rows([stage for stage in stages if stage.group in TRAIN_ONLY], train)
            check_rows_to_read(stages, whole, cache, asked)
    if leaks:
        warn_of_leaks(leaks.values())
