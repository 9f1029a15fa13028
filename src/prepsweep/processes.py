"""Work on batches, in this process or in several; the results come in the order of the batches."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, TypeVar

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.preemption import SIGNALS
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
    dictionary) is shared and nothing is imported twice. Refused where the system kills one of them: its batch is lost.
    """
    n_workers = min(num_proc, len(batches))
    if n_workers < 2:
        return [function(batch) for batch in track(batches, description)]
    with warnings.catch_warnings():
        # Python 3.12 warns of copying a process that has threads; the copies here run plain Python on plain values.
        warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork.*", category=DeprecationWarning)
        return _in_processes(function, batches, n_workers, description)


def _in_processes(function: Callable[[Batch], Found], batches: Sequence[Batch], n_workers: int, description: str) -> list[Found]:
    context, others = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn"), multiprocessing.active_children()
    pool = ProcessPoolExecutor(n_workers, mp_context=context, initializer=_begin_worker)
    try:
        return list(track(pool.map(function, batches), description, total=len(batches)))
    except BrokenProcessPool as error:
        what = f"one of {n_workers} processes was killed, as the system does where memory runs out"
        raise Refused("runtime.num_proc", what, "ask for fewer, such as runtime.num_proc=1") from error
    except BaseException:
        # Nobody waits for their batches any more, and one may never end.
        for worker in set(multiprocessing.active_children()) - set(others):
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    # What is sent to all processes of a command, Ctrl-C among it, is the parent's to answer, which ends this one by SIGTERM.
    for number in (signal.SIGINT, *SIGNALS):
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
    end_with_parent()


def end_with_parent() -> None:
    """End this process when the one that started it is gone: nobody would take what it does."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()
