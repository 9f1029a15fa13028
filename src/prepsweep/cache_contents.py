"""What a cache holds, and what may leave it: entries by age and size, and what processes that were killed left behind."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prepsweep.cache import IDENTITY, LOCKS, MANIFEST, STAGES
from prepsweep.holding import Claim


@dataclass(frozen=True)
class Stored:
    """One entry: the stage whose rows it holds, how many, in how many bytes, when it was made and last used."""

    folder: Path
    stage: dict[str, Any]
    n_bytes: int
    made: float
    used: float

    @property
    def where(self) -> str:
        """Dotted name of the stage; `data` for a source, `leaks` for what was found about rows."""
        group, name = self.stage.get("group", "?"), self.stage.get("name", "?")
        return str(group) if group in ("data", "leaks") else f"{group}.{name}"

    @property
    def n_rows(self) -> int | None:
        return self.stage.get("rows_out")

    def identity(self) -> dict[str, Any] | None:
        """What its key is the hash of; None for an entry that does not tell."""
        try:
            identity: dict[str, Any] = json.loads((self.folder / IDENTITY).read_bytes())
        except (OSError, ValueError):
            return None
        return identity


def stored_entries(cache_dir: Path) -> list[Stored]:
    """Every entry, whole or not, the one that was used last first."""
    entries = (_stored(folder) for folder in _folders(cache_dir) if not folder.name.startswith("."))
    return sorted(filter(None, entries), key=lambda entry: (-entry.used, entry.folder.name))


def remove(folder: Path, claimed: Path) -> bool:
    """Take a folder out of the cache unless a process holds `claimed`, which marks it; by one rename, so that nobody sees half of it."""
    try:
        claim = Claim(claimed)
        if not claim.free:
            return False
        grave = Path(tempfile.mkdtemp(prefix=".removed-", dir=folder.parent))
        folder.rename(grave / folder.name)
    except FileNotFoundError:
        return False
    shutil.rmtree(grave, ignore_errors=True)
    return True


def prune(cache_dir: Path, *, unused_since: float | None, max_bytes: int | None) -> list[Stored]:
    """Remove entries that nobody used since a time, then the longest unused until the rest fits; those in use stay."""
    removed: list[Stored] = []
    entries = stored_entries(cache_dir)
    n_bytes = sum(entry.n_bytes for entry in entries)
    for entry in reversed(entries):
        old = unused_since is not None and entry.used < unused_since
        large = max_bytes is not None and n_bytes > max_bytes
        if (old or large) and remove(entry.folder, _mark(entry.folder)):
            removed.append(entry)
            n_bytes -= entry.n_bytes
    return removed


def remove_leftovers(cache_dir: Path) -> int:
    """Remove the private folders and locks of processes that are gone, and say how many there were."""
    private = [folder for folder in _folders(cache_dir) if folder.name.startswith(".")]
    n_removed = sum(remove(folder, folder) for folder in private)
    for lock in (cache_dir / LOCKS).glob("*.lock"):
        # Whoever waits for a lock file that is gone has a lock of its own: the work is done twice at worst.
        claim = Claim(lock)
        if claim.free:
            lock.unlink(missing_ok=True)
            n_removed += 1
    return n_removed


def _folders(cache_dir: Path) -> Iterator[Path]:
    stages = cache_dir / STAGES
    return (folder for folder in stages.iterdir() if folder.is_dir()) if stages.is_dir() else iter(())


def _mark(folder: Path) -> Path:
    return folder / MANIFEST if (folder / MANIFEST).exists() else folder


def _stored(folder: Path) -> Stored | None:
    try:
        files = [file.stat() for file in folder.iterdir()]
        used = _mark(folder).stat().st_mtime
        made = min((file.st_mtime for file in files), default=used)
    except FileNotFoundError:
        return None  # Removed while we looked.
    try:
        stage = json.loads((folder / "stage.json").read_bytes())
    except (OSError, ValueError):
        stage = {}
    return Stored(folder, stage if isinstance(stage, dict) else {}, sum(file.st_size for file in files), made, used)
