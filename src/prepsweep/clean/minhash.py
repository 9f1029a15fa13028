"""Rows that are probably alike, found without comparing all with all: MinHash and locality-sensitive hashing (rensa)."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rensa import RMinHash, RMinHashLSH

from prepsweep.clean.shingles import Ints, distinct_of

_SEED = 1  # Which permutations: any constant will do, and a constant keeps the result the same for all seeds.
_RECALL = 0.99  # Of pairs exactly at the threshold; the more alike two texts are, the surer they are found.
_ROWS_AT_ONCE = 20_000
# In a bucket of more rows each is compared with this many that follow: rows made from one template stay linear.
_NEIGHBOURS = 32


def banding(threshold: float, num_perm: int) -> tuple[int, int]:
    """Bands and rows per band, of at most `num_perm` permutations in all, for pairs of Jaccard similarity `threshold`.

    A pair of similarity s shares a band with probability 1 - (1 - s^rows)^bands (Leskovec, Rajaraman & Ullman, Mining of
    Massive Datasets, 3.4.2). Taken is the largest number of rows, so the fewest false candidates, that still finds 99%.
    """
    for rows in range(num_perm, 0, -1):
        bands = num_perm // rows
        if 1 - (1 - threshold**rows) ** bands >= _RECALL:
            return bands, rows
    return num_perm, 1


def in_a_bucket(hashes: NDArray[np.uint64], starts: Ints, *, bands: int, rows: int) -> NDArray[np.bool_]:
    """Which rows share a band with another row: most do not, and need no further look."""
    sketches = RMinHash.digest_matrix_from_flat_token_hashes(hashes, starts.astype(np.uint64), bands * rows, _SEED)
    lsh = RMinHashLSH(threshold=0.5, num_perm=bands * rows, num_bands=bands)
    return np.asarray(lsh.query_duplicate_flags_matrix_one_shot(sketches), dtype=np.bool_) & (np.diff(starts) > 0)


def candidates(hashes: NDArray[np.uint64], starts: Ints, *, bands: int, rows: int) -> tuple[Ints, Ints]:
    """Pairs of rows (first < second) that share a band, each pair once."""
    sketches = _sketches(hashes, starts, bands * rows)
    found = np.empty(0, np.int64)
    for band in range(bands):
        part = np.ascontiguousarray(sketches[:, band * rows : (band + 1) * rows])
        keys = pa.FixedSizeBinaryArray.from_buffers(pa.binary(4 * rows), len(part), [None, pa.py_buffer(part)])
        buckets = np.asarray(keys.dictionary_encode().indices.to_numpy(zero_copy_only=False), dtype=np.int64)
        first, second = _pairs_within(buckets)
        found = distinct_of(np.concatenate([found, first * len(part) + second]))
    return found // max(len(sketches), 1), found % max(len(sketches), 1)


def _sketches(hashes: NDArray[np.uint64], starts: Ints, num_perm: int) -> NDArray[np.uint32]:
    parts = [np.empty((0, num_perm), np.uint32)]
    # Part by part, since rensa gives its matrix away as a list of lists only.
    for at in range(0, len(starts) - 1, _ROWS_AT_ONCE):
        bounds = starts[at : at + _ROWS_AT_ONCE + 1]
        part = hashes[bounds[0] : bounds[-1]]
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(part, (bounds - bounds[0]).astype(np.uint64), num_perm, _SEED)
        parts.append(np.fromiter(chain.from_iterable(matrix.to_rows()), np.uint32, (len(bounds) - 1) * num_perm).reshape(-1, num_perm))
    return np.concatenate(parts)


def _pairs_within(buckets: Ints) -> tuple[Ints, Ints]:
    """Pairs of rows of one bucket, the lower position first: each row with up to `_NEIGHBOURS` that follow it there."""
    order = np.argsort(buckets, kind="stable")
    ordered = buckets[order]
    first, second = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for distance in range(1, _NEIGHBOURS + 1):
        same = np.flatnonzero(ordered[distance:] == ordered[:-distance])
        if not len(same):
            break
        first.append(order[same])
        second.append(order[same + distance])
    return np.concatenate(first), np.concatenate(second)
