"""Work on batches, in this process or in several; the results come in the order of the batches."""

from __future__ import annotations

import multiprocessing
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

from prepsweep.progress import track

Batch = TypeVar("Batch")
Found = TypeVar("Found")


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
