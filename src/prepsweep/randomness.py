"""Random draws that depend on (seed, stage, row) only: any row order and any number of processes draw the same."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIXES = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def _digest(seed: int, stage: str, uid: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}\0{stage}\0{uid}".encode(), digest_size=8).digest(), "big")


def row_rng(seed: int, stage: str, uid: str) -> random.Random:
    """Generator of one row in one stage; `random.Random` because it costs 3 µs to seed, numpy's 15."""
    return random.Random(_digest(seed, stage, uid))


def row_keys(uids: Sequence[str], *, seed: int, stage: str, n_each: int = 1) -> NDArray[np.uint64]:
    """What `uniform` draws from for each row in one stage, shape (n,); for `n_each` children of a row keys of their own, (n * n_each,)."""
    keys = np.fromiter((_digest(seed, stage, uid) for uid in uids), dtype=np.uint64, count=len(uids))
    # Apart by more numbers than a row draws.
    return (keys[:, None] + (np.arange(n_each, dtype=np.uint64) << np.uint64(40)) * _STEP).reshape(-1)


def uniform(keys: NDArray[np.uint64], numbers: NDArray[np.intp] | int) -> NDArray[np.float64]:
    """Draw number `numbers` of each key, in [0, 1): SplitMix64 (Steele, Lea & Flood 2014, https://doi.org/10.1145/2660193.2660195).

    Any of a row's draws is made without those before it, so all rows and words draw in one call.
    """
    mixed = keys + (np.atleast_1d(numbers).astype(np.uint64) + np.uint64(1)) * _STEP
    for shift, factor in _MIXES:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    drawn: NDArray[np.float64] = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53
    return drawn


def draw_order(uids: Sequence[str], *, seed: int, stage: str) -> NDArray[np.intp]:
    """Random order of the rows: positions sorted by a hash of (seed, stage, uid).

    Taking the first k is a sample without replacement that stays nearly the same when rows come or go.
    """
    return np.argsort(row_keys(uids, seed=seed, stage=stage), kind="stable")


def draw_by_label(uids: Sequence[str], labels: Sequence[str], *, seed: int, stage: str) -> dict[str, list[int]]:
    """Positions of each label's rows in random order, labels sorted."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row in draw_order(uids, seed=seed, stage=stage).tolist():
        rows[labels[row]].append(row)
    return dict(sorted(rows.items()))
