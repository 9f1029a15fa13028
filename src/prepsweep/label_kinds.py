"""What a row's label is to a task (one class, several, a number, a tag a word), and which stages can work on such rows."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from prepsweep.errors import Refused
from prepsweep.schema import ALL_KINDS, LABEL_SET, NUMBER, ONE_CLASS, TAGS
from prepsweep.stages import Stage, instance

if TYPE_CHECKING:
    import pyarrow as pa
    from omegaconf import DictConfig

    from prepsweep.sources.table import Rows

# What a stage of a group works on where its module states no `WORKS_ON` of its own. A text that is rewritten loses its
# tokens or its messages; what learns, balances or annotates takes a label for a class.
_OF_GROUP: dict[str, tuple[str, ...]] = dict.fromkeys(("clean", "augment"), (ONE_CLASS, LABEL_SET, NUMBER))
_OF_GROUP |= dict.fromkeys(("annotate", "refine", "balance"), (ONE_CLASS,))
_OF_GROUP |= {"preprocess": (ONE_CLASS, LABEL_SET, NUMBER, TAGS)}


class Labels(Protocol):
    """How a task reads labels that are not one class a text: `labels` in its YAML; null for one class.

    `kind` is what stages must work on. `named` says whether the classes are names, of which every split needs rows, and
    `tokens` whether a text is a list, of words or of messages.
    """

    kind: str
    named: bool
    tokens: bool

    def read(self, rows: Rows) -> Rows:
        """The rows of a file with each label in its one exact spelling; refuses a cell that is no label, with its place."""

    def classes(self, labels: pa.ChunkedArray) -> pa.ListArray:
        """The classes of each row, at least one (`schema.NO_CLASS`), from labels as `read` spells them."""


def labels_of(cfg: DictConfig) -> Labels | None:
    """How the task of a run reads its labels; None for one class a text."""
    return None if cfg.task.labels is None else instance(cfg.task.labels, "task.labels")


def kind_of(cfg: DictConfig) -> str:
    """What a label is to the task of a run, one of `schema.ALL_KINDS`."""
    labels = labels_of(cfg)
    return ONE_CLASS if labels is None else labels.kind


def refuse_unfit(cfg: DictConfig, stages: Iterable[Stage]) -> None:
    """Refuse a source or stage that cannot work on what the task's labels are."""
    kind = kind_of(cfg)
    for stage in stages:
        if stage.group == "data":
            if kind != ONE_CLASS and stage.spec.get("labels") is None:
                fix = "use data=csv, jsonl, parquet, conll, conversations or hub"
                raise Refused("data", f"{stage.name} has {ONE_CLASS}, the task needs {kind}", fix)
            continue
        for found in (stage, *stage.inner):
            if kind not in works_on(found.group, found.spec["_target_"]):
                fit = [name for name, target in _options(found.group) if kind in works_on(found.group, target)]
                fix = f"use {found.group}={' or '.join(fit) or 'none'}" if len(fit) < 8 else f"take it out of {found.group}"
                raise Refused(found.where, f"does not work on {kind}", fix)


def works_on(group: str, target: str) -> tuple[str, ...]:
    """The kinds of labels that a stage can work on, by its function."""
    module = importlib.import_module(target.rpartition(".")[0])
    stated: tuple[str, ...] = getattr(module, "WORKS_ON", _OF_GROUP.get(group, ALL_KINDS))
    return stated


def _options(group: str) -> list[tuple[str, str]]:
    """Name and function of every stage that the project has in a group."""
    found: list[tuple[str, str]] = []
    for file in sorted(files("prepsweep.conf").joinpath(group).iterdir(), key=lambda file: file.name):
        values: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        if "_target_" in values:
            found.append((file.name.removesuffix(".yaml"), values["_target_"]))
    return found
