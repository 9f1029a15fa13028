"""Hidden states of token windows in the stage cache: each distinct window once, read by memory map, shared by arms and seeds.

An entry holds the windows that one run had to compute (`rows.arrow`: a hash of each window's token ids, and its states in
float16, place after place). The first half of its key is of the frozen part, the second of the windows, so that the
entries of a frozen part are found by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.cache import MANIFEST, STAGES, Cache, Entry
from prepsweep.identity import hash_json
from prepsweep.lineage import dataset_of, table_of
from prepsweep.padded import Lists
from prepsweep.preprocess.tokenize import TYPES

if TYPE_CHECKING:
    from prepsweep.datamodule import TokenRows

_HALF_KEY = 32
_ENTRY_BYTES = 256 * 1024**2
# Of a window: its hash, and its states (n_places, width).
Computed = Iterable[tuple[bytes, NDArray[np.float16]]]


@dataclass(frozen=True)
class States:
    """States of the windows of a split: window i is the list `places[i]` of entry `entries[i]`, (n_places, width) in a row."""

    lists: Sequence[Lists]
    entries: NDArray[np.int64]
    places: NDArray[np.int64]
    width: int
    # An entry in use is not removed from the cache.
    holds: Sequence[Entry]

    def padded(self, windows: Sequence[int] | NDArray[Any]) -> NDArray[np.float16]:
        """The states of `windows`, shape (n_windows, most places, width), filled up with zeros."""
        flat = []
        for entry, place in zip(self.entries[windows].tolist(), self.places[windows].tolist(), strict=True):
            one = self.lists[entry]
            flat.append(one.values[one.offsets[place] : one.offsets[place + 1]])
        found = np.zeros((len(flat), max(map(len, flat))), dtype=np.float16)
        for row, values in zip(found, flat, strict=True):
            row[: len(values)] = values
        return found.reshape(len(flat), -1, self.width)


class Store:
    """What the cache holds of one frozen part, whose identity `key` is, for the windows that a run reads."""

    def __init__(self, cache: Cache, key: str, wanted: Iterable[bytes]) -> None:
        self.cache, self.key = cache, key
        self.missing = set(wanted)
        self.entries: list[Entry] = []
        self.lists: list[Lists] = []
        self.where: dict[bytes, tuple[int, int]] = {}
        for name in self._names():
            if not self.missing:
                break
            if (entry := cache.find(name)) is not None:
                self._take(entry)

    def add(self, computed: Computed) -> None:
        """Store the windows that were missing, an entry for each 256 MB."""
        for windows, states in _pieces(computed):
            values = np.concatenate([one.ravel() for one in states])
            offsets = np.cumsum([0, *(one.size for one in states)], dtype=np.int32)
            lists = pa.ListArray.from_arrays(offsets, pa.array(values, pa.float16()))
            rows = dataset_of(pa.table({"window": pa.array(windows, pa.binary()), "states": lists}))
            key = self.key[:_HALF_KEY] + hash_json([window.hex() for window in sorted(windows)])[:_HALF_KEY]
            stage = {"group": "model", "name": "frozen_prefix", "rows_out": len(windows)}
            self._take(self.cache.store(key, stage, rows, dataset_of(table_of(rows).slice(0, 0))))

    def states_of(self, hashes: Sequence[bytes], width: int) -> States:
        """The states of a split's windows, all of which are there."""
        found = np.array([self.where[window] for window in hashes], dtype=np.int64).reshape(-1, 2)
        return States(self.lists, found[:, 0], found[:, 1], width, self.entries)

    def _names(self) -> list[str]:
        # What was used last is likeliest to hold what is wanted now.
        folders = (self.cache.cache_dir / STAGES).glob(f"{self.key[:_HALF_KEY]}*/{MANIFEST}")
        return [manifest.parent.name for manifest in sorted(folders, key=lambda manifest: -manifest.stat().st_mtime)]

    def _take(self, entry: Entry) -> None:
        table = table_of(entry.rows)
        for place, window in enumerate(table.column("window").to_pylist()):
            if window in self.missing:
                self.where[window] = (len(self.entries), place)
                self.missing.discard(window)
        self.entries.append(entry)
        self.lists.append(Lists.of(table.column("states").combine_chunks()))


def hashes_of(rows: TokenRows) -> list[bytes]:
    """A hash of each window of a split: of its token ids, and of which text each is of where that is told."""
    kinds = [kind for kind in (rows.ids, rows.per_token.get(TYPES)) if kind is not None]
    parts = [(np.ascontiguousarray(kind.values), kind.offsets.tolist()) for kind in kinds]
    return [
        hashlib.blake2b(b"|".join(values[offsets[i] : offsets[i + 1]].tobytes() for values, offsets in parts), digest_size=16).digest()
        for i in range(len(rows.lengths))
    ]


def _pieces(computed: Computed) -> Iterator[tuple[list[bytes], list[NDArray[np.float16]]]]:
    windows: list[bytes] = []
    states: list[NDArray[np.float16]] = []
    n_bytes = 0
    for window, values in computed:
        windows.append(window)
        states.append(values)
        n_bytes += values.nbytes
        if n_bytes > _ENTRY_BYTES:
            yield windows, states
            windows, states, n_bytes = [], [], 0
    if windows:
        yield windows, states
