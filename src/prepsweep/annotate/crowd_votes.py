"""The labels of several annotators, from lists in the rows or from a file with a line for each label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from prepsweep.annotate.ballots import Ballots
from prepsweep.annotate.lists import listed, refuse_missing
from prepsweep.errors import Refused, nearest
from prepsweep.sources.files import said, short

_WHERE = "annotate.crowd"
_COLUMNS = ("key", "annotator", "label")
# Ballots, and how many labels were left out because their annotator had labelled the row before.
Counted = tuple[Ballots, int]


def ballots_of_columns(table: pa.Table, column: str, annotators_column: str | None) -> Counted:
    """Ballots from a list of labels in each row and, in another, the names of who gave them; nulls and "" are no label."""
    refuse_missing(table, [name for name in (column, annotators_column) if name is not None], f"{_WHERE}.column")
    labels = _lists(table, column)
    sizes = pc.fill_null(pc.list_value_length(labels), 0).to_numpy()
    if annotators_column is None:
        annotators = pa.array([str(place) for size in sizes for place in range(size)], pa.string())
    else:
        names = _lists(table, annotators_column)
        odd = np.flatnonzero(pc.fill_null(pc.list_value_length(names), 0).to_numpy() != sizes)
        if len(odd):
            what = f"row {table['uid'][int(odd[0])].as_py()} has {sizes[odd[0]]} labels by another number of annotators"
            raise Refused(f"{_WHERE}.annotators_column", what, "give each label its annotator, in one order")
        annotators = names.flatten()
    return _ballots(np.repeat(np.arange(len(table)), sizes), annotators, labels.flatten(), len(table))


def ballots_of_file(table: pa.Table, path: Path, *, key_column: str) -> Counted:
    """Ballots from the lines of a CSV file; a line that belongs to no row is refused, rows with one key share its lines."""
    refuse_missing(table, [key_column], f"{_WHERE}.key_column")
    try:
        given = arrow_csv.read_csv(
            path,
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(_COLUMNS, pa.string()), strings_can_be_null=False),
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise Refused(str(path), said(error), "write a CSV file in UTF-8 with the columns key, annotator and label") from error
    for name in _COLUMNS:
        if name not in given.column_names:
            raise Refused(f"{path}:1", f"the header has no column {name!r}", nearest(name, given.column_names))
    rows = pa.table({"key": table[key_column], "row": pa.array(np.arange(len(table)))})
    strange = pc.invert(pc.is_in(given["key"], rows["key"].combine_chunks()))
    if n_strange := pc.sum(strange).as_py():
        first = short(given["key"].filter(strange)[0].as_py())
        fix = f"set {_WHERE}.key_column to what the file calls key; cleaning may have changed or taken out the row"
        raise Refused(str(path), f"{n_strange:,} labels are of no row, such as those of {first}", fix)
    lines = given.select(_COLUMNS).append_column("line", pa.array(np.arange(len(given))))
    joined = lines.join(rows, "key", join_type="inner").sort_by("line")
    return _ballots(joined["row"].to_numpy(), joined["annotator"].combine_chunks(), joined["label"].combine_chunks(), len(table))


def _lists(table: pa.Table, column: str) -> pa.Array:
    found = listed(table[column])
    if found is None:
        raise Refused(f"{_WHERE}.column", f"the column {column!r} holds no lists", 'write a list of labels in each row, such as ["a", "b"]')
    return found


def _ballots(rows: NDArray[np.int64], annotators: pa.Array, labels: pa.Array, n_rows: int) -> Counted:
    """Ballots sorted by row; of two labels by one annotator the first counts. Refused where nobody labelled any row."""
    there = pc.and_(pc.is_valid(labels), pc.not_equal(labels, "")).fill_null(False)
    mask = there.to_numpy(zero_copy_only=False)
    rows, annotators, labels = rows[mask], annotators.filter(there), labels.filter(there)
    if not len(rows):
        raise Refused(_WHERE, "nobody labelled a row", "check the column or the file")
    names, classes = (
        np.unique(column.to_numpy(zero_copy_only=False).astype(object), return_inverse=True) for column in (annotators, labels)
    )
    order = np.lexsort((names[1], rows))
    rows, voters, codes = rows[order], names[1][order], classes[1][order]
    first = np.ones(len(rows), dtype=bool)
    first[1:] = (np.diff(rows) != 0) | (np.diff(voters) != 0)
    ballots = Ballots(rows[first], voters[first], codes[first], np.ones(n_rows), names[0].tolist(), classes[0].tolist())
    return ballots, int((~first).sum())
