"""Texts that differ in at most one word in twenty, all of them, without comparing each with each.

A changed word touches at most five of a text's runs of five words. So two texts that are k changes apart have a run in
common among the 5k + 1 rarest of each (the prefix filter of Chaudhuri, Ganti & Kaushik 2006, ICDE, and Xiao et al. 2008,
WWW): only rows that meet there are compared, word by word. Most of the rarest runs occur once, and cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prepsweep.leaks.words import Mask, Numbers, Stream

ONE_IN = 20
_RUN = 5
# Of rows that share a run with more rows than this (a template, a signature), each is compared with so many.
_MAX_PARTNERS = 64
_ROWS_AT_ONCE = 4096
# A table of so many places fits a processor's cache.
_BITS = 24


class Rarest(NamedTuple):
    """The rarest runs of all rows that have enough words, without those that occur once."""

    runs: NDArray[np.uint64]
    rows: NDArray[np.int32]


def near_rows(words: Stream, rarest: Rarest, rows: Numbers, sources: Numbers, *, sides: Sequence[Stream]) -> Mask:
    """Which of `rows` are within `max(words) // 20` inserted, deleted or replaced words of one of `sources`.

    `sides` are the words of each text of a row, all of which must be that near; `words` are those of the whole row, and
    candidates are found by their `rarest` runs: what both texts allow to be changed is never more than the prefixes allow
    for the whole.
    """
    found = np.zeros(len(rows), dtype=bool)
    pairs = _candidates(words, rarest, rows, sources)
    for at, source in pairs.tolist():
        if not found[at]:
            found[at] = all(is_near(_words(side, rows[at]), _words(side, source)) for side in sides)
    return found


def is_near(one: list[int], other: list[int]) -> bool:
    """Whether two texts are as close as the longer one allows."""
    limit = max(len(one), len(other)) // ONE_IN
    if abs(len(one) - len(other)) > limit:
        return False
    begin = 0
    while begin < min(len(one), len(other)) and one[begin] == other[begin]:
        begin += 1
    one, other = one[begin:], other[begin:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return _distance_within(one, other, limit)


def _distance_within(one: list[int], other: list[int], limit: int) -> bool:
    """Whether the edit distance is at most `limit`, in a band of that width (Ukkonen 1985)."""
    far = limit + 1
    costs = [min(place, far) for place in range(len(other) + 1)]
    for row, word in enumerate(one, start=1):
        low, high = max(1, row - limit), min(len(other), row + limit)
        last = [far] * (len(other) + 1)
        last[0] = min(row, far)
        for place in range(low, high + 1):
            changed = costs[place - 1] + (word != other[place - 1])
            last[place] = min(changed, costs[place] + 1, last[place - 1] + 1, far)
        costs = last
    return costs[len(other)] <= limit


def _words(words: Stream, row: int) -> list[int]:
    found: list[int] = words.ids[words.starts[row] : words.starts[row + 1]].tolist()
    return found


def _candidates(words: Stream, rarest: Rarest, rows: Numbers, sources: Numbers) -> Numbers:
    """Pairs of a place in `rows` and a row of `sources` that share one of their rarest runs."""
    place, is_source = np.full(len(words.lengths), -1), np.zeros(len(words.lengths), dtype=bool)
    place[rows], is_source[sources] = np.arange(len(rows)), True
    is_row, is_theirs = place[rarest.rows] >= 0, is_source[rarest.rows]
    theirs, keys = rarest.rows[is_theirs], rarest.runs[is_theirs]
    order = np.argsort(keys, kind="stable")
    theirs, keys = theirs[order], keys[order]
    mine, asked = place[rarest.rows[is_row]], rarest.runs[is_row]
    first = np.searchsorted(keys, asked)
    n_found = np.minimum(np.searchsorted(keys, asked, side="right") - first, _MAX_PARTNERS)
    steps = np.arange(n_found.sum()) - np.repeat(np.cumsum(n_found) - n_found, n_found)
    pairs = np.stack([np.repeat(mine, n_found), theirs[np.repeat(first, n_found) + steps]], axis=1)
    pairs = np.unique(pairs, axis=0)
    one, other = words.lengths[rows[pairs[:, 0]]], words.lengths[pairs[:, 1]]
    alike: Numbers = pairs[np.abs(one - other) <= np.maximum(one, other) // ONE_IN]
    return alike


def rarest_runs(words: Stream) -> Rarest:
    """The rarest runs of every row, by how often they occur in all rows: any order will do that is one for all."""
    # A partner may be longer by as many words as may be changed.
    allowed = words.lengths // (ONE_IN - 1)
    runs, owners = _runs(words, np.flatnonzero(allowed))
    n_runs = _counts(runs)
    n_wanted = _RUN * allowed + 1 - np.bincount(owners[n_runs == 1], minlength=len(allowed))
    kept = (n_runs > 1) & (n_wanted[owners] > 0)
    runs, owners, n_runs = runs[kept], owners[kept], n_runs[kept]
    order = np.lexsort((runs, n_runs, owners))
    runs, owners = runs[order], owners[order]
    is_new = np.ones(len(runs), dtype=bool)
    is_new[1:] = (runs[1:] != runs[:-1]) | (owners[1:] != owners[:-1])
    runs, owners = runs[is_new], owners[is_new]
    rank = np.arange(len(owners)) - np.searchsorted(owners, owners)
    kept = rank < n_wanted[owners]
    return Rarest(runs[kept], owners[kept])


def _counts(runs: NDArray[np.uint64]) -> Numbers:
    """How often each run occurs, beside it."""
    # Most occur once. A sort of the numbers alone, without their places, finds the others quickest; they are told by their
    # first bits, which lets a few too many through to be counted.
    ordered = np.sort(runs)
    again = np.zeros(1 << _BITS, dtype=bool)
    again[_first_bits(ordered[1:][ordered[1:] == ordered[:-1]])] = True
    shared = np.flatnonzero(again[_first_bits(runs)])
    counts = np.ones(len(runs), dtype=np.int64)
    _, back, found = np.unique(runs[shared], return_inverse=True, return_counts=True)
    counts[shared] = found[back]
    return counts


def _first_bits(runs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return runs >> np.uint64(64 - _BITS)


def _runs(words: Stream, rows: Numbers) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Every run of five words of `rows` as a hash, and the row that it is from."""
    n_runs = np.maximum(words.lengths[rows] - _RUN + 1, 0)
    ends = np.concatenate([[0], np.cumsum(n_runs)])
    runs, owners = np.zeros(ends[-1], dtype=np.uint64), np.repeat(rows.astype(np.int32), n_runs)
    shift = words.starts[rows] - ends[:-1]
    # A slice at a time stays in the processor's cache, and takes little memory beside what it makes.
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        some = slice(first, first + _ROWS_AT_ONCE)
        made = slice(ends[first], ends[min(some.stop, len(rows))])
        at = np.arange(made.start, made.stop) + np.repeat(shift[some], n_runs[some])
        found = runs[made]
        for place in range(_RUN):
            found ^= words.ids[at + place].astype(np.uint64)
            found *= np.uint64(0x9E3779B97F4A7C15)
            found ^= found >> np.uint64(29)
    return runs, owners
