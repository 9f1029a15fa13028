"""From columns as a file has them to rows under the contract: types, missing values, class names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.errors import Refused
from prepsweep.label_spellings import difference, folded
from prepsweep.lineage import dataset_of
from prepsweep.schema import CLASSES, COLUMNS, OPTIONAL_COLUMNS, TEXT_PAIR, UNLABELLED, source_table
from prepsweep.sources.files import MAX_CELL_BYTES, near, short
from prepsweep.sources.task_labels import as_json, named, written_out
from prepsweep.sources.times import not_a_time

if TYPE_CHECKING:
    from datasets import Dataset

    from prepsweep.label_kinds import Labels

# `data.classes` where the labels are made right by cleaning.
ANY_CLASSES = "any"
_MANY_CLASSES = 20
_DECIMAL = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?|[+-]?\d+[eE][+-]?\d+|nan|NaN")
# Columns of the row contract: what a file calls so cannot travel under that name.
RESERVED = frozenset({*COLUMNS, *OPTIONAL_COLUMNS, "group", "time"})
_SPLIT_ORDER = ("", "train", "dev", "test")
# How a message calls a column.
_SAID = {TEXT_PAIR: "second text", "group": "group", "time": "time"}


@dataclass(frozen=True)
class Columns:
    """The columns that travel, by their names in the file."""

    text: str
    text_pair: str | None
    label: str
    group: str | None
    time: str | None
    carried: Sequence[str]
    unlabelled: bool

    def __post_init__(self) -> None:
        if self.text == self.label:
            raise Refused("data.label_column", f"{self.label!r} is data.text_column too", "name the column that holds the classes")
        for argument, name in (("text_column", self.text), ("label_column", self.label)):
            if self.text_pair == name:
                raise Refused("data.text_pair_column", f"{name!r} is data.{argument} too", "name the column that holds the second texts")
        _check_carried(self.carried)

    @property
    def named(self) -> dict[str, str]:
        """Argument → column."""
        carried = {f"carry_columns.{name}": name for name in self.carried}
        further = {name: column for name, column in self.further.items() if name not in self.carried}
        return {f"{name}_column": column for name, column in ({"text": self.text, "label": self.label} | further).items()} | carried

    @property
    def further(self) -> dict[str, str]:
        """Name under the row contract → column, of those that need not be there."""
        columns = {TEXT_PAIR: self.text_pair, "group": self.group, "time": self.time}
        return {name: column for name, column in columns.items() if column is not None} | {name: name for name in self.carried}

    def check(self, there: Iterable[str], where: str, what: str, *, fix: str | None = None) -> None:
        """Refuse a column that is not there, naming the one that was probably meant."""
        known = list(there)
        for argument, name in self.named.items():
            if name not in known and not (self.unlabelled and name == self.label):
                raise Refused(where, f"{what} {name!r}", fix or f"set data.{argument.partition('.')[0]}: {near(str(name), known)}")


@dataclass(frozen=True)
class Rows:
    """Rows of one file or split as string columns, `further` those of `Columns.further`; `where` is the place of a row, from 0.

    Where rows may come `unlabelled`, those that do have the label "".
    """

    texts: pa.ChunkedArray
    labels: pa.ChunkedArray
    further: Mapping[str, pa.ChunkedArray]
    where: Callable[[int], str]
    unlabelled: bool = False

    def refused(self, row: int, what: str, fix: str) -> Refused:
        """The exception for a fault of one row, which counts from 0."""
        return Refused(self.where(row), what, fix)


def _check_carried(names: Sequence[str]) -> None:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise Refused("data.carry_columns", f"must be a list of columns, got {names!r}", "write it as data.carry_columns=[votes]")
    for name in names:
        if name in RESERVED or list(names).count(name) > 1:
            why = "has a meaning of its own here" if name in RESERVED else "is there twice"
            raise Refused("data.carry_columns", f"{name!r} {why}", "rename it in the file, or leave it out")


def unlabelled(n_rows: int) -> pa.ChunkedArray:
    """The labels of rows that came without any."""
    return pa.chunked_array([pa.repeat(pa.scalar(UNLABELLED), n_rows)])


def dataset_from(parts: Mapping[str, Rows], *, classes: Sequence[str] | None, labels: Labels | None = None) -> Dataset:
    """The rows of `parts` (split → rows) as a data set under the row contract.

    Texts and labels keep their exact characters; a text of white space alone stays, cleaning counts it. Refused are
    missing texts, blank labels, and labels that are probably one class in two spellings, unless `classes` lists both or
    is "any", because a cleaning stage makes them one. `labels` reads those that are not one class a text.
    """
    ordered = {split: parts[split] for split in _SPLIT_ORDER if split in parts}
    known = checked_classes(classes)
    for rows in ordered.values():
        _check_cells(rows)
        _check_times(rows)
    if labels is not None:
        ordered = {split: labels.read(rows) for split, rows in ordered.items()}
    judged = [rows if labels is None else named(rows, labels) for rows in ordered.values() if labels is None or labels.named]
    for rows in judged:
        _check_labels(rows, known)
    if known is None and classes != ANY_CLASSES:
        _refuse_look_alikes(judged)
        if labels is None:
            _refuse_continuous(judged)
    texts, given = _joined(rows.texts for rows in ordered.values()), _joined(rows.labels for rows in ordered.values())
    splits = pa.chunked_array([pa.repeat(pa.scalar(split), len(rows.texts)) for split, rows in ordered.items()])
    names = next(iter(ordered.values())).further
    further = {name: _joined(rows.further[name] for rows in ordered.values()) for name in names}
    if labels is not None:
        further[CLASSES] = labels.classes(given)
    return dataset_of(source_table(texts, given, splits, further))


def checked_classes(classes: Sequence[str] | None) -> list[str] | None:
    """`data.classes` as given, None for whatever the rows hold; refused where it is not a list of distinct names."""
    if classes is None or classes == ANY_CLASSES:
        return None
    if isinstance(classes, str) or not classes:
        raise Refused("data.classes", f"must be a list of class names, got {classes!r}", "write it as data.classes=[negative,positive]")
    for place, name in enumerate(classes):
        if not isinstance(name, str):
            raise Refused("data.classes", f"{name!r} is not text", f"quote it: data.classes=['{name}',…]")
        if not name.strip() or name in classes[:place]:
            raise Refused("data.classes", f"{name!r} is {'there twice' if name.strip() else 'blank'}", "list each class once")
    return list(classes)


def typed_further(table: pa.Table, columns: Columns, where: str) -> dict[str, pa.ChunkedArray]:
    """The columns of `columns.further` in a table with types (Parquet, hub), as strings."""
    readers: dict[str, Callable[[pa.ChunkedArray, str, str], pa.ChunkedArray]] = {
        TEXT_PAIR: partial(as_text, key="text_pair_column"),
        "group": partial(as_names, role="group"),
        "time": as_times,
    }
    return {
        name: as_json(table.column(column)) if name in columns.carried else readers[name](table.column(column), column, where)
        for name, column in columns.further.items()
    }


def as_text(column: pa.ChunkedArray, name: str, where: str, *, key: str) -> pa.ChunkedArray:
    """A typed column as strings; refused where it holds anything but text. `key` is the option that named it."""
    column = written_out(column)
    if not pa.types.is_string(column.type):
        raise Refused(where, f"column {name!r} holds {column.type}, not text", f"set data.{key} to a column of strings")
    return column


def texts_of(table: pa.Table, columns: Columns, where: str, labels: Labels | None) -> pa.ChunkedArray:
    """The texts of a table with types; in JSON where the task reads lists of tokens."""
    column = table.column(columns.text)
    return as_json(column) if labels is not None and labels.tokens else as_text(column, columns.text, where, key="text_column")


def as_names(column: pa.ChunkedArray, name: str, where: str, *, role: str) -> pa.ChunkedArray:
    """A typed column as names of classes or groups: strings as they are, integers in decimal, `true` and `false`."""
    column = written_out(column)
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        fix = "write strings or integers (pandas makes integers with gaps to floats)"
        raise Refused(where, f"{role} column looks continuous: {name!r} holds {kind}", fix)
    if not (pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        fix = f"set data.{role}_column to a column of strings, integers or booleans"
        raise Refused(where, f"column {name!r} holds {kind}, not names of {role}s", fix)
    return column.cast(pa.string())


def as_times(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    """A typed column as times in text: dates in ISO 8601, numbers in decimal, strings as they are."""
    column = written_out(column)
    kind = column.type
    if (
        pa.types.is_string(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_date(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
    ):
        return column.cast(pa.string())
    raise Refused(where, f"column {name!r} holds {kind}, not times", "set data.time_column to a column of dates or numbers")


def first(mask: pa.ChunkedArray) -> int | None:
    """Position of the first true value, None where there is none."""
    found: int = pc.index(mask, pa.scalar(True)).as_py()
    return None if found < 0 else found


def _joined(columns: Iterable[pa.ChunkedArray]) -> pa.ChunkedArray:
    given = list(columns)
    return pa.chunked_array([chunk for column in given for chunk in column.chunks], given[0].type)


def _check_cells(rows: Rows) -> None:
    named = {"text": rows.texts, "label": rows.labels} | {_SAID.get(name, name): column for name, column in rows.further.items()}
    may_lack = rows.further.keys() - _SAID.keys()
    for name, column in named.items():
        if name not in may_lack and column.null_count and (row := first(pc.is_null(column))) is not None:
            raise rows.refused(row, f"the {name} is missing (null)", "fill it in, or take the row out")
        if (pc.max(pc.binary_length(column)).as_py() or 0) > MAX_CELL_BYTES:
            row = first(pc.greater(pc.binary_length(column), MAX_CELL_BYTES)) or 0
            size = len(column[row].as_py().encode())
            what = f"a {name} of {size:,} bytes, over {MAX_CELL_BYTES:,}"
            raise rows.refused(row, what, "cut it, or look for a quote that is not closed")
    groups = rows.further.get("group")
    if groups is not None and (row := first(pc.equal(pc.utf8_trim_whitespace(groups), ""))) is not None:
        raise rows.refused(row, "the group is blank", "fill it in: rows of one group stay in one split")


def _check_times(rows: Rows) -> None:
    times = rows.further.get("time")
    row = None if times is None else not_a_time(times)
    if times is not None and row is not None:
        what = f"{short(times[row].as_py())} is no time that can be compared with the others"
        raise rows.refused(row, what, "write all as 2024-05-31 or 2024-05-31T14:00:00, with a zone in all or in none, or as numbers")


def _check_labels(rows: Rows, classes: list[str] | None) -> None:
    for label in pc.unique(rows.labels).to_pylist():
        if label == UNLABELLED and rows.unlabelled:
            continue
        if not folded(label):
            invisible = " (it holds invisible characters only)" if label.strip() else ""
            raise rows.refused(_row_of(rows, label), f"the label is blank{invisible}", "fill it in, or take the row out")
        if classes is not None and label not in classes:
            raise rows.refused(_row_of(rows, label), f"label {short(label)} is not one of data.classes", near(label, classes))


def _refuse_look_alikes(parts: list[Rows]) -> None:
    """Refuse two labels that are probably one class in two spellings."""
    seen: dict[str, tuple[str, Rows]] = {}
    for rows in parts:
        for label in pc.unique(rows.labels).to_pylist():
            known, there = seen.setdefault(folded(label), (label, rows))
            if known != label:
                differ = difference(known, label)
                # Where they look alike, only the code points tell them apart.
                shown, other = (short(label), short(known)) if differ == "case" else (ascii(label[:80]), ascii(known[:80]))
                what = f"label {shown} differs from {other} ({there.where(_row_of(there, known))}) only in {differ}"
                fix = "make them one (data.classes=any with clean=fix_labels does), or list both in data.classes"
                raise rows.refused(_row_of(rows, label), what, fix)


def _refuse_continuous(parts: list[Rows]) -> None:
    labels = {label for rows in parts for label in pc.unique(rows.labels).to_pylist()}
    if len(labels) > _MANY_CLASSES and all(_DECIMAL.fullmatch(label) for label in labels):
        what = f"label column looks continuous: {len(labels)} distinct numbers such as {parts[0].labels[0].as_py()!r}"
        raise parts[0].refused(0, what, "set data.label_column to a column of classes, or list them in data.classes")


def _row_of(rows: Rows, label: str) -> int:
    row: int = pc.index(rows.labels, pa.scalar(label)).as_py()
    return row
