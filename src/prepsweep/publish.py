"""Files that are there whole or not at all: a private name beside the place, synced, renamed, the folder synced."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from prepsweep.errors import Refused

# What no later try can mend: no room, no right to write, or a file where a folder is to be.
_NOT_TO_BE_HAD = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.ENOTDIR, errno.EEXIST)
Size = Callable[[], int] | None
ROOM = "make room there, or name another folder"


@contextmanager
def refused_where_nothing_fits(path: Path, n_bytes: Size = None, *, what: str = "", fix: str = ROOM) -> Iterator[None]:
    """Turn a full disk or a place that may not be written to into one line that names the place and the bytes."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_TO_BE_HAD:
            raise
        size = f", {n_bytes():,} bytes" if n_bytes else ""
        raise Refused(str(path), f"cannot store {what or path.name}{size}: {os.strerror(error.errno)}", fix) from error


def private_name(path: Path) -> Path:
    """Where a file or folder is written that only one process writes: what it left when it was killed is written over."""
    return path.with_name(f".{path.name}")


def publish_file(path: Path, write: Callable[[IO[bytes]], object], *, private: Path | None = None, n_bytes: Size = None) -> None:
    """Put at `path` what `write` puts into a file: a reader sees the old bytes or all of the new ones.

    Several processes may do so at once, unless they share a `private` name.
    """
    with refused_where_nothing_fits(path, n_bytes):
        if private is None:
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
            os.close(descriptor)
            private = Path(name)
        try:
            write_synced(private, write)
            private.chmod(0o644)
            private.replace(path)
        except BaseException:
            private.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """`publish_file` of bytes that are there."""
    publish_file(path, lambda file: file.write(data), n_bytes=lambda: len(data))


def write_synced(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """A file of a folder that is renamed later: its bytes are on the disk when this returns."""
    with path.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())


def publish_folder(folder: Path, write: Callable[[Path], object]) -> None:
    """Put at `folder`, in place of what is there, the files that `write` puts into a folder; one process alone may do so."""
    private = private_name(folder)
    with refused_where_nothing_fits(folder):
        try:
            shutil.rmtree(private, ignore_errors=True)
            private.mkdir()
            write(private)
            for file in private.rglob("*"):
                _sync(file)
            _sync(private)
            shutil.rmtree(folder, ignore_errors=True)
            private.rename(folder)
        except BaseException:
            shutil.rmtree(private, ignore_errors=True)
            raise
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make what was renamed into `folder` outlast a power cut."""
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
