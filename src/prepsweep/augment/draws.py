"""Draws made of `random()` alone: the one method whose numbers Python promises to keep between versions, and the fastest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from struct import unpack
from typing import TypeVar

Item = TypeVar("Item")
Draw = Callable[[], float]


def row_draw(seed: int, stage: str, uid: str) -> Draw:
    """Numbers in [0, 1) of one row in one stage, for rows that take a few: eight cost a fourth of seeding a generator."""
    return _numbers(f"{seed}\0{stage}\0{uid}".encode()).__next__


def _numbers(key: bytes) -> Iterator[float]:
    for block in count():
        for word in unpack("<8Q", hashlib.blake2b(b"%d\0%b" % (block, key)).digest()):
            yield (word >> 11) * 2.0**-53


def pick(items: Sequence[Item], draw: Draw) -> Item:
    """One of `items`; takes one draw."""
    return items[int(draw() * len(items))]


def two_of(items: Sequence[Item], draw: Draw) -> tuple[Item, Item]:
    """Two different places of `items`: what `shuffled` gives for the first two, without a copy of all."""
    first, second = int(draw() * len(items)), 1 + int(draw() * (len(items) - 1))
    return items[first], items[0 if second == first else second]


def in_random_order(items: Sequence[Item], draw: Draw) -> Iterator[Item]:
    """`items` in random order, a draw for each that is taken."""
    order, n_items = list(items), len(items)
    for place in range(n_items):
        other = place + int(draw() * (n_items - place))
        order[place], order[other] = order[other], order[place]
        yield order[place]


def shuffled(items: Sequence[Item], draw: Draw, *, n_first: int | None = None) -> list[Item]:
    """`items` in random order, or the first `n_first` of them, which is a sample without replacement; a draw for each."""
    order, n_items = list(items), len(items)
    n_drawn = n_items if n_first is None else min(n_first, n_items)
    for place in range(n_drawn):
        other = place + int(draw() * (n_items - place))
        order[place], order[other] = order[other], order[place]
    return order[:n_drawn]
