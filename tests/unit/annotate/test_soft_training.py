"""Soft labels on their way into the loss, and labels that rows may come without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from prepsweep.annotate.soft_labels import encoded
from prepsweep.datamodule import TokenRows
from prepsweep.errors import Refused
from prepsweep.lineage import dataset_of, table_of
from prepsweep.sources.csv import csv
from prepsweep.sources.jsonl import jsonl
from prepsweep.sources.parquet import parquet
from prepsweep.tasks.losses import cross_entropy
from prepsweep.tasks.text_classification import TextClassification
from tests.conftest import rows_of
from tests.unit.sources.helpers import arguments

CLASSES = ["ham", "spam"]


def test_training_takes_the_cross_entropy_with_soft_labels_and_scores_do_not() -> None:
    p = np.array([[0.25, 0.75], [np.nan, np.nan]])
    table = table_of(rows_of([("a", "spam"), ("b", "ham")], "train")).drop_columns(["text"])
    table = table.append_column("soft_label", encoded(p, CLASSES))
    table = table.append_column("input_ids", pa.array([[1, 2], [1, 3]], pa.list_(pa.int32())))
    table = table.append_column("truncated", pa.array([False, False]))
    task = TextClassification(CLASSES, loss=cross_entropy)
    batch = TokenRows(dataset_of(table), task, pad_token_id=0, every_window=False).__getitems__([0, 1])
    assert batch["soft_labels"].tolist() == [[0.25, 0.75], [1.0, 0.0]], "a row without has its label"
    logits = torch.tensor([[0.3, -0.2], [1.0, 2.0]])
    log_p = torch.log_softmax(logits, dim=1)
    expected = -(0.25 * log_p[0, 0] + 0.75 * log_p[0, 1] + log_p[1, 0]) / 2
    assert float(task.loss(logits, batch)) == pytest.approx(float(expected))
    hard = {name: values for name, values in batch.items() if name != "soft_labels"}
    assert float(task.loss(logits, hard)) == pytest.approx(float(-(log_p[0, 1] + log_p[1, 0]) / 2))
    assert task.scores(logits.numpy(), batch["labels"].numpy())["loss"] == pytest.approx(float(task.loss(logits, hard)))


def test_rows_may_come_without_a_label_where_that_is_said(tmp_path: Path) -> None:
    lines = tmp_path / "rows.jsonl"
    rows = ['{"text": "a"}', '{"text": "b", "label": null}', '{"text": "c", "label": ""}', '{"text": "d", "label": 1}']
    lines.write_text("\n".join(rows), encoding="utf-8")
    assert jsonl(path=str(lines), **arguments(unlabelled=True))["label"][:] == ["", "", "", "1"]
    with pytest.raises(Refused, match=r"rows\.jsonl:1"):
        jsonl(path=str(lines), **arguments())
    cells = tmp_path / "rows.csv"
    cells.write_text("text\na\nb\n", encoding="utf-8")
    assert csv(path=str(cells), **arguments(unlabelled=True), delimiter=",")["label"][:] == ["", ""]
    with pytest.raises(Refused, match="has no column 'label'"):
        csv(path=str(cells), **arguments(), delimiter=",")
    cells.write_text('text,label\na,\nb,x\n"c",   \n', encoding="utf-8")
    with pytest.raises(Refused, match=r"rows\.csv:4: the label is blank"):
        csv(path=str(cells), **arguments(unlabelled=True), delimiter=",")
    columns = tmp_path / "rows.parquet"
    pa.parquet.write_table(pa.table({"text": ["a", "b"], "label": pa.array([None, "x"])}), columns)
    assert parquet(path=str(columns), **arguments(unlabelled=True))["label"][:] == ["", "x"]


def test_columns_are_carried_along_as_text(tmp_path: Path) -> None:
    lines = tmp_path / "rows.jsonl"
    told = ['{"text": "a", "label": "x", "votes": [-1, 1.5, null, true], "by": "ann"}']
    told += ['{"text": "b", "label": "y", "votes": null, "by": "陈"}']
    lines.write_text("\n".join(told), encoding="utf-8")
    rows = jsonl(path=str(lines), **arguments(carry_columns=["votes", "by"]))
    assert rows["votes"][:] == ["[-1, 1.5, null, true]", None]
    assert rows["by"][:] == ["ann", "陈"]
    columns = tmp_path / "rows.parquet"
    table = pa.table({"text": ["a", "b"], "label": ["x", "y"], "votes": [[1, -1], None], "by": ["ann", "陈"]})
    pa.parquet.write_table(table, columns)
    rows = parquet(path=str(columns), **arguments(carry_columns=["votes", "by"]))
    assert (rows["votes"][:], rows["by"][:]) == (["[1, -1]", None], ["ann", "陈"])


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["uid"], r"^data\.carry_columns: 'uid' has a meaning of its own here"),
        (["a", "a"], r"^data\.carry_columns: 'a' is there twice"),
        ("a", r"^data\.carry_columns: must be a list of columns"),
        (["vots"], r"rows\.jsonl:1: the line has no key 'vots'\. fix: set data\.carry_columns: did you mean 'votes'"),
    ],
)
def test_what_cannot_be_carried_is_refused(tmp_path: Path, names: list[str] | str, match: str) -> None:
    lines = tmp_path / "rows.jsonl"
    lines.write_text('{"text": "a", "label": "x", "votes": "1"}\n', encoding="utf-8")
    with pytest.raises(Refused, match=match):
        jsonl(path=str(lines), **arguments(carry_columns=names))
