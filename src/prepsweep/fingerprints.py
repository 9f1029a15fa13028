"""Content hashes of files and folders."""

from __future__ import annotations

import hashlib
from pathlib import Path


def hash_file(path: Path) -> str:
    """sha256 of the bytes of `path`, read in pieces."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_folder(path: Path) -> str:
    """sha256 of every file below `path`: relative names and contents, in name order, links followed."""
    folder = Path(path)
    digest = hashlib.sha256()
    for file in sorted(found for found in folder.rglob("*") if found.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{hash_file(file)}\n".encode())
    return digest.hexdigest()
