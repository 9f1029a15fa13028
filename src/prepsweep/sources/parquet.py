"""Rows from Parquet files, by the types that they state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet

from prepsweep.errors import Refused
from prepsweep.schema import UNLABELLED
from prepsweep.sources.files import MAX_CELL_BYTES, GivenFile, given_files, most_unpacked, refuse_other_kind, said
from prepsweep.sources.hooks import check, fingerprint
from prepsweep.sources.table import Columns, Rows, as_names, dataset_from, texts_of, typed_further
from prepsweep.sources.table import unlabelled as no_labels
from prepsweep.sources.task_labels import as_json

if TYPE_CHECKING:
    from datasets import Dataset

    from prepsweep.label_kinds import Labels

__all__ = ["check", "fingerprint", "parquet"]
_MAGIC = b"PAR1"


def parquet(
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
) -> Dataset:
    """The rows of one to three Parquet files; places of faults are row numbers from 1.

    A text must be a string column. Labels are strings as they stand, integers in decimal, booleans as `true` and `false`.
    """
    columns = Columns(text_column, text_pair_column, label_column, group_column, time_column, carry_columns, unlabelled)
    files = given_files(path=path, dev_path=dev_path, test_path=test_path)
    return dataset_from({file.split: _read(file, columns, labels) for file in files}, classes=classes, labels=labels)


def _read(file: GivenFile, columns: Columns, labels: Labels | None) -> Rows:
    where = str(file.path)
    _check_ends(file)
    try:
        with arrow_parquet.ParquetFile(file.path) as opened:
            _check_layout(opened, columns, where, labels)
            there = set(opened.schema_arrow.names)
            names = [name for name in dict.fromkeys(columns.named.values()) if name in there]
            _check_written_out(file, opened.metadata, names)
            table = opened.read(columns=names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last: a column's name
        raise Refused(where, f"damaged Parquet: {said(error)}", "fetch or write it again") from error
    if not len(table):
        raise Refused(where, "the file has no rows", file.other("a file with rows"))
    _check_utf8(table, where)
    return Rows(
        texts_of(table, columns, where, labels),
        _labels(table, columns, where, labels),
        typed_further(table, columns, where),
        where=lambda row: f"{where}:{row + 1}",
        unlabelled=columns.unlabelled,
    )


def _check_ends(file: GivenFile) -> None:
    with file.path.open("rb") as opened:
        head = opened.read(1 << 12)
        opened.seek(max(0, file.path.stat().st_size - len(_MAGIC)))
        tail = opened.read()
    if not head:
        raise Refused(str(file.path), "the file is empty (0 bytes)", file.other("another file"))
    refuse_other_kind(file, head, but="a Parquet file")
    if not head.startswith(_MAGIC):
        raise Refused(str(file.path), "this is not Parquet", "use data=csv or data=jsonl for a text file")
    if tail != _MAGIC:
        raise Refused(str(file.path), "the Parquet file is cut off: its end is missing", "fetch or write it again")


def _check_layout(opened: arrow_parquet.ParquetFile, columns: Columns, where: str, labels: Labels | None) -> None:
    """Refuse what need not be read to be refused: names, types, and pages that unpack to far more than texts hold."""
    schema = opened.schema_arrow
    columns.check(schema.names, where, "there is no column")
    for name in columns.named.values():
        if schema.names.count(name) > 1:
            raise Refused(where, f"two columns are named {name!r}", "rename one")
    nothing = schema.empty_table()
    texts_of(nothing, columns, where, labels)
    _labels(nothing, columns, where, labels)
    typed_further(nothing, columns, where)
    metadata = opened.metadata
    for group in (metadata.row_group(place) for place in range(metadata.num_row_groups)):
        # Of all columns: pyarrow ends the process when it is asked about one column of a damaged group.
        if group.total_byte_size > MAX_CELL_BYTES * (group.num_rows + 1):
            what = f"the columns unpack to over {MAX_CELL_BYTES:,} bytes a row"
            raise Refused(where, what, "cut the texts, or keep only the columns that are needed")


def _check_written_out(file: GivenFile, metadata: arrow_parquet.FileMetaData, names: list[str]) -> None:
    """Refuse texts that the file holds once, for so many rows that writing them out would take all memory."""
    limit, n_bytes = most_unpacked(file.path.stat().st_size), 0
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    if sum(group.num_rows * group.total_byte_size for group in groups) <= limit:
        return
    with arrow_parquet.ParquetFile(file.path, read_dictionary=names) as coded:
        for place in range(len(groups)):
            for chunk in (chunk for column in coded.read_row_group(place, columns=names).columns for chunk in column.chunks):
                if pa.types.is_dictionary(chunk.type) and pa.types.is_string(chunk.type.value_type):
                    n_bytes += pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0
            if n_bytes > limit:
                what = f"{file.path.stat().st_size:,} bytes of Parquet come to over {limit:,} written out, which no text does"
                raise Refused(str(file.path), what, "look at the texts that it repeats")


def _labels(table: pa.Table, columns: Columns, where: str, labels: Labels | None) -> pa.ChunkedArray:
    if labels is not None:
        return as_json(table.column(columns.label))
    if not columns.unlabelled:
        return as_names(table.column(columns.label), columns.label, where, role="label")
    if columns.label not in table.column_names or pa.types.is_null(table.column(columns.label).type):
        return no_labels(len(table))
    return as_names(table.column(columns.label), columns.label, where, role="label").fill_null(UNLABELLED)


def _check_utf8(table: pa.Table, where: str) -> None:
    # Parquet says "string" and trusts its writer; an invalid one would fail much later, in the tokenizer.
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        for name in table.column_names:
            column = table.column(name)
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                values = column.cast(pa.large_binary()).to_pylist()
                row = next((row for row, value in enumerate(values) if value is not None and not _is_utf8(value)), None)
                if row is not None:
                    raise Refused(f"{where}:{row + 1}", f"{name!r} is not UTF-8", "write the file again from text") from error
        raise Refused(where, f"damaged Parquet: {said(error)}", "fetch or write it again") from error


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
