"""A small queue with awkward rows, and the data that it was made from."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from datasets import Dataset

from prepsweep.lineage import table_of
from prepsweep.review.sheet import written
from prepsweep.schema import text_columns
from tests.conftest import rows_of

CLASSES = ["-1", "fresh", "rotten, or bad"]
TEXTS = [
    "A plain text.",
    "我喜欢这部电影。",
    '=HYPERLINK("http://x")',
    'lines\nin "quotes"; and, commas\r\nand\ttabs',
    "'tis fine",
    "👍🏽 only\u2028an emoji",
    "",
    "-5 degrees",
]
LABELS = ["fresh", "rotten, or bad", "-1", "fresh", "rotten, or bad", "-1", "fresh", "-1"]


@pytest.fixture
def rows() -> Dataset:
    return rows_of(list(zip(TEXTS, LABELS, strict=True)))


@pytest.fixture
def queue(rows: Dataset) -> pa.Table:
    return queue_table(rows)


def queue_table(rows: Dataset) -> pa.Table:
    table = table_of(rows)
    table = table.select(["uid", *text_columns(table.column_names), "label"])
    suggested = pa.array([CLASSES[0]] + [""] * (len(table) - 1), pa.string())
    return table.append_column("suggested", suggested).append_column("reason", pa.array(["the model is unsure"] * len(table)))


@pytest.fixture
def queue_file(queue: pa.Table, tmp_path: Path) -> Path:
    file = tmp_path / "queue.csv"
    file.write_bytes(written(queue, CLASSES))
    return file
