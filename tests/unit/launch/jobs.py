"""What the scheduler's tests run in processes of their own."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path


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
