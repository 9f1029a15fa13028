"""Rows from CSV files, every cell the exact text that stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from prepsweep.csv_cells import restore, written_here
from prepsweep.errors import Refused
from prepsweep.sources.csv_layout import Layout
from prepsweep.sources.files import GivenFile, given_files, open_text, said
from prepsweep.sources.hooks import check as check_columns
from prepsweep.sources.hooks import fingerprint
from prepsweep.sources.table import Columns, Rows, dataset_from, first
from prepsweep.sources.table import unlabelled as no_labels

if TYPE_CHECKING:
    from datasets import Dataset

    from prepsweep.label_kinds import Labels

__all__ = ["check", "csv", "fingerprint"]
# A row must fit into one block of Arrow's reader: room for three of the longest cells.
_BLOCK_BYTES = 1 << 24
# Names for what a shell or Hydra takes for itself when it is not quoted twice.
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


def csv(
    *,
    path: str,
    dev_path: str | None,
    test_path: str | None,
    text_column: str,
    text_pair_column: str | None,
    label_column: str,
    group_column: str | None,
    time_column: str | None,
    carry_columns: list[str],
    unlabelled: bool,
    classes: list[str] | str | None,
    labels: Labels | None,
    delimiter: str,
) -> Dataset:
    """The rows of one to three CSV files, strictly UTF-8 with a header.

    No value is guessed: `NA`, `None` and `007` are labels like others, an empty text is an empty text. A file that any
    other reader might understand differently is refused with its line. In an export of ours (`prepsweep rows`) the
    apostrophes that keep cells from being formulas are taken out again, see `csv_cells`.
    """
    columns = Columns(text_column, text_pair_column, label_column, group_column, time_column, carry_columns, unlabelled)
    separator = _separator(delimiter)
    files = given_files(path=path, dev_path=dev_path, test_path=test_path)
    return dataset_from({file.split: _read(file, columns, separator) for file in files}, classes=classes, labels=labels)


def check(*, delimiter: str, **columns: Any) -> None:
    """Refuse values that no file can fit."""
    check_columns(**columns)
    _separator(delimiter)


def _separator(delimiter: str) -> str:
    separator = _DELIMITERS.get(delimiter, "\t" if delimiter == "\\t" else delimiter)
    if len(separator) != 1 or not separator.isascii() or separator in '"\r\n':
        raise Refused("data.delimiter", f"must be one ASCII character, got {delimiter!r}", f"use {', '.join(_DELIMITERS)} or the character")
    return separator


def _read(file: GivenFile, columns: Columns, delimiter: str) -> Rows:
    layout = Layout(open_text(file), delimiter)
    names, body = _header(layout, columns)
    if body >= layout.text.end:
        raise Refused(f"{file.path}:1", "the file has a header and no rows", file.other("a file with rows"))
    layout.check_quotes(body)
    table = _parsed(layout, body, names, columns)
    texts = table.column(columns.text)
    labels = table.column(columns.label) if columns.label in names else no_labels(len(table))
    _refuse_blank_lines(layout, body, names, texts, labels)
    further = {name: table.column(column) for name, column in columns.further.items()}
    rows = Rows(texts, labels, further, where=lambda row: f"{file.path}:{layout.line_of_row(body, row)}", unlabelled=columns.unlabelled)
    again = first(pc.and_(pc.equal(texts, columns.text), pc.equal(labels, columns.label)))
    if again is not None:
        raise rows.refused(again, "the header again, in the middle of the rows", "take the line out")
    return rows


def _header(layout: Layout, columns: Columns) -> tuple[list[str], int]:
    _refuse_other_layout(layout)
    names, body = layout.header()
    columns.check(names, f"{layout.text.path}:1", "the header has no column")
    return names, body


def _refuse_other_layout(layout: Layout) -> None:
    header, where = layout.first_line(), f"{layout.text.path}:1"
    if header.lstrip().startswith(('{"', '[{"')):
        raise Refused(where, "this looks like JSON, not CSV", "use data=jsonl")
    if header.startswith("sep=") and len(header) == len("sep=;"):
        raise Refused(where, f"{header!r} is a mark for Excel, not the header", "take the line out; data.delimiter says it here")
    if layout.delimiter not in header:
        name, other = max(_DELIMITERS.items(), key=lambda item: header.count(item[1]))
        if other in header:
            raise Refused(where, f"looks separated by {other!r}", f"set data.delimiter={name}")


def _parsed(layout: Layout, body: int, names: list[str], columns: Columns) -> pa.Table:
    wanted = [name for name in dict.fromkeys(columns.named.values()) if name in names]
    quoted = layout.text.data.find(b'"', body, layout.text.end) >= 0
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(pa.py_buffer(layout.text.data).slice(body, layout.text.end - body)),
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
        raise Refused(str(layout.text.path), f"Arrow cannot parse it: {said(error)}", "write it again as plain CSV") from error
    return pa.table({name: restore(table.column(name)) for name in wanted}) if written_here(names) else table


def _refuse_blank_lines(layout: Layout, body: int, names: list[str], texts: pa.ChunkedArray, labels: pa.ChunkedArray) -> None:
    if first(pc.and_(pc.equal(texts, ""), pc.equal(labels, ""))) is not None:
        layout.check_records(body, len(names))
