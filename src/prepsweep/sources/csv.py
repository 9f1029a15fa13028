"""Rows from CSV files, every cell the exact text that stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from prepsweep.errors import Refused
from prepsweep.sources.csv_layout import Layout
from prepsweep.sources.files import GivenFile, given_files, open_text
from prepsweep.sources.table import Columns, Rows, dataset_from, first

if TYPE_CHECKING:
    from datasets import Dataset

# A row must fit into one block of Arrow's reader: room for two of the longest cells.
_BLOCK_BYTES = 1 << 23
_DELIMITERS = (",", ";", "\t", "|")
_NAMES = {"tab": "\t", "\\t": "\t"}


def csv(
    *,
    path: str,
    dev_path: str | None,
    test_path: str | None,
    text_column: str,
    label_column: str,
    group_column: str | None,
    classes: list[str] | None,
    delimiter: str,
) -> Dataset:
    """The rows of one to three CSV files, strictly UTF-8 with a header.

    No value is guessed: `NA`, `None` and `007` are labels like others, an empty text is an empty text. A file that any
    other reader might understand differently is refused with its line.
    """
    columns = Columns(text_column, label_column, group_column)
    separator = _NAMES.get(delimiter, delimiter)
    if len(separator) != 1 or not separator.isascii() or separator in '"\r\n':
        raise Refused("data.delimiter", f"must be one ASCII character, got {delimiter!r}", "use ',' ';' '|' or tab")
    files = given_files(path=path, dev_path=dev_path, test_path=test_path)
    return dataset_from({file.split: _read(file, columns, separator) for file in files}, classes=classes)


def fingerprint(*, path: str, dev_path: str | None, test_path: str | None, **_: object) -> dict[str, str]:
    """Nothing beyond the files, which the framework hashes; a missing one is refused here with a hint."""
    given_files(path=path, dev_path=dev_path, test_path=test_path)
    return {}


def _read(file: GivenFile, columns: Columns, delimiter: str) -> Rows:
    layout = Layout.of(open_text(file), delimiter)
    names, body = _header(layout, columns)
    if body >= layout.end:
        raise Refused(f"{file.path}:1", "the file has a header and no rows", file.hint("a file with rows"))
    layout.check_quotes(body)
    table = _parsed(layout, body, names, columns)
    texts, labels = table.column(columns.text), table.column(columns.label)
    groups = table.column(columns.group) if columns.group is not None else None
    _refuse_blank_lines(layout, body, names, texts, labels)
    rows = Rows(texts, labels, groups, where=lambda row: f"{file.path}:{layout.line_of_row(body, row)}")
    again = first(pc.and_(pc.equal(texts, columns.text), pc.equal(labels, columns.label)))
    if again is not None:
        raise rows.refused(again, "the header again, in the middle of the rows", "take the line out")
    return rows


def _header(layout: Layout, columns: Columns) -> tuple[list[str], int]:
    _refuse_other_delimiter(layout, columns)
    names, body = layout.header()
    where = f"{layout.text.path}:1"
    if columns.text not in names and names[0].lstrip().startswith(("{", "[")):
        raise Refused(where, "this looks like JSON, not CSV", "use data=jsonl")
    columns.check(names, where)
    return names, body


def _refuse_other_delimiter(layout: Layout, columns: Columns) -> None:
    header = layout.first_line()
    if layout.delimiter in header:
        return
    for other in _DELIMITERS:
        if columns.text in [name.strip('"') for name in header.split(other)] and other in header:
            shown = "tab" if other == "\t" else f"'{other}'"
            raise Refused(f"{layout.text.path}:1", f"looks separated by {shown}", f"set data.delimiter={shown}")


def _parsed(layout: Layout, body: int, names: list[str], columns: Columns) -> pa.Table:
    wanted = list(dict.fromkeys(columns.named.values()))
    quoted = layout.text.data.find(b'"', body, layout.end) >= 0
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(pa.py_buffer(layout.text.data).slice(body, layout.end - body)),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES),
            # Blank lines count as rows, so that row numbers stay those of the file.
            parse_options=arrow_csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=quoted, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=wanted,
                column_types={name: pa.string() for name in wanted},
                strings_can_be_null=False,
                null_values=[],
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid as error:
        layout.check_records(body, len(names))
        raise Refused(
            str(layout.text.path), f"Arrow cannot parse it: {str(error).splitlines()[0]}", "write it again as plain CSV"
        ) from error


def _refuse_blank_lines(layout: Layout, body: int, names: list[str], texts: pa.ChunkedArray, labels: pa.ChunkedArray) -> None:
    if first(pc.and_(pc.equal(texts, ""), pc.equal(labels, ""))) is not None:
        layout.check_records(body, len(names))
