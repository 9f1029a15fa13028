"""Rows of tokens with tags, and conversations, for the stages that work on nothing else."""

from __future__ import annotations

import json

import pyarrow as pa
from datasets import Dataset

from prepsweep.label_kinds import works_on
from prepsweep.lineage import dataset_of, table_of, with_column
from prepsweep.schema import ANSWERS, CLASSES, MESSAGES, ONE_CLASS, TOKENS
from prepsweep.stages import Stage
from prepsweep.tasks.spans import as_label
from prepsweep.tasks.token_classification import Tags


def fitting(rows: Dataset, stage: Stage) -> Dataset:
    """`rows`, or the same texts as the stage needs them: tokens, of which runs of long ones are entities of the row's label,
    or questions that the label answers.
    """
    kinds = works_on(stage.group, stage.spec["_target_"])
    if ONE_CLASS in kinds:
        return rows
    if kinds == (ANSWERS,):
        return _asked(rows)
    tokens = [text.split() or ["."] for text in rows["text"]]
    tags = [_tags(of_row, label) for of_row, label in zip(tokens, rows["label"], strict=True)]
    rows = with_column(rows, "text", [" ".join(of_row) for of_row in tokens])
    rows = with_column(rows, "label", [as_label(of_row) for of_row in tags])
    table = table_of(rows).append_column(TOKENS, pa.array(tokens, pa.list_(pa.string())))
    return dataset_of(table.append_column(CLASSES, Tags("bio").classes(table.column("label"))))


def _asked(rows: Dataset) -> Dataset:
    turns = [(("user", text or "…"), ("assistant", label)) for text, label in zip(rows["text"], rows["label"], strict=True)]
    messages = [json.dumps([{"role": role, "content": said} for role, said in one], ensure_ascii=False) for one in turns]
    rows = with_column(rows, "text", ["\n".join(said for _, said in one) for one in turns])
    return dataset_of(table_of(rows).append_column(MESSAGES, pa.array(messages)))


def _tags(tokens: list[str], kind: str) -> list[str]:
    long = [len(token) >= 5 for token in tokens]
    return [f"{'I' if place and long[place - 1] else 'B'}-{kind}" if is_long else "O" for place, is_long in enumerate(long)]
