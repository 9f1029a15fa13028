"""Everything that can be refused before anything is written, checked before Hydra makes a directory or torch is imported."""

from __future__ import annotations

from pathlib import Path

from prepsweep.cache import Cache
from prepsweep.pipeline import check_train_rows, planned_keys, split_rows
from prepsweep.preflight.compose import compose_runs, register_resolvers
from prepsweep.preflight.values import check_values
from prepsweep.stages import PREPARATION, source_of, stages_of

__all__ = ["check", "register_resolvers"]


def check(overrides: list[str], *, multirun: bool) -> dict[str, Cache]:
    """Compose and validate every run of the command; the caches by folder, with what was prepared on the way.

    Rows are read and split here for each distinct preparation, since only then can a class that is too small be seen;
    what that computed is kept in memory and goes to the cache once every run is found sound.
    """
    caches: dict[str, Cache] = {}
    runs = compose_runs(overrides, multirun=multirun)
    for cfg in runs:
        check_values(cfg)
        # Every stage is built, and so checked against its signature, before the first row is read.
        source_of(cfg)
        for group in PREPARATION:
            stages_of(cfg, group)
    for cfg in runs:
        cache = caches.setdefault(cfg.paths.cache_dir, Cache(Path(cfg.paths.cache_dir), deferred=True))
        planned_keys(cfg)
        whole, _ = split_rows(cfg, cache, [])
        check_train_rows(cfg, whole.of("train"))
    for cache in caches.values():
        cache.flush()
    return caches
