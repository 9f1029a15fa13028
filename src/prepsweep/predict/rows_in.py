"""The rows of a CSV, JSON lines or Parquet file, a few thousand at a time, and the texts in them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from prepsweep.csv_cells import restore, written_here
from prepsweep.errors import Refused
from prepsweep.schema import TEXT_PAIR, TOKENS
from prepsweep.sources.files import near, said
from prepsweep.sources.jsonl import Fault, numbers, parsed
from prepsweep.sources.table import as_text
from prepsweep.sources.task_labels import NotALabel, as_json, list_of_strings

ROWS_AT_ONCE = 4096
# A row must fit into one block of Arrow's reader, which reads some 32 of them ahead.
_BLOCK_BYTES = 1 << 20
_KINDS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


@dataclass(frozen=True)
class Records:
    """Rows of a JSON lines file: each line as it stands, and what it says."""

    lines: list[bytes]
    values: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.lines)


Rows: TypeAlias = pa.Table | Records


@dataclass(frozen=True)
class Opened:
    """A file that is read from start to end: its rows part by part, and how much of `total` has been read."""

    parts: Iterator[Rows]
    done: Callable[[], int]
    total: int


@dataclass(frozen=True)
class Given:
    """Where the texts are: the file, and the columns that the model reads; `tokens` where a text is a list of words."""

    path: Path
    text: str
    pair: str | None
    tokens: bool
    # Names of the columns that are added.
    made: Collection[str]

    def row(self, number: int) -> str:
        """Place of a row, from 1, as a message names it."""
        return f"{self.path}: row {number}" if kind_of(self.path) == "csv" else f"{self.path}:{number}"

    def texts(self, rows: Rows, *, before: int) -> pa.Table:
        """`text` and `text_pair`, or `tokens`, of rows that `before` others precede; refused where one is missing."""
        there = rows.column_names if isinstance(rows, pa.Table) else rows.values[0]
        named = {TOKENS if self.tokens else "text": self.text} | ({TEXT_PAIR: self.pair} if self.pair else {})
        for name in named.values():
            if name not in there:
                what = "there is no column" if isinstance(rows, pa.Table) else "the line has no key"
                option = "--text-column" if name == self.text else "--pair-column"
                raise Refused(self.row(before + 1), f"{what} {name!r}", f"set {option}: {near(name, there)}")
        for name in there:
            if name in self.made:
                raise Refused(str(self.path), f"has a column {name!r} already", "rename it: predictions get that name")
        return pa.table({name: self._column(rows, column, before) for name, column in named.items()})

    def _column(self, rows: Rows, name: str, before: int) -> pa.ChunkedArray:
        if isinstance(rows, Records):
            return pa.chunked_array([pa.array([self._cell(record, name, before + n) for n, record in enumerate(rows.values, 1)])])
        column = rows.column(name)
        if column.null_count:
            raise Refused(self.row(before + pc.index(pc.is_null(column), True).as_py() + 1), f"{name!r} is missing (null)", "fill it in")
        if not self.tokens:
            return as_text(column, name, str(self.path), key=name)
        return pa.chunked_array([pa.array([self._words(cell, before + n) for n, cell in enumerate(as_json(column).to_pylist(), 1)])])

    def _cell(self, record: dict[str, Any], name: str, number: int) -> Any:
        for made in self.made:
            if made in record:
                raise Refused(self.row(number), f"has a key {made!r} already", "rename it: predictions get that name")
        value = record.get(name)
        if value is None:
            raise Refused(self.row(number), f"{name!r} is missing" + " (null)" * (name in record), "fill it in")
        if self.tokens:
            return self._words(value if type(value) is str else json.dumps(numbers(value)), number)
        if type(value) is not str:
            raise Refused(self.row(number), f"{name!r} is no string", "write the text in quotes")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Refused(self.row(number), f"{name!r} holds half of a surrogate pair, which is no character", "take it out") from error
        return value

    def _words(self, cell: str, number: int) -> list[str]:
        try:
            return list_of_strings(cell, "tokens")
        except NotALabel as error:
            raise Refused(self.row(number), error.what, error.fix) from error


def kind_of(path: Path) -> str:
    """csv, jsonl or parquet, by the name; `.gz` behind it does not count."""
    name = path.with_suffix("") if path.suffix == ".gz" else path
    if name.suffix not in _KINDS or (path.suffix == ".gz" and name.suffix == ".parquet"):
        raise Refused(str(path), "its name does not say what it is", "name a file .csv, .jsonl or .parquet (.csv.gz, .jsonl.gz)")
    return _KINDS[name.suffix]


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """The file, opened; faults that the readers find are refused."""
    kind = kind_of(path)
    if not path.is_file():
        there = [one.name for one in path.parent.iterdir() if one.is_file()] if path.parent.is_dir() else []
        raise Refused("FILE", f"no such file: {path}", near(path.name, there) if there else "check the path")
    try:
        if kind == "parquet":
            with pq.ParquetFile(path) as file:
                tables = (pa.Table.from_batches([batch]) for batch in file.iter_batches(ROWS_AT_ONCE))
                counted = _Counted(tables)
                yield Opened(iter(counted), lambda: counted.n_rows, file.metadata.num_rows)
            return
        with path.open("rb") as raw, _unpacked(path, raw) as stream:
            parts = _csv(path, stream, "\t" if ".tsv" in path.suffixes else ",") if kind == "csv" else _jsonl(path, stream)
            yield Opened(parts, raw.tell, path.stat().st_size)
    except (pa.ArrowInvalid, pa.ArrowTypeError, EOFError, gzip.BadGzipFile, UnicodeDecodeError, csv.Error) as error:
        if "straddling object" in str(error):
            what = f"a row is larger than {_BLOCK_BYTES >> 20} MB, or a quote is not closed"
            raise Refused(str(path), what, "close it, or write the file as JSON lines, which may have longer rows") from error
        raise Refused(str(path), f"cannot be read as {kind}: {said(error)}", "look at it, or write it again") from error


def _unpacked(path: Path, raw: IO[bytes]) -> Any:
    return gzip.open(raw) if path.suffix == ".gz" else nullcontext(raw)


class _Counted:
    """Tables, and how many rows of them were given out."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self.tables, self.n_rows = tables, 0

    def __iter__(self) -> Iterator[Rows]:
        for table in self.tables:
            self.n_rows += len(table)
            yield table


def _csv(path: Path, stream: IO[bytes], delimiter: str) -> Iterator[Rows]:
    """Cells as they stand, none guessed to be a number or missing."""
    layout = {"delimiter": delimiter, "newlines_in_values": True}
    blocks = arrow_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
    # Not by Arrow: its reader would read on in the background, from the same file.
    head = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    names = next(csv.reader(head, delimiter=delimiter), [])
    head.detach()
    for name in names:
        if names.count(name) > 1:
            raise Refused(f"{path}:1", f"two columns are named {name!r}", "rename one")
    stream.seek(0)
    cells = arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, null_values=[])
    # A blank line is a row only where a row is one cell.
    lines = arrow_csv.ParseOptions(**layout, ignore_empty_lines=len(names) > 1)
    ours = written_here(names)
    for batch in arrow_csv.open_csv(stream, blocks, lines, cells):
        for start in range(0, len(batch), ROWS_AT_ONCE):
            table = pa.Table.from_batches([batch.slice(start, ROWS_AT_ONCE)])
            yield pa.table({name: restore(table.column(name)) for name in names}) if ours else table


def _jsonl(path: Path, stream: IO[bytes]) -> Iterator[Rows]:
    lines: list[bytes] = []
    values: list[dict[str, Any]] = []
    blank = 0
    for number, found in enumerate(stream, 1):
        line = found.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf" if number == 1 else b"")
        if not line.strip():
            blank = blank or number
            continue
        if blank:
            raise Refused(f"{path}:{blank}", "a blank line between the rows", "take it out")
        try:
            values.append(parsed(line, is_last=not found.endswith(b"\n")))
        except Fault as fault:
            raise Refused(f"{path}:{number}", fault.what, fault.fix) from fault
        lines.append(line)
        if len(lines) == ROWS_AT_ONCE:
            yield Records(lines, values)
            lines, values = [], []
    if lines:
        yield Records(lines, values)
