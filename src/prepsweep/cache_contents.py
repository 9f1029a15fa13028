"""What a cache holds, and what may leave it: entries by age and size, and what processes that were killed left behind."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prepsweep.cache import IDENTITY, LOCKS, MANIFEST, STAGES
from prepsweep.holding import Claim

# What the cache gives to its folders and locks; whatever else lies beside them is somebody's, and stays.
_ENTRY = re.compile(r"[0-9a-f]{64}")
_PRIVATE = re.compile(r"\.([0-9a-f]{12}|damaged|removed)-.+")
_LOCK = re.compile(r"[0-9a-f]{64}\.lock")


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
        n_rows = self.stage.get("rows_out")
        return n_rows if isinstance(n_rows, int) else None

    def identity(self) -> dict[str, Any] | None:
        """What its key is the hash of; None for an entry that does not tell."""
        try:
            identity: dict[str, Any] = json.loads((self.folder / IDENTITY).read_bytes())
        except (OSError, ValueError):
            return None
        return identity


def stored_entries(cache_dir: Path) -> list[Stored]:
    """Every entry, whole or not, the one that was used last first."""
    entries = (_stored(folder) for folder in _named(_ENTRY, cache_dir / STAGES))
    return sorted(filter(None, entries), key=lambda entry: (-entry.used, entry.folder.name))


def remove(place: Path, claimed: Path) -> bool:
    """Take a folder or file out of the cache unless a process holds `claimed`, which marks it, or it belongs to another user.

    By one rename, so that nobody sees half of it.
    """
    try:
        claim = Claim(claimed)
        if not claim.free:
            return False
        grave = Path(tempfile.mkdtemp(prefix=".removed-", dir=place.parent))
    except OSError:
        return False
    try:
        place.rename(grave / place.name)
    except OSError:
        return False
    finally:
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
    # Whoever waits for a lock file that is gone has a lock of its own: the work is done twice at worst.
    leftovers = [*_named(_PRIVATE, cache_dir / STAGES), *_named(_LOCK, cache_dir / LOCKS)]
    return sum(remove(place, place) for place in leftovers)


def _named(pattern: re.Pattern[str], folder: Path) -> Iterator[Path]:
    return (place for place in folder.iterdir() if pattern.fullmatch(place.name)) if folder.is_dir() else iter(())


def _mark(folder: Path) -> Path:
    return folder / MANIFEST if (folder / MANIFEST).exists() else folder


def _stored(folder: Path) -> Stored | None:
    try:
        files = [file.stat() for file in folder.iterdir()]
        used = _mark(folder).stat().st_mtime
        made = min((file.st_mtime for file in files), default=used)
    except OSError:
        return None  # Removed while we looked, or not ours to read.
    try:
        stage = json.loads((folder / "stage.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        stage = {}
    return Stored(folder, stage if isinstance(stage, dict) else {}, sum(file.st_size for file in files), made, used)
