"""Prepared stages on disk, each stored once under its key and verified whenever it is read.

`<cache_dir>/stages/<key>/` holds `rows.arrow` (what goes on), `left.arrow` (what left, with reasons), `stage.json`
(the ledger), `identity.json` (what its key is the hash of), `evidence.arrow` where the stage gave any and, written last,
`manifest.json` with the sha256 of the others.
An entry appears by one rename, so a process that is killed leaves nothing that could be read; two that make the same
entry both succeed with equal bytes.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa

from prepsweep.fingerprints import hash_file
from prepsweep.holding import Hold
from prepsweep.identity import identity_behind
from prepsweep.lineage import dataset_of, table_of
from prepsweep.locks import locked
from prepsweep.publish import refused_where_nothing_fits, sync_folder, write_synced

if TYPE_CHECKING:
    from datasets import Dataset

VERSION = 1
FILES = ("rows.arrow", "left.arrow", "stage.json")
EVIDENCE, IDENTITY, MANIFEST = "evidence.arrow", "identity.json", "manifest.json"
STAGES, LOCKS = "stages", "locks"
_ROOM = "make room (prepsweep cache prune), or name another folder in PREPSWEEP_CACHE_DIR"


@dataclass
class Entry:
    """One prepared stage: its ledger at once, its rows when they are asked for."""

    stage: dict[str, Any]
    folder: Path | None = None
    _rows: Dataset | None = None
    _left: Dataset | None = None
    _evidence: pa.Table | None = None
    _hold: Hold | None = None

    @cached_property
    def rows(self) -> Dataset:
        """Rows that go on to the next stage, memory-mapped from disk."""
        return self._rows if self._rows is not None else self._open("rows.arrow")

    @cached_property
    def left(self) -> Dataset:
        """Rows that left in this stage, with the reason in `dropped`."""
        return self._left if self._left is not None else self._open("left.arrow")

    @cached_property
    def evidence(self) -> pa.Table | None:
        """What the stage found, row by row; None where it said nothing."""
        if self._evidence is not None or self.folder is None:
            return self._evidence
        return table_of(self._open(EVIDENCE)) if (self.folder / EVIDENCE).exists() else None

    def _open(self, name: str) -> Dataset:
        from datasets import Dataset

        assert self.folder is not None
        return Dataset.from_file(str(self.folder / name))


@dataclass
class Cache:
    """Entries by key. Made with `deferred`, it holds new entries in memory until `flush`, and so writes nothing before.

    `made` are the keys that this process stored and nobody has asked about since (see `was_there`).
    """

    cache_dir: Path
    deferred: bool = False
    pending: dict[str, Entry] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)

    def find(self, key: str) -> Entry | None:
        """The entry under `key`, or None where there is none that can be read, or a byte of it is not what was written."""
        if key in self.pending:
            return self.pending[key]
        folder = self._folder(key)
        try:
            # Held from here on, so that nobody removes what was found before its rows are read.
            hold = Hold(folder / MANIFEST)
            if not is_whole(folder):
                return None
            stage = json.loads((folder / "stage.json").read_bytes())
        except (OSError, ValueError):
            return None
        if not self.deferred:
            with suppress(OSError):  # When it was last used, for `prepsweep cache prune`; a cache can be read-only.
                os.utime(folder / MANIFEST)
        return Entry(stage, folder, _hold=hold)

    def has(self, key: str) -> bool:
        """Whether an entry is there, without looking at its bytes: good enough for a plan, not for reading."""
        return key in self.pending or os.access(self._folder(key) / MANIFEST, os.R_OK)

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Keep other processes from making the same entry at the same time.

        Where files cannot be locked the work is done twice, with equal results: nothing depends on the lock.
        """
        if self.deferred:
            yield
            return
        with locked(self.cache_dir / LOCKS / f"{key}.lock"):
            yield

    def store(self, key: str, stage: dict[str, Any], rows: Dataset, left: Dataset, evidence: pa.Table | None = None) -> Entry:
        """Publish a stage under `key` and return it as it now stands."""
        entry = Entry(stage, None, rows, left, evidence)
        self.made.add(key)
        if self.deferred:
            self.pending[key] = entry
            return entry
        return self._publish(key, entry)

    def was_there(self, key: str) -> bool:
        """Whether an entry that was found is older than this run: what preflight made for it is not, at its first use."""
        made = key in self.made
        if not self.deferred:
            self.made.discard(key)
        return not made

    def flush(self) -> None:
        """Publish what was held back; from now on entries are stored at once."""
        self.deferred = False
        for key in list(self.pending):
            self._publish(key, self.pending.pop(key))

    def _folder(self, key: str) -> Path:
        return self.cache_dir / STAGES / key

    def _publish(self, key: str, entry: Entry) -> Entry:
        target = self._folder(key)
        size = partial(sum, [table_of(rows).nbytes for rows in (entry.rows, entry.left)])
        with refused_where_nothing_fits(target.parent, size, what=str(entry.stage.get("name")), fix=_ROOM):
            target.parent.mkdir(parents=True, exist_ok=True)
            # Not by `mkdtemp`, whose folders are for one user alone: others may share the cache.
            private = target.parent / f".{key[:12]}-{uuid4().hex}"
            private.mkdir()
            hold = Hold(private)
            try:
                _write_entry(private, key, entry)
                self._put_in_place(private, target, key)
            finally:
                del hold
                shutil.rmtree(private, ignore_errors=True)
            sync_folder(target.parent)
        try:
            return Entry(entry.stage, target, _hold=Hold(target / MANIFEST))
        except (FileNotFoundError, BlockingIOError):
            return entry  # Removed as soon as it was there; what is in memory serves as well.

    def _put_in_place(self, private: Path, target: Path, key: str) -> None:
        try:
            private.rename(target)
        except OSError:
            # Another process was first. If its entry is whole it has our bytes; if it is damaged, ours takes its place.
            if self.find(key) is None:
                damaged = Path(tempfile.mkdtemp(prefix=".damaged-", dir=target.parent))
                target.rename(damaged / "entry")
                private.rename(target)
                shutil.rmtree(damaged, ignore_errors=True)


def is_whole(folder: Path) -> bool:
    """Whether every byte of an entry is what was written, and written for the key that its folder is called by."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        whole = manifest["key"] == folder.name and manifest["version"] == VERSION
        names = set(manifest["files"]) - {EVIDENCE, IDENTITY} == set(FILES)
        return whole and names and all(hash_file(folder / name) == digest for name, digest in manifest["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _write_entry(folder: Path, key: str, entry: Entry) -> None:
    """The files of an entry, each on the disk before the manifest that names it."""
    _write_rows(folder / "rows.arrow", entry.rows)
    _write_rows(folder / "left.arrow", entry.left)
    _write_json(folder / "stage.json", entry.stage)
    written = list(FILES)
    if entry.evidence is not None:
        _write_rows(folder / EVIDENCE, dataset_of(entry.evidence))
        written.append(EVIDENCE)
    if (identity := identity_behind(key)) is not None:
        _write_json(folder / IDENTITY, identity)
        written.append(IDENTITY)
    manifest = {"version": VERSION, "key": key, "files": {name: hash_file(folder / name) for name in written}}
    _write_json(folder / MANIFEST, manifest, indent=None)
    sync_folder(folder)


def _write_rows(path: Path, rows: Dataset) -> None:
    table = table_of(rows).combine_chunks().replace_schema_metadata(None)

    def write(file: IO[bytes]) -> None:
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)

    write_synced(path, write)


def _write_json(path: Path, value: Any, *, indent: int | None = 1) -> None:
    write_synced(path, lambda file: file.write(json.dumps(value, indent=indent).encode()))
