"""The flow of the rows: source → clean → annotate → split → refine → augment → balance → preprocess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prepsweep.cache import Cache
from prepsweep.errors import Refused, nearest
from prepsweep.flow import Rows, given_splits_of, run
from prepsweep.label_kinds import labels_of
from prepsweep.leaks.guards import made_leaks, split_leaks
from prepsweep.planning import before_split, planned, split_and_limit, train_only
from prepsweep.schema import NO_CLASS, SPLITS, UNLABELLED
from prepsweep.stages import source_of, stages_of

if TYPE_CHECKING:
    from datasets import Dataset
    from omegaconf import DictConfig


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
    leaks: list[dict[str, Any]]


def prepare(cfg: DictConfig, cache: Cache) -> Prepared:
    """Everything from the raw rows to token ids, as `cfg` says, each stage from the cache where it is there."""
    stages: list[dict[str, Any]] = []
    whole, classes = split_rows(cfg, cache, stages)
    before, leaks = stages[-1], split_leaks(cfg, whole, cache, stages)
    train = train_rows(cfg, whole, cache, stages)
    leaks = leaks + made_leaks(cfg, whole, train, cache, [before, stages[-1]])
    splits = {"train": train, "dev": whole.of("dev"), "test": whole.of("test")}
    facts = {name: _facts(name, stages[-1] if name == "train" else before) for name in splits}
    for stage in stages_of(cfg, "preprocess"):
        for name, rows in splits.items():
            splits[name] = run(stage, rows, cache, stages)
            facts[name] |= _sizes(name, stages[-1])
    return Prepared(
        tokens={name: rows.dataset for name, rows in splits.items()},
        train=train,
        classes=classes,
        stages=stages,
        splits=facts,
        n_train_before=_n_rows(before, "train"),
        given_splits=given_splits_of(stages[0]),
        leaks=leaks,
    )


def split_rows(cfg: DictConfig, cache: Cache, stages: list[dict[str, Any]]) -> tuple[Rows, list[str]]:
    """Clean rows with a split each, and the classes in order; refused where a class is missing from a split."""
    rows = run(source_of(cfg), None, cache, stages)
    given = given_splits_of(stages[0])
    for stage in before_split(cfg):
        rows = run(stage, rows, cache, stages, given_splits=given)
    labels = labels_of(cfg)
    classes = _classes(cfg.data.get("classes"), stages)
    if labels is None:
        _refuse_one_class(classes)
    elif not classes:
        raise Refused("data", "no row has a class", "check data.label_column")
    for stage in split_and_limit(cfg):
        rows = run(stage, rows, cache, stages, given_splits=given)
    for split in SPLITS:
        n_rows = {label: cell["rows_out"] for label, cell in stages[-1]["per_class"].get(split, {}).items()}
        for label in sorted(label for label in n_rows if n_rows[label] and label not in (*classes, NO_CLASS)):
            what = f"labels rows of {split} {label!r}, a class that no row of the data has"
            raise Refused("annotate", what, nearest(label, classes))
        for label in classes if labels is None or labels.named else ():
            if not n_rows.get(label):
                lost = next((s for s in stages if s["group"] in ("clean", "annotate") and s["dropped"]), None)
                what = f"no rows left for {split} after {lost['group']}={lost['name']}" if lost else f"no rows for {split}"
                raise Refused("data", f"class {label!r} has {what}", "add rows of it, or leave the class out")
    return rows, classes


def train_rows(cfg: DictConfig, whole: Rows, cache: Cache, stages: list[dict[str, Any]]) -> Rows:
    """The train rows that a model sees: refined, augmented and balanced, without a look at the other splits."""
    train = whole.of("train")
    for stage in train_only(cfg):
        train = run(stage, train, cache, stages)
    return train


def prepare_stage(cfg: DictConfig, cache: Cache, key: str) -> Rows:
    """The rows after the stage with `key`, which must be one of `planning.planned`; nothing else is prepared."""
    source, *others = planned(cfg)
    steps = {step.key: step for step in others}
    records: list[dict[str, Any]] = []
    read = run(source.stage, None, cache, records)
    given = given_splits_of(records[0])

    def rows_after(key: str) -> Rows:
        if key == source.key:
            return read
        step = steps[key]
        before = rows_after(str(step.parent))
        if step.split and before.split is None:
            before = before.of(step.split)
        return run(step.stage, before, cache, [], given_splits=given)

    return rows_after(key)


def _n_rows(stage: dict[str, Any], split: str) -> int:
    n_rows: int = stage["rows_per_split"].get(split, 0)
    return n_rows


def _facts(split: str, stage: dict[str, Any]) -> dict[str, Any]:
    return _sizes(split, stage) | {"content_hash": stage["content"][split]}


def _sizes(split: str, stage: dict[str, Any]) -> dict[str, Any]:
    per_class = {label: cell["rows_out"] for label, cell in stage["per_class"][split].items()}
    return {"rows": _n_rows(stage, split), "per_class": per_class}


def _classes(given: Any, stages: list[dict[str, Any]]) -> list[str]:
    """`data.classes`, where it is a list, else the labels in order, as they are after cleaning.

    A label that was renamed throughout is gone; one whose rows were all dropped is not, so that its lack is refused.
    """
    labels: set[str] = set()
    for stage in stages:
        cells = [(label, cell) for classes in stage["per_class"].values() for label, cell in classes.items()]
        there = {label for label, cell in cells if cell["rows_out"] or set(cell["dropped"]) - {"relabelled"}}
        labels = there | (labels - {label for label, _ in cells})
    _refuse_unlabelled(stages[-1], told=any(stage["group"] == "annotate" for stage in stages))
    labels -= {UNLABELLED, NO_CLASS}
    if given is None or isinstance(given, str):
        return sorted(labels)
    if unknown := sorted(labels - set(given)):
        raise Refused("data.classes", f"label {unknown[0]!r}, as cleaning has it, is not one of them", nearest(unknown[0], given))
    return list(given)


def _refuse_unlabelled(stage: dict[str, Any], *, told: bool) -> None:
    n_rows = sum(classes.get(UNLABELLED, {}).get("rows_out", 0) for classes in stage["per_class"].values())
    if n_rows:
        fix = "add a stage that labels them, or on_abstain=drop (not for rows of a given dev or test file)" if told else "add annotate=…"
        raise Refused("annotate", f"{n_rows:,} rows have no label", fix)


def _refuse_one_class(classes: list[str]) -> None:
    if len(classes) < 2:
        found = f"only one class, {classes[0]!r}" if classes else "no rows"
        raise Refused("data", f"{found}: there is nothing to tell apart", "check data.label_column")
