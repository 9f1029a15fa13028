"""A lock between processes where files can be locked, and nothing where they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def locked(file: Path, *, timeout_seconds: float = -1) -> Iterator[None]:
    """Hold the lock of `file`, waiting for it at most `timeout_seconds` (negative: as long as it takes).

    The system frees the lock of a process that dies. Raises `filelock.Timeout` where another process keeps it. Where the
    disk knows no locks, or will not be written to, nobody is kept out.
    """
    lock = FileLock(file, timeout=timeout_seconds)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise
    except (OSError, NotImplementedError):
        yield
        return
    try:
        yield
    finally:
        lock.release()
