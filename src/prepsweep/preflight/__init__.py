"""Everything that can be refused before anything is written, checked before Hydra makes a directory or torch is imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from prepsweep.cache import Cache
from prepsweep.leaks.guards import split_leaks
from prepsweep.pipeline import split_rows
from prepsweep.planning import built_stages, check_rows_to_read, check_train_rows, planned_keys
from prepsweep.preflight.choosing import refuse_choice_on_test
from prepsweep.preflight.compose import compose_runs, register_resolvers
from prepsweep.preflight.values import check_values
from prepsweep.tasks.losses import check_loss
from prepsweep.terminal import warn_of_leaks

__all__ = ["Checked", "check", "register_resolvers"]


@dataclass(frozen=True)
class Checked:
    """The runs of a command, found sound, and the caches by folder, with what was prepared on the way."""

    runs: list[DictConfig]
    caches: dict[str, Cache]


def check(overrides: list[str], *, multirun: bool) -> Checked:
    """Compose and validate every run of the command.

    Rows are read and split here for each distinct preparation, since only then can a class that is too small be seen;
    what that computed is kept in memory and goes to the cache once every run is found sound.
    """
    caches: dict[str, Cache] = {}
    asked: set[str] = set()
    leaks: dict[str, dict[str, Any]] = {}
    runs = compose_runs(overrides, multirun=multirun)
    for cfg in runs:
        check_values(cfg)
        built_stages(cfg)
        refuse_choice_on_test(cfg)
        check_loss(cfg.task.loss)
    for cfg in runs:
        cache = caches.setdefault(cfg.paths.cache_dir, Cache(Path(cfg.paths.cache_dir), deferred=True))
        planned_keys(cfg)
        stages: list[dict[str, Any]] = []
        whole, _ = split_rows(cfg, cache, stages)
        leaks |= {leak["what"]: leak for leak in split_leaks(cfg, whole, cache, stages)}
        check_train_rows(cfg, whole.of("train"))
        check_rows_to_read(cfg, whole, asked)
    if leaks:
        warn_of_leaks(leaks.values())
    for cache in caches.values():
        cache.flush()
    return Checked(runs, caches)
