"""Prepared stages on disk, each stored once under its key and verified whenever it is read.

`<cache_dir>/stages/<key>/` holds `rows.arrow` (what goes on), `left.arrow` (what left, with reasons), `stage.json`
(the ledger), `evidence.arrow` where the stage gave any and, written last, `manifest.json` with the sha256 of the others.
An entry appears by one rename, so a process that is killed leaves nothing that could be read; two that make the same
entry both succeed with equal bytes.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from filelock import FileLock

from prepsweep.fingerprints import hash_file
from prepsweep.lineage import dataset_of, table_of

if TYPE_CHECKING:
    from datasets import Dataset

VERSION = 1
FILES = ("rows.arrow", "left.arrow", "stage.json")
EVIDENCE = "evidence.arrow"


@dataclass
class Entry:
    """One prepared stage: its ledger at once, its rows when they are asked for."""

    stage: dict[str, Any]
    folder: Path | None = None
    _rows: Dataset | None = None
    _left: Dataset | None = None
    _evidence: pa.Table | None = None

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
        """The entry under `key`, or None where there is none or a byte of it is not what was written."""
        if key in self.pending:
            return self.pending[key]
        folder = self._folder(key)
        try:
            manifest = json.loads((folder / "manifest.json").read_bytes())
            whole = manifest["key"] == key and manifest["version"] == VERSION and set(manifest["files"]) - {EVIDENCE} == set(FILES)
            if not whole or any(hash_file(folder / name) != digest for name, digest in manifest["files"].items()):
                return None
            stage = json.loads((folder / "stage.json").read_bytes())
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return Entry(stage, folder)

    def has(self, key: str) -> bool:
        """Whether an entry is there, without looking at its bytes: good enough for a plan, not for reading."""
        return key in self.pending or (self._folder(key) / "manifest.json").exists()

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Keep other processes from making the same entry at the same time.

        The system frees the lock of a process that dies. Where files cannot be locked the work is done twice, with
        equal results: nothing depends on the lock.
        """
        if self.deferred:
            yield
            return
        folder = self.cache_dir / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{key}.lock")
        try:
            lock.acquire()
        except (OSError, NotImplementedError):
            yield
            return
        try:
            yield
        finally:
            lock.release()

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
        return self.cache_dir / "stages" / key

    def _publish(self, key: str, entry: Entry) -> Entry:
        target = self._folder(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        private = Path(tempfile.mkdtemp(prefix=f".{key[:12]}-", dir=target.parent))
        try:
            _write_rows(private / "rows.arrow", entry.rows)
            _write_rows(private / "left.arrow", entry.left)
            if entry.evidence is not None:
                _write_rows(private / EVIDENCE, dataset_of(entry.evidence))
            _write_bytes(private / "stage.json", json.dumps(entry.stage, indent=1).encode())
            written = [*FILES, EVIDENCE] if entry.evidence is not None else FILES
            manifest = {"version": VERSION, "key": key, "files": {name: hash_file(private / name) for name in written}}
            _write_bytes(private / "manifest.json", json.dumps(manifest).encode())
            _sync(private)
            self._put_in_place(private, target, key)
        finally:
            shutil.rmtree(private, ignore_errors=True)
        _sync(target.parent)
        return Entry(entry.stage, target)

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


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a reader sees the old bytes or all of the new ones."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    private = Path(file.name)
    private.chmod(0o644)
    private.replace(path)
    _sync(path.parent)


def _write_rows(path: Path, rows: Dataset) -> None:
    table = table_of(rows).combine_chunks().replace_schema_metadata(None)
    with path.open("wb") as file:
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
        file.flush()
        os.fsync(file.fileno())


def _write_bytes(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
