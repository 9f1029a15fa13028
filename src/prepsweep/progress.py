"""Progress bars for long work: on a terminal only, on stderr, gone when done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
# Bars that stand now: one inside another would be written over it.
_standing: list[str] = []


def track(items: Iterable[Item], description: str, *, total: int | None = None) -> Iterator[Item]:
    """The items, with a bar that counts them; `total` where they cannot say how many they are."""
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    silent = bool(_standing) or not console.is_terminal
    return iter(rich_track(items, description, total=total, console=console, transient=True, disable=silent))


@contextmanager
def waiting(description: str) -> Iterator[None]:
    """A line that says what is waited for where nothing can be counted."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(description):
        yield


@contextmanager
def bar(description: str, *, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that is told how much of `total` (bytes, rows) is done; `track` shows none of its own meanwhile."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(description, total=total)
        _standing.append(description)
        try:
            yield lambda done: shown.update(task, completed=done)
        finally:
            _standing.remove(description)
