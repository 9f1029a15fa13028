"""Rows of tokens with tags, for the stages that work on nothing else."""

from __future__ import annotations

import pyarrow as pa
from datasets import Dataset

from prepsweep.label_kinds import works_on
from prepsweep.lineage import dataset_of, table_of, with_column
from prepsweep.schema import CLASSES, ONE_CLASS, TOKENS
from prepsweep.stages import Stage
from prepsweep.tasks.spans import as_label
from prepsweep.tasks.token_classification import Tags


def fitting(rows: Dataset, stage: Stage) -> Dataset:
    """`rows`, or for a stage that needs tags the same texts as tokens, of which runs of long ones are entities of the row's label."""
    if ONE_CLASS in works_on(stage.group, stage.spec["_target_"]):
        return rows
    tokens = [text.split() or ["."] for text in rows["text"]]
    tags = [_tags(of_row, label) for of_row, label in zip(tokens, rows["label"], strict=True)]
    rows = with_column(rows, "text", [" ".join(of_row) for of_row in tokens])
    rows = with_column(rows, "label", [as_label(of_row) for of_row in tags])
    table = table_of(rows).append_column(TOKENS, pa.array(tokens, pa.list_(pa.string())))
    return dataset_of(table.append_column(CLASSES, Tags("bio").classes(table.column("label"))))


def _tags(tokens: list[str], kind: str) -> list[str]:
    long = [len(token) >= 5 for token in tokens]
    return [f"{'I' if place and long[place - 1] else 'B'}-{kind}" if is_long else "O" for place, is_long in enumerate(long)]
