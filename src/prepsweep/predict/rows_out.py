"""Rows as they came, with predictions beside them, as CSV, JSON lines or Parquet."""

from __future__ import annotations

import json
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from prepsweep.csv_cells import neutralise
from prepsweep.errors import Refused
from prepsweep.predict.rows_in import Records, Rows
from prepsweep.sources.jsonl import numbers
from prepsweep.sources.task_labels import as_json


class Writer:
    """Writes parts of rows one after the other into a file of one kind; the columns are those of the first part."""

    def __init__(self, file: IO[bytes], kind: str) -> None:
        self.file, self.kind = file, kind
        self.names: list[str] = []
        self.inner: Any = None

    def write(self, rows: Rows, predicted: pa.Table) -> None:
        """Rows, and as many predictions."""
        if self.kind == "jsonl":
            self.file.write(_lines(rows, predicted))
            return
        table = rows if isinstance(rows, pa.Table) else self._table(rows)
        for name in predicted.column_names:
            table = table.append_column(name, predicted.column(name))
        if self.kind == "csv":
            table = pa.table([_cells(column) for column in table.columns], table.column_names)
        if self.inner is None:
            self.inner = (pq.ParquetWriter if self.kind == "parquet" else arrow_csv.CSVWriter)(self.file, table.schema)
        self.inner.write_table(table.cast(self.inner.schema) if self.kind == "parquet" else table)

    def close(self) -> None:
        """Write what stands at the end of a file."""
        if self.inner is not None:
            self.inner.close()

    def _table(self, rows: Records) -> pa.Table:
        """Records as columns of strings: a string as it is, all else in JSON, null where it is null or not there."""
        self.names = self.names or list(dict.fromkeys(name for record in rows.values for name in record))
        known = set(self.names)
        for record in rows.values:
            if not known.issuperset(record):
                what = f"a row has the key {sorted(set(record) - known)[0]!r}, which the first thousands do not have"
                raise Refused("--out", what, "write JSON lines: --out FILE.jsonl")
        return pa.table({name: pa.array([_text(record.get(name)) for record in rows.values], pa.string()) for name in self.names})


def _text(value: Any) -> str | None:
    return value if value is None or type(value) is str else json.dumps(numbers(value), ensure_ascii=False)


def _cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as CSV can hold it: numbers as they are, all else as text that no spreadsheet takes for a formula."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return column
    return neutralise(as_json(column))


def _lines(rows: Rows, predicted: pa.Table) -> bytes:
    added = [json.dumps(row, ensure_ascii=False) for row in predicted.to_pylist()]
    if isinstance(rows, Records):
        # A line stays as it is but for its last brace: no number in it is written otherwise.
        kept = [line.rstrip().removesuffix(b"}").rstrip() for line in rows.lines]
    else:
        finite = pa.table([_without_nan(column) for column in rows.columns], rows.column_names)
        kept = [json.dumps(row, ensure_ascii=False, default=str)[:-1].encode() for row in finite.to_pylist()]
    return b"".join(line + b", " + more[1:].encode() + b"\n" for line, more in zip(kept, added, strict=True))


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """NaN, which JSON has not, as null."""
    return pc.if_else(pc.is_finite(column), column, None) if pa.types.is_floating(column.type) else column
