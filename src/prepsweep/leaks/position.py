"""A label that can be read off the place in the file, or off another column."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.leaks.leak import Leak, leak
from prepsweep.leaks.words import Numbers, codes
from prepsweep.schema import COLUMNS, OPTIONAL_COLUMNS, SPLITS

_MIN_ROWS = 50
# Classes that take turns: in a period of up to so many rows.
_MAX_PERIOD = 20
_MIN_KAPPA = 0.9


def telling_order(source: pa.Table) -> Iterator[Leak]:
    """Files in which the label follows from that of a row before: rows sorted by class, or classes in turns."""
    for split in pc.unique(source.column("split")).to_pylist():
        rows = source.filter(pc.equal(source.column("split"), split))
        period, found = _predicted(codes(rows.column("label")))
        if len(found):
            how = "the row before" if period == 1 else f"the row {period} before"
            what = f"{len(found):,} of {len(rows):,} rows have the label of {how} in the file: the order of the rows predicts it"
            yield leak("row_order_predicts_label", "low", [split] if split else SPLITS, what, _uids(rows, found))


def telling_columns(source: pa.Table) -> Iterator[Leak]:
    """Further columns (a group, a time, an id) in whose order the label follows from that of a row before."""
    for name in [name for name in source.column_names if name not in (*COLUMNS, *OPTIONAL_COLUMNS)]:
        there = source.filter(pc.not_equal(pc.utf8_trim_whitespace(source.column(name).cast(pa.string())), ""))
        ordered = there.take(_order(there, name))
        _, found = _predicted(codes(ordered.column("label")))
        if len(found):
            what = f"in the order of the column {name!r} {len(found):,} of {len(ordered):,} labels follow from the one before"
            yield leak("column_predicts_label", "medium", SPLITS, what, _uids(ordered, found))


def _order(rows: pa.Table, name: str) -> pa.Array:
    """Order by value, numbers as numbers; rows of one value by uid, which is as good as random."""
    values = rows.column(name)
    try:
        values = values.cast(pa.float64())
    except pa.ArrowInvalid:
        values = values.cast(pa.string())
    keys = pa.table({"value": values, "uid": rows.column("uid")})
    return pc.sort_indices(keys, sort_keys=[("value", "ascending"), ("uid", "ascending")])


def _predicted(labels: Numbers) -> tuple[int, Numbers]:
    """The period that predicts best, and the rows whose label it tells; no rows where that is nothing beyond chance (kappa < 0.9)."""
    if len(labels) < _MIN_ROWS:
        return 1, labels[:0]
    by_chance = float(np.sum((np.bincount(labels) / len(labels)) ** 2))
    if by_chance == 1:
        return 1, labels[:0]
    hits = {period: labels[period:] == labels[:-period] for period in range(1, _MAX_PERIOD + 1)}
    period = max(hits, key=lambda period: (float(hits[period].mean()), -period))
    kappa = (float(hits[period].mean()) - by_chance) / (1 - by_chance)
    return period, np.flatnonzero(hits[period]) + period if kappa >= _MIN_KAPPA else labels[:0]


def _uids(rows: pa.Table, found: Numbers) -> list[str]:
    uids: list[str] = rows.column("uid").take(pa.array(found)).to_pylist()
    return uids
