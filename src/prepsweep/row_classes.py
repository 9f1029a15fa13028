"""The classes of a row where they are not simply its label: several labels, a range of numbers, the entities of a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.randomness import draw_order
from prepsweep.schema import CLASSES


def by_class(table: pa.Table) -> pa.Table:
    """`table` with a class for `label`: each row as often as it has classes, so that counting rows by label counts classes."""
    if CLASSES not in table.column_names:
        return table
    classes = table.column(CLASSES).combine_chunks()
    others = table.drop_columns([CLASSES]).take(classes.value_parent_indices())
    return others.set_column(others.column_names.index("label"), "label", classes.flatten())


def strata(table: pa.Table) -> pa.ChunkedArray:
    """What a row counts as where it must count as one thing: its label, or all its classes, parted by `|`."""
    if CLASSES not in table.column_names:
        return table.column("label")
    return pc.binary_join(table.column(CLASSES), "|")


def in_ranges(numbers: NDArray[Any], n_ranges: int) -> pa.ListArray:
    """For each number the one of `n_ranges` ranges of equally many that it is in, by its ends; equal numbers are in one range."""
    uppers = np.unique(np.quantile(numbers, np.arange(1, n_ranges + 1) / n_ranges, method="inverted_cdf"))
    found = np.searchsorted(uppers, numbers, side="left")
    lowers = uppers.copy()
    np.minimum.at(lowers, found, numbers)
    names = pa.array([f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in zip(lowers, uppers, strict=True)])
    return pa.ListArray.from_arrays(np.arange(len(numbers) + 1, dtype=np.int32), names.take(pa.array(found)))


def share_out(table: pa.Table, sizes: dict[str, int], *, seed: int, stage: str) -> list[str]:
    """A name of `sizes` for each row, so many of each, every class as near to the share of the name as rows allow.

    Iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011, doi:10.1007/978-3-642-23808-6_10): the class with the
    fewest rows left goes first, each of its rows, in random order, to the name that lacks most of the class, then most rows.
    Its last rows go to names that have none of it yet, in the order of `sizes`.
    """
    classes = table.column(CLASSES).combine_chunks()
    order = draw_order(table.column("uid").to_pylist(), seed=seed, stage=stage)
    _, codes = np.unique(classes.flatten().to_numpy(zero_copy_only=False), return_inverse=True)
    rows, n_rows = classes.value_parent_indices().to_numpy(), len(classes)
    shares = np.array(list(sizes.values()), dtype=np.float64) / max(n_rows, 1)
    room = np.array(list(sizes.values()), dtype=np.int64)
    left = np.bincount(codes, minlength=int(codes.max(initial=-1)) + 1)
    lacks, has_none = np.outer(shares, left), np.ones((len(sizes), len(left)), dtype=bool)
    rank = np.empty(n_rows, dtype=np.int64)
    rank[order] = np.arange(n_rows)
    of_class = [found[np.argsort(rank[found], kind="stable")] for found in (rows[codes == code] for code in range(len(left)))]
    starts = np.searchsorted(rows, np.arange(n_rows + 1))
    place = np.full(n_rows, -1)
    while left.any():
        code = int(np.argmin(np.where(left > 0, left, n_rows + 1)))
        for row in of_class[code][place[of_class[code]] < 0].tolist():
            open_ = np.flatnonzero(room > 0)
            bare = open_[has_none[open_, code]]
            best = bare[0] if len(bare) >= left[code] else open_[np.lexsort((-room[open_], -lacks[open_, code]))[0]]
            place[row] = best
            room[best] -= 1
            own = codes[starts[row] : starts[row + 1]]
            lacks[best, own] -= 1
            has_none[best, own] = False
            left[own] -= 1
    names = list(sizes)
    return [names[number] for number in place]
