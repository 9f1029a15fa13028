"""Progress bars for long work: on a terminal only, on stderr, gone when done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def track(items: Sequence[Item], description: str) -> Iterator[Item]:
    """The items, with a bar that counts them."""
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    return iter(rich_track(items, description, console=console, transient=True, disable=not console.is_terminal))
