"""One stage on the rows before it, through the cache; what it did is checked, counted and told."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from prepsweep.cache import Cache, Entry
from prepsweep.identity import content_hash
from prepsweep.kept import kept_in
from prepsweep.leaks.order import refuse_misplaced
from prepsweep.lineage import ContractBroken, dataset_of, ledger, refuse_double, settle, table_of
from prepsweep.row_classes import by_class
from prepsweep.stages import Stage

if TYPE_CHECKING:
    from datasets import Dataset

# These learn, or make rows: they are given train rows alone.
TRAIN_ONLY = ("refine", "augment", "balance")


@dataclass
class Rows:
    """Rows at one point of the flow, by their identity; they are read only when somebody needs them."""

    key: str
    entry: Entry
    split: str | None = None
    holds_all_splits: bool = True

    @cached_property
    def dataset(self) -> Dataset:
        """The rows, or those of `split` where the entry holds the others too."""
        if self.split is None or not self.holds_all_splits:
            return self.entry.rows
        table = table_of(self.entry.rows)
        return dataset_of(table.filter(pc.equal(table.column("split"), self.split)).combine_chunks())

    def of(self, split: str) -> Rows:
        """The rows of one split."""
        return Rows(f"{self.key}/{split}", self.entry, split)


def run(stage: Stage, before: Rows | None, cache: Cache, stages: list[dict[str, Any]], given_splits: Iterable[str] = ()) -> Rows:
    """The rows after `stage`, from the cache or computed now; what it did to them is appended to `stages`."""
    refuse_misplaced(stage)
    key = stage.key(before.key if before else None)
    entry = cache.find(key)
    if entry is None:
        with cache.alone(key):
            entry = cache.find(key) or _compute(stage, before, cache, key, list(given_splits))
    split = before.split if before else None
    stages.append({**entry.stage, "split": split, "key": key, "cached": cache.was_there(key)})
    return Rows(key, entry, split, holds_all_splits=split is None)


def given_splits_of(source: dict[str, Any]) -> list[str]:
    """The splits that the user's files brought, by the record of the source: their rows stay whatever a stage says."""
    return [split for split in ("dev", "test") if split in source["per_class"]]


def _compute(stage: Stage, before: Rows | None, cache: Cache, key: str, given_splits: list[str]) -> Entry:
    started = time.perf_counter()
    record: dict[str, Any] = {"name": stage.name, "group": stage.group}
    if before is None:
        result = stage()
        kept = result.rows
        left, table = dataset_of(table_of(kept).slice(0, 0)), table_of(kept)
        refuse_double(table.column("uid"), stage=stage.where)
        # A source makes rows of nothing: they come in and go out, and none is added or dropped.
        counts = ledger(table, added=table.slice(0, 0), left=table.slice(0, 0), kept=table) | {"reported": {}}
    else:
        _check_sees_train_alone(stage, before)
        with kept_in(cache):
            result = stage(before.dataset)
        settled = settle(before.dataset, result.rows, stage=stage.where, group=stage.group, given_splits=given_splits)
        kept, left, counts = settled.kept, settled.left, settled.counts
    table = table_of(kept)
    record |= counts | {"rows_per_split": _n_rows(table), "content": _content(table), "seconds": round(time.perf_counter() - started, 3)}
    if result.facts:
        record["facts"] = dict(result.facts)
    if "truncated" in table.column_names:
        record["truncated"] = _truncated(table)
    return cache.store(key, record, kept, left, result.evidence)


def _check_sees_train_alone(stage: Stage, before: Rows) -> None:
    if stage.group in TRAIN_ONLY and (seen := pc.unique(table_of(before.dataset).column("split")).to_pylist()) != ["train"]:
        raise ContractBroken(f"{stage.where}: was given rows of {seen}; a stage of {stage.group} learns from train or makes rows of it")


def _n_rows(table: Any) -> dict[str, int]:
    counted = pc.value_counts(table.column("split")).to_pylist()
    return dict(sorted((found["values"] or "all", found["counts"]) for found in counted))


def _content(table: Any) -> dict[str, str]:
    names = sorted(pc.unique(table.column("split")).to_pylist())
    if len(names) == 1:
        return {names[0] or "all": content_hash(table)}
    return {name or "all": content_hash(table.filter(pc.equal(table.column("split"), name))) for name in names}


def _truncated(table: Any) -> dict[str, int]:
    cut = by_class(table.filter(table.column("truncated"))).select(["label"]).group_by("label").aggregate([([], "count_all")])
    return dict(sorted(zip(cut.column("label").to_pylist(), cut.column("count_all").to_pylist(), strict=True)))
