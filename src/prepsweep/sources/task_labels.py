"""Labels that are not one class a text, as the task reads them, and their names as the checks of class names need them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.schema import NO_CLASS
from prepsweep.sources.files import short

if TYPE_CHECKING:
    from prepsweep.label_kinds import Labels
    from prepsweep.sources.table import Rows

T = TypeVar("T")


class NotALabel(ValueError):
    """What is wrong with a cell, and how it is put right."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.fix = what, fix


def written_out(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column whose type is that of its values: without its dictionary, and any kind of string as the one of the row contract."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return column.cast(kind).cast(pa.string() if is_text else kind)


def as_json(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A typed column as text: strings as they are, all else in JSON, null where it is null."""
    column = written_out(column)
    if pa.types.is_string(column.type):
        return column
    values = (None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in column.to_pylist())
    return pa.chunked_array([pa.array(values, pa.string())])


def each_cell(rows: Rows, cells: pa.ChunkedArray, read: Callable[[str], T]) -> list[T]:
    """What `read` makes of each cell, of equal ones once; refused at the first row whose cell it raises `NotALabel` for."""
    known: dict[str, T] = {}
    for cell in pc.unique(cells).to_pylist():
        try:
            known[cell] = read(cell)
        except NotALabel as error:
            raise rows.refused(pc.index(cells, pa.scalar(cell)).as_py(), error.what, error.fix) from error
    return [known[cell] for cell in cells.to_pylist()]


def list_of_strings(cell: str, what: str) -> list[str]:
    """A JSON list of strings; integers in it become their digits."""
    try:
        values: Any = json.loads(cell, parse_int=str)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise NotALabel(f"{short(cell)} is no list of {what}", 'write it as ["a","b"]')
    if NO_CLASS in values:
        raise NotALabel(f"{NO_CLASS!r} is how rows without a class are counted", "rename it")
    return values


def named(rows: Rows, labels: Labels) -> Rows:
    """`rows` with a row for each class, so that names are checked one by one where they stand."""
    classes = labels.classes(rows.labels)
    names, parents = classes.flatten(), classes.value_parent_indices().to_pylist()
    there = pc.not_equal(names, NO_CLASS)
    places = [parent for parent, is_there in zip(parents, there.to_pylist(), strict=True) if is_there]
    return replace(rows, labels=pa.chunked_array([names.filter(there)]), where=lambda place: rows.where(places[place]))
