"""A queue as a CSV file: written for a spreadsheet, and read again after one has been at it.

A spreadsheet may put a byte order mark in front, write semicolons, other line ends and other quotes, sort rows, move columns
and add its own. Each row says `3 of 500`, so that rows that were cut off or deleted are missed; a cut within the last row
leaves too few cells, an open quote or half a mark. No cell can be taken for a formula (`csv_cells`).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from prepsweep.csv_cells import neutralise, restore
from prepsweep.errors import Refused, nearest
from prepsweep.review import marks
from prepsweep.review.decisions import Decision, ReviewFile
from prepsweep.schema import TEXT_PAIR
from prepsweep.sources.files import MAX_CELL_BYTES, GivenFile, TextFile, open_text, short

# `data` stands last: half of it is no mark, so a cut in the last cell is seen.
COLUMNS = ("row", "text", TEXT_PAIR, "label", "suggested", "reason", "decision", "reviewer", "uid", "choices", "data")
_NEEDED = ("row", "uid", "data", "decision")
# What a cut can change into another value of the same kind.
_OPEN_ENDED = ("decision", "reviewer")
_DELIMITERS = (",", ";", "\t")
_PARTIAL = "export it again whole, or take the rows that are there with annotate.reviewed.partial=true"


@dataclass(frozen=True)
class SheetRow:
    """One row of a queue; `where` is its place in the file."""

    where: str
    place: int
    uid: str
    data: str
    cells: dict[str, str]


@dataclass(frozen=True)
class Sheet:
    """A queue as its file has it: the rows in their order, all classes, and how many rows there should be."""

    rows: list[SheetRow]
    classes: list[str]
    n_rows: int


def written(queue: pa.Table, classes: Sequence[str]) -> bytes:
    """The queue as CSV, UTF-8 with a byte order mark, without which Excel takes it for Latin-1."""
    n_rows, names = len(queue), [name for name in COLUMNS if name != TEXT_PAIR or name in queue.column_names]
    texts = [queue.column(name).to_pylist() for name in ("text", TEXT_PAIR) if name in names]
    uids = queue.column("uid").to_pylist()
    made = {
        "row": [marks.written_place(place, n_rows) for place in range(1, n_rows + 1)],
        "decision": [""] * n_rows,
        "reviewer": [""] * n_rows,
        "uid": [marks.written_uid(uid) for uid in uids],
        # The first row names the classes; in each they would make a large file.
        "choices": [json.dumps(list(classes), ensure_ascii=False), *[""] * (n_rows - 1)],
        "data": [marks.data_mark(uid, read) for uid, read in zip(uids, zip(*texts, strict=True), strict=True)],
    } | {name: [marks.shortened(text) for text in column] for name, column in zip(("text", TEXT_PAIR), texts, strict=False)}
    cells = [neutralise(pa.array(made[name]) if name in made else queue.column(name)).to_pylist() for name in names]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows(zip(*cells, strict=True))
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def read_sheet(path: Path, *, partial: bool = False) -> Sheet:
    """The rows of a file that `written` made, whatever a spreadsheet did to its form; refused where one is missing or broken."""
    text = open_text(GivenFile(path, "review file", ""))
    header, records = _records(text)
    _refuse_open_end(text, header)
    rows: list[SheetRow] = []
    n_rows = 0
    for line, cells in records:
        row, of = _row(f"{path}:{line}", dict(zip(header, cells, strict=False)))
        if rows and of != n_rows:
            raise Refused(row.where, f"one of {of:,} rows, the rows before are of {n_rows:,}", "keep each queue in its own file")
        rows.append(row)
        n_rows = of
    _refuse_missing(path, rows, n_rows, partial=partial)
    _restore(rows)
    rows.sort(key=lambda row: row.place)
    return Sheet(rows, _classes(rows), n_rows)


def decisions_in(path: Path, *, partial: bool) -> ReviewFile:
    """The cells of `decision` that are not blank; a row without a `reviewer` was reviewed by whom the file is named after."""
    rows = read_sheet(path, partial=partial).rows
    found = [
        Decision(row.uid, row.cells["decision"], name or path.stem, row.where, data=row.data, text=row.cells.get("text"))
        for row in rows
        for name in [row.cells.get("reviewer", "").strip()]
        if row.cells["decision"].strip()
    ]
    return ReviewFile(found, len(rows) - len(found))


def _records(text: TextFile) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The column names, and each record with the line that it begins on; blank ones are left out."""
    body = text.data[text.start : text.end].decode()
    first = re.split(r"[\r\n]", body, maxsplit=1)[0]
    delimiter = next((d for d in _DELIMITERS if "uid" in [name.strip(' "') for name in first.split(d)]), None)
    if delimiter is None:
        raise Refused(f"{text.path}:1", "the header names no column 'uid'", "use a file of prepsweep review export, with its header")
    lines = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
    header = [name.strip() for name in _next(text, lines) or []]
    for name in _NEEDED:
        if header.count(name) != 1:
            what = f"the header names {header.count(name) or 'no'} column{'s' if header.count(name) else ''} {name!r}"
            raise Refused(f"{text.path}:1", what, nearest(name, header) if name not in header else "keep one")
    return header, _whole(text, lines, len(header))


def _whole(text: TextFile, lines: Any, n_columns: int) -> Iterator[tuple[int, list[str]]]:
    begin = lines.line_num + 1
    while (cells := _next(text, lines)) is not None:
        if any(cells):
            if len(cells) < n_columns or any(cells[n_columns:]):
                what = f"{len(cells)} cells, the header names {n_columns} columns"
                raise Refused(f"{text.path}:{begin}", what, "it is cut off, or a cell is not quoted: save it again")
            yield begin, cells
        begin = lines.line_num + 1


def _next(text: TextFile, lines: Any) -> list[str] | None:
    begin = lines.line_num + 1
    # The limit is one for the whole process, and others count on it.
    limit = csv.field_size_limit(MAX_CELL_BYTES)
    try:
        return next(lines, None)
    except csv.Error as error:
        raise Refused(f"{text.path}:{begin}", f"not CSV: {error}", "it is cut off, or a quote is not closed: save it again") from error
    finally:
        csv.field_size_limit(limit)


def _refuse_open_end(text: TextFile, header: list[str]) -> None:
    if header[-1] in _OPEN_ENDED and text.end == len(text.data) and not text.data.endswith(b'"'):
        what = f"the file ends without a line end, in the column {header[-1]!r}: it may be cut off"
        raise Refused(f"{text.path}:{text.line(text.end)}", what, "move another column to the end, or add an empty line")


def _row(where: str, cells: dict[str, str]) -> tuple[SheetRow, int]:
    place, uid, data = marks.read_place(cells["row"]), marks.read_uid(cells["uid"]), cells["data"].strip()
    if place is None:
        raise Refused(where, f"the row says {short(cells['row'])}, not its place as '3 of 500'", "put back what the export wrote there")
    if uid is None:
        raise Refused(where, f"{short(cells['uid'])} is no uid such as u:00ff…, 24 digits", "put back what the export wrote there")
    if not marks.is_data_mark(data):
        raise Refused(where, f"{short(data)} is no mark such as d:00ff00ff00ff", "it is cut off or was changed: put back what was there")
    return SheetRow(where, place[0], uid, data, cells), place[1]


def _refuse_missing(path: Path, rows: list[SheetRow], n_rows: int, *, partial: bool) -> None:
    seen: dict[int, str] = {}
    for row in rows:
        if (before := seen.setdefault(row.place, row.where)) != row.where:
            raise Refused(row.where, f"row {row.place} is there twice, before in {before}", "keep one")
    if not rows:
        raise Refused(f"{path}:1", "the file has a header and no rows", _PARTIAL)
    if len(rows) < n_rows and not partial:
        missing = next(place for place in range(1, n_rows + 1) if place not in seen)
        what = f"{n_rows - len(rows):,} of {n_rows:,} rows are missing, the first is row {missing}: cut off or deleted"
        raise Refused(str(path), what, _PARTIAL)


def _restore(rows: list[SheetRow]) -> None:
    for name in {name for name in rows[0].cells if name in COLUMNS}:
        for row, cell in zip(rows, restore(pa.array([row.cells[name] for row in rows], pa.string())).to_pylist(), strict=True):
            row.cells[name] = cell


def _classes(rows: list[SheetRow]) -> list[str]:
    for row in rows:
        if written := row.cells.get("choices"):
            try:
                classes = json.loads(written)
            except ValueError as error:
                raise Refused(row.where, f"the cell 'choices' is no list: {error}", "put back what the export wrote there") from error
            if isinstance(classes, list) and all(isinstance(name, str) for name in classes):
                return classes
            raise Refused(row.where, "the cell 'choices' is no list of names", "put back what the export wrote there")
    return []
