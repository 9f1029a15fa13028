"""What the scheduler's tests run in processes of their own."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

from prepsweep.preemption import Preempted, deferred


def works(mark: Path, *, attempt: int, progress: Connection) -> None:
    progress.send((1, 2))
    print(f"attempt {attempt}, threads {os.environ['OMP_NUM_THREADS']}, gpu {os.environ['CUDA_VISIBLE_DEVICES']!r}")
    mark.touch()


def raises(*, attempt: int, progress: Connection) -> None:
    raise ValueError("no good")


def exits(*, attempt: int, progress: Connection) -> None:
    raise SystemExit(5)


def is_killed(*, attempt: int, progress: Connection) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crashes(*, attempt: int, progress: Connection) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def sleeps(*, attempt: int, progress: Connection) -> None:
    time.sleep(60)


def needs_memory(*, attempt: int, progress: Connection) -> None:
    if attempt < 2:
        raise RuntimeError("CUDA out of memory. Tried to allocate")
    print("fits now")


def saves_when_asked(mark: Path, *, attempt: int, progress: Connection) -> None:
    with deferred() as stop:
        progress.send((1, 2))
        while not stop.signal_name:
            time.sleep(0.01)
        mark.touch()
        raise Preempted(stop.signal_name)
