"""Draws made of `random()` alone: the one method whose numbers Python promises to keep between versions, and the fastest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Draw = Callable[[], float]


def pick(items: Sequence[Item], draw: Draw) -> Item:
    """One of `items`; takes one draw."""
    return items[int(draw() * len(items))]


def shuffled(items: Sequence[Item], draw: Draw, *, n_first: int | None = None) -> list[Item]:
    """`items` in random order, or the first `n_first` of them, which is a sample without replacement; a draw for each."""
    order, n_items = list(items), len(items)
    n_drawn = n_items if n_first is None else min(n_first, n_items)
    for place in range(n_drawn):
        other = place + int(draw() * (n_items - place))
        order[place], order[other] = order[other], order[place]
    return order[:n_drawn]
