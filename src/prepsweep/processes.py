"""Work on batches, in this process or in several; the results come in the order of the batches."""

from __future__ import annotations

import multiprocessing
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa

from prepsweep.progress import track

Batch = TypeVar("Batch")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Slice:
    """Some rows of a table; another process gets these alone, where Arrow would send it the whole table that they are of."""

    rows: pa.Table

    def __reduce__(self) -> tuple[Any, ...]:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.rows.schema) as writer:
            writer.write_table(self.rows)
        return _received, (sink.getvalue(),)

    def lists(self) -> list[list[Any]]:
        """The values of each column."""
        return [column.to_pylist() for column in self.rows.columns]


def _received(stream: pa.Buffer) -> Slice:
    return Slice(pa.ipc.open_stream(stream).read_all())


def slices(table: pa.Table, n_rows: int) -> list[Slice]:
    """`table` in batches of `n_rows`, without a copy."""
    return [Slice(table.slice(start, n_rows)) for start in range(0, len(table), n_rows)]


def over_batches(function: Callable[[Batch], Found], batches: Sequence[Batch], *, num_proc: int, description: str) -> list[Found]:
    """`function` of every batch; with several processes it must be picklable, and so must what it takes and gives.

    A process starts as a copy of this one where the system can do that, so what was loaded before (a word net, a
    dictionary) is shared and nothing is imported twice.
    """
    n_workers = min(num_proc, len(batches))
    if n_workers < 2:
        return [function(batch) for batch in track(batches, description)]
    with warnings.catch_warnings():
        # Python 3.12 warns of copying a process that has threads; the copies here run plain Python on plain values.
        warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork.*", category=DeprecationWarning)
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        with context.Pool(n_workers) as pool:
            return list(track(pool.imap(function, batches), description, total=len(batches)))
