"""Columns that hold a list a row, as text: what `data.carry_columns` makes of votes and of annotators."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

from prepsweep.errors import Refused, nearest

_ONE_A_ROW = ("uid", "split", "parent_uid", "origin", "weight", "dropped")


def listed(column: pa.ChunkedArray) -> pa.Array | None:
    """A column of JSON lists as lists of text, numbers as they stand in JSON; None where it holds none.

    A row whose cell is null has a null. One cell that is a list makes it a column of lists, of which all must be one.
    """
    encoded = column.combine_chunks().dictionary_encode()
    cells = encoded.dictionary.to_pylist()
    if not any(cell.lstrip().startswith("[") for cell in cells):
        return None
    return pa.array([_items(cell) for cell in cells], pa.list_(pa.string())).take(encoded.indices)


def _items(cell: str) -> list[str | None]:
    try:
        values = json.loads(cell)
    except ValueError:
        values = None
    if not isinstance(values, list):
        raise Refused("data.carry_columns", f"a cell is {cell[:60]!r}, where others are JSON lists", "write all as lists, such as [1, 0]")
    return [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]


def refuse_missing(table: pa.Table, columns: Sequence[str], where: str) -> None:
    """Refuse columns that the rows do not have."""
    there = [name for name in table.column_names if name not in _ONE_A_ROW and pa.types.is_string(table[name].type)]
    for name in columns:
        if name not in there:
            carried = f"data.carry_columns=[{name}] brings it along, where the data has it"
            raise Refused(where, f"the rows have no column {name!r}", f"{carried}; {nearest(str(name), there)}")
