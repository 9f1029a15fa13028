"""The rows that an effect is made of: right in most seeds under one arm, wrong in most under the other."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.compare.contrasts import Contrast
from prepsweep.compare.measures import right
from prepsweep.compare.paired_rows import PairedRows, paired_rows
from prepsweep.compare.pseudovalues import Values
from prepsweep.compare.records import Study
from prepsweep.compare.tested import Tested

_TIE = 1e-9
_SWAPS = 256  # All patterns of up to eight seeds; beyond, a sample of them.


@dataclass(frozen=True)
class FlippedRow:
    """A test row: `before` and `after` are what baseline and choice most often predict, the shares how often each is right."""

    uid: str
    label: str
    before: str
    after: str
    share_before: float
    share_after: float
    n_seeds: int


@dataclass(frozen=True)
class Flips:
    """How many of `n_rows` test rows the choice of a contrast wins and loses, and the clearest of each.

    `n_by_chance` is how many would be won, and as many lost, if it did nothing: the mean over swaps of the arms within seeds.
    """

    contrast: str
    n_rows: int
    n_gained: int
    n_lost: int
    n_by_chance: float
    gained: list[FlippedRow]
    lost: list[FlippedRow]


def flips(study: Study, contrast: Contrast, *, most: int = 10) -> Flips:
    """The rows that flip between the baseline of `contrast` and its choice; at most `most` each way, the clearest first.

    Right is the whole label: each label of a set, each tag of a sentence. A row counts as right under an arm if it is so in
    more than half of its runs, as wrong in less than half. Single rows are examples, not findings: seeds are few, and the
    clearest of many rows are in part the luckiest, hence `n_by_chance`. Texts are not in the records; `prepsweep why UID`
    shows them. Equal rows come in the order of their uids. Of a contrast that is not paired nothing is said.
    """
    if not contrast.paired:
        return Flips(contrast.name, n_rows=0, n_gained=0, n_lost=0, n_by_chance=0.0, gained=[], lost=[])
    rows = paired_rows(study, contrast)
    before, after = (rows.mean(right, side=side) for side in (0, 1))
    n_seeds = np.bincount(rows.rows)
    share_before, share_after = (np.bincount(rows.rows, values) / n_seeds for values in (before, after))
    change = share_after - share_before
    gained, lost = _gained(share_before, share_after), _gained(share_after, share_before)
    return Flips(
        contrast=contrast.name,
        n_rows=len(rows.uids),
        n_gained=int(gained.sum()),
        n_lost=int(lost.sum()),
        n_by_chance=_by_chance(rows, before, after),
        gained=_shown(rows, share_before, share_after, _clearest(gained, change, rows.uids, most)),
        lost=_shown(rows, share_before, share_after, _clearest(lost, -change, rows.uids, most)),
    )


def _gained(before: Values, after: Values) -> NDArray[np.bool_]:
    # Shares are means of means: a half may come out a little more or less.
    return np.asarray((before < 0.5 - _TIE) & (after > 0.5 + _TIE))


def _by_chance(rows: PairedRows, before: Values, after: Values) -> float:
    """Mean number of rows gained over swaps of the two arms in some of the seeds."""
    n_seeds, n_rows = len(rows.runs), len(rows.uids)
    counted = np.bincount(rows.rows)
    # Sums over seeds of each row under both arms, and what a swap of each seed moves between them.
    moves = np.zeros((n_seeds, n_rows))
    moves[rows.seeds, rows.rows] = after - before
    sums = [np.bincount(rows.rows, values, minlength=n_rows) for values in (before, after)]
    if 2**n_seeds <= _SWAPS:
        swaps = np.array(list(itertools.product((0.0, 1.0), repeat=n_seeds)))
    else:
        swaps = np.random.default_rng(0).integers(0, 2, (_SWAPS, n_seeds)).astype(np.float64)
    moved = swaps @ moves
    return float(_gained((sums[0] + moved) / counted, (sums[1] - moved) / counted).sum(axis=1).mean())


def _clearest(flipped: NDArray[np.bool_], change: Values, uids: pa.Array, most: int) -> NDArray[np.int64]:
    """Row numbers with the largest change first."""
    places = np.flatnonzero(flipped)
    order = np.lexsort((np.asarray(uids.take(pa.array(places)).to_pylist(), dtype=np.str_), -change[places]))
    return np.asarray(places[order[:most]])


def _shown(rows: PairedRows, share_before: Values, share_after: Values, places: NDArray[np.int64]) -> list[FlippedRow]:
    label = _most_said(rows, places, lambda run: run.labels, side=0)
    before, after = (_most_said(rows, places, lambda run: run.predictions, side=side) for side in (0, 1))
    n_seeds = np.bincount(rows.rows)
    return [
        FlippedRow(
            uid=uid,
            label=label[number],
            before=before[number],
            after=after[number],
            share_before=float(share_before[place]),
            share_after=float(share_after[place]),
            n_seeds=int(n_seeds[place]),
        )
        for number, (place, uid) in enumerate(zip(places.tolist(), rows.uids.take(pa.array(places)).to_pylist(), strict=True))
    ]


def _most_said(rows: PairedRows, places: NDArray[np.int64], what: Callable[[Tested], NDArray[np.int64]], *, side: int) -> list[str]:
    """What most runs of a side have for each of the rows at `places`; of what is as frequent the first by name."""
    counts = [Counter[str]() for _ in places]
    for seed, pairs in enumerate(rows.runs):
        of_seed = rows.rows[rows.seeds == seed]
        numbers, entries = np.nonzero(places[:, None] == of_seed)
        for pair in pairs:
            tested = pair[side].tested
            for number, said in zip(numbers.tolist(), tested.texts(what(tested)[entries]), strict=True):
                counts[number][said] += 1
    return [min(count, key=lambda said: (-count[said], said)) for count in counts]
