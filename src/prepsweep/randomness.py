"""Random draws that depend on (seed, stage, row) only: any row order and any number of processes draw the same."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def _digest(seed: int, stage: str, uid: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}\0{stage}\0{uid}".encode(), digest_size=8).digest(), "big")


def row_rng(seed: int, stage: str, uid: str) -> random.Random:
    """Generator of one row in one stage; `random.Random` because it costs 3 µs to seed, numpy's 15."""
    return random.Random(_digest(seed, stage, uid))


def draw_order(uids: Sequence[str], *, seed: int, stage: str) -> NDArray[np.intp]:
    """Random order of the rows: positions sorted by a hash of (seed, stage, uid).

    Taking the first k is a sample without replacement that stays nearly the same when rows come or go.
    """
    draws = np.fromiter((_digest(seed, stage, uid) for uid in uids), dtype=np.uint64, count=len(uids))
    return np.argsort(draws, kind="stable")


def draw_by_label(uids: Sequence[str], labels: Sequence[str], *, seed: int, stage: str) -> dict[str, list[int]]:
    """Positions of each label's rows in random order, labels sorted."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row in draw_order(uids, seed=seed, stage=stage).tolist():
        rows[labels[row]].append(row)
    return dict(sorted(rows.items()))
