"""The flow of the rows: source → clean → annotate → split → refine → augment → balance → preprocess."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from prepsweep.cache import Cache, Entry
from prepsweep.errors import Refused
from prepsweep.identity import content_hash
from prepsweep.lineage import dataset_of, ledger, settle, table_of
from prepsweep.schema import SPLITS
from prepsweep.stages import Stage, limit_of, source_of, stages_of

if TYPE_CHECKING:
    from datasets import Dataset
    from omegaconf import DictConfig


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


@dataclass(frozen=True)
class Prepared:
    """What training needs (`tokens` by split) and what the record tells (`stages`, `splits`, `classes`)."""

    tokens: dict[str, Dataset]
    train: Rows
    classes: list[str]
    stages: list[dict[str, Any]]
    splits: dict[str, dict[str, Any]]
    n_train_before: int
    given_splits: list[str]


def prepare(cfg: DictConfig, cache: Cache) -> Prepared:
    """Everything from the raw rows to token ids, as `cfg` says, each stage from the cache where it is there."""
    stages: list[dict[str, Any]] = []
    whole, classes = split_rows(cfg, cache, stages)
    train, before = whole.of("train"), stages[-1]
    for stage in _train_only(cfg):
        train = run(stage, train, cache, stages)
    splits = {"train": train, "dev": whole.of("dev"), "test": whole.of("test")}
    facts = {name: _facts(name, stages[-1] if name == "train" else before) for name in splits}
    for stage in stages_of(cfg, "preprocess"):
        splits = {name: run(stage, rows, cache, stages) for name, rows in splits.items()}
    return Prepared(
        tokens={name: rows.dataset for name, rows in splits.items()},
        train=train,
        classes=classes,
        stages=stages,
        splits=facts,
        n_train_before=_n_rows(before, "train"),
        given_splits=_given(stages[0]),
    )


def split_rows(cfg: DictConfig, cache: Cache, stages: list[dict[str, Any]]) -> tuple[Rows, list[str]]:
    """Clean rows with a split each, and the classes in order; refused where a class is missing from a split."""
    rows = run(source_of(cfg), None, cache, stages)
    given = _given(stages[0])
    classes = list(cfg.data.get("classes") or sorted({label for counts in stages[0]["per_class"].values() for label in counts}))
    _refuse_one_class(classes)
    for stage in _whole_table(cfg):
        rows = run(stage, rows, cache, stages, given_splits=given)
    for split in SPLITS:
        for label in classes:
            if not stages[-1]["per_class"].get(split, {}).get(label, {}).get("rows_out"):
                lost = next((s["name"] for s in stages if s["group"] == "clean" and s["dropped"]), None)
                why = f"after clean={lost}" if lost else f"in {split}"
                raise Refused("data", f"class {label!r} has no rows left for {split} {why}", "add rows of it, or leave the class out")
    return rows, classes


def check_train_rows(cfg: DictConfig, train: Rows) -> None:
    """Refuse train rows that a later stage cannot work on, before that stage is run.

    Balance is asked only where no row is added or dropped before it: else what it will be given is not known yet.
    """
    for stage in stages_of(cfg, "refine") + stages_of(cfg, "augment") or stages_of(cfg, "balance"):
        stage.check_rows(train.dataset)


def planned_keys(cfg: DictConfig) -> list[str]:
    """Keys of all stages of a run in order, from configuration and files alone; refuses a file or tool that is missing."""
    key, keys = source_of(cfg).key(None), []
    keys.append(key)
    for stage in _whole_table(cfg):
        key = stage.key(key)
        keys.append(key)
    at = {split: f"{key}/{split}" for split in SPLITS}
    for stage in _train_only(cfg):
        at["train"] = stage.key(at["train"])
        keys.append(at["train"])
    for stage in stages_of(cfg, "preprocess"):
        at = {split: stage.key(parent) for split, parent in at.items()}
        keys += at.values()
    return keys


def _whole_table(cfg: DictConfig) -> list[Stage]:
    return stages_of(cfg, "clean") + stages_of(cfg, "annotate") + stages_of(cfg, "split") + limit_of(cfg)


def _train_only(cfg: DictConfig) -> list[Stage]:
    return stages_of(cfg, "refine") + stages_of(cfg, "augment") + stages_of(cfg, "balance")


def run(stage: Stage, before: Rows | None, cache: Cache, stages: list[dict[str, Any]], given_splits: Iterable[str] = ()) -> Rows:
    """The rows after `stage`, from the cache or computed now; what it did to them is appended to `stages`."""
    key = stage.key(before.key if before else None)
    entry = cache.find(key) or _compute(stage, before, cache, key, list(given_splits))
    split = before.split if before else None
    stages.append({**entry.stage, "split": split, "key": key, "cached": cache.was_there(key)})
    return Rows(key, entry, split, holds_all_splits=split is None)


def _compute(stage: Stage, before: Rows | None, cache: Cache, key: str, given_splits: list[str]) -> Entry:
    started = time.perf_counter()
    record: dict[str, Any] = {"name": stage.name, "group": stage.group}
    if before is None:
        result = stage()
        kept = result.rows
        left, table = dataset_of(table_of(kept).slice(0, 0)), table_of(kept)
        # A source makes rows of nothing: they come in and go out, and none is added or dropped.
        counts = ledger(table, added=table.slice(0, 0), left=table.slice(0, 0), kept=table) | {"reported": {}}
    else:
        result = stage(before.dataset)
        settled = settle(before.dataset, result.rows, stage=stage.where, group=stage.group, given_splits=given_splits)
        kept, left, counts = settled.kept, settled.left, settled.counts
    table = table_of(kept)
    record |= counts | {"content": _content(table), "seconds": round(time.perf_counter() - started, 3)}
    if result.facts:
        record["facts"] = dict(result.facts)
    if "truncated" in table.column_names:
        record["truncated"] = _truncated(table)
    return cache.store(key, record, kept, left, result.evidence)


def _content(table: Any) -> dict[str, str]:
    names = sorted(pc.unique(table.column("split")).to_pylist())
    return {name or "all": content_hash(table.filter(pc.equal(table.column("split"), name))) for name in names}


def _truncated(table: Any) -> dict[str, int]:
    cut = table.filter(table.column("truncated")).select(["label"]).group_by("label").aggregate([([], "count_all")])
    return dict(sorted(zip(cut.column("label").to_pylist(), cut.column("count_all").to_pylist(), strict=True)))


def _given(source: dict[str, Any]) -> list[str]:
    return [split for split in ("dev", "test") if split in source["per_class"]]


def _n_rows(stage: dict[str, Any], split: str) -> int:
    return sum(cell["rows_out"] for cell in stage["per_class"].get(split, {}).values())


def _facts(split: str, stage: dict[str, Any]) -> dict[str, Any]:
    per_class = {label: cell["rows_out"] for label, cell in stage["per_class"][split].items()}
    return {"rows": sum(per_class.values()), "per_class": per_class, "content_hash": stage["content"][split]}


def _refuse_one_class(classes: list[str]) -> None:
    if len(classes) < 2:
        found = f"only one class, {classes[0]!r}" if classes else "no rows"
        raise Refused("data", f"{found}: there is nothing to tell apart", "check data.label_column")
