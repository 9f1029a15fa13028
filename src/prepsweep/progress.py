"""Progress bars for long work: on a terminal only, on stderr, gone when done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def track(items: Iterable[Item], description: str, *, total: int | None = None) -> Iterator[Item]:
    """The items, with a bar that counts them; `total` where they cannot say how many they are."""
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    return iter(rich_track(items, description, total=total, console=console, transient=True, disable=not console.is_terminal))
