"""Content hashes of files and folders, each file read once a process as long as it stays as it is."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

# A file that changed within this time before it was read can change once more without a new time stamp: file systems
# count time in steps, of up to two seconds. Its hash is not remembered (the rule of git's index, "racy git").
_SETTLED_NS = 2_000_000_000
_Signature = tuple[int, int, int, int, int]
_known: dict[tuple[str, _Signature], str] = {}


def hash_file(path: Path) -> str:
    """sha256 of the bytes of `path`, read in pieces."""
    started = time.time_ns()
    with Path(path).open("rb") as file:
        stat = os.fstat(file.fileno())
        place = (str(path), (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
        if place in _known:
            return _known[place]
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if max(stat.st_mtime_ns, stat.st_ctime_ns) < started - _SETTLED_NS:
        _known[place] = digest
    return digest


def hash_folder(path: Path) -> str:
    """sha256 of every file below `path`: relative names and contents, in name order, links followed."""
    folder = Path(path)
    digest = hashlib.sha256()
    for file in sorted(found for found in folder.rglob("*") if found.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{hash_file(file)}\n".encode())
    return digest.hexdigest()
