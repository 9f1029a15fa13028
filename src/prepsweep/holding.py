"""Marks on files and folders that a running process uses: the system takes them off when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Hold:
    """A shared lock on a file or folder that is there, until this object is gone; nothing where the disk knows no locks."""

    def __init__(self, path: Path) -> None:
        """Raises `FileNotFoundError` where nothing is there, `BlockingIOError` where somebody is about to remove it."""
        self._descriptor = os.open(path, os.O_RDONLY)
        _lock(self._descriptor, fcntl.LOCK_SH)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


class Claim:
    """The right to remove a file or folder that no process holds: `free` says whether it was given, until this object is gone."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        try:
            self.free = _lock(self._descriptor, fcntl.LOCK_EX)
        except BlockingIOError:
            self.free = False

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    """Whether the disk knows locks, and this one was to be had; it is freed when the descriptor is closed."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True
