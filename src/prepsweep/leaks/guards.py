"""The guards of a run: what leaks between its splits, found once for each preparation, told or refused as `guards.on_leak` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prepsweep.cache import Cache
from prepsweep.flow import Rows
from prepsweep.leaks.leak import Leak
from prepsweep.leaks.report import leaks_of_made, leaks_of_splits, refuse_if_asked, remembered
from prepsweep.lineage import table_of
from prepsweep.stages import stages_of

if TYPE_CHECKING:
    from omegaconf import DictConfig


def split_leaks(cfg: DictConfig, whole: Rows, cache: Cache, stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What leaks between the splits of `whole`, the last of `stages`; refused where a test would be none, or as the guards say."""

    def find() -> list[Leak]:
        source = cache.find(stages[0]["key"])
        assert source is not None
        return leaks_of_splits(table_of(source.rows), table_of(whole.dataset))

    leaks = remembered(cache, [stages[0]["content"], stages[-1]["content"]], find)
    refuse_if_asked(cfg.guards.on_leak, leaks)
    return leaks


def made_leaks(cfg: DictConfig, whole: Rows, train: Rows, cache: Cache, stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the stages of train put into `train` that belongs to another class or split; `stages` are those of both rows."""
    if not stages_of(cfg, "augment"):
        return []
    leaks = remembered(
        cache, [stage["content"] for stage in stages], lambda: leaks_of_made(table_of(whole.dataset), table_of(train.dataset))
    )
    refuse_if_asked(cfg.guards.on_leak, leaks)
    return leaks
