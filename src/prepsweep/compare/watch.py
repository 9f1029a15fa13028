"""`compare --watch`: the same, again and again, while a sweep runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.live import Live

from prepsweep.record import RECORD_FILE, read_record

_SECONDS = 2.0
# A sweep that starts its next run is between two for a moment, and writes nothing while shared stages are prepared.
_QUIET_SECONDS = 30.0


def watch(
    folders: Sequence[Path],
    look: Callable[[], RenderableType],
    *,
    console: Console,
    seconds: float = _SECONDS,
    quiet_seconds: float = _QUIET_SECONDS,
) -> None:
    """Show what `look` returns, anew whenever a record changes, until no run goes on or Ctrl-C."""
    seen: dict[Path, int] | None = None
    with Live(console=console, auto_refresh=False) as live:
        try:
            while True:
                records = {file: file.stat().st_mtime_ns for folder in folders for file in sorted(folder.glob(f"*/{RECORD_FILE}"))}
                # Asked before the look, so that the last run to end is seen in it.
                done = _all_done(records, quiet_seconds)
                if records != seen:
                    live.update(look(), refresh=True)
                    seen = records
                if done:
                    return
                time.sleep(seconds)
        except KeyboardInterrupt:
            return


def _all_done(records: dict[Path, int], quiet_seconds: float) -> bool:
    """Whether no run is under way, and none has begun or ended just now."""
    if not records or time.time() - max(records.values()) / 1e9 < quiet_seconds:
        return False
    return not any((read_record(file.parent) or {"status": "running"})["status"] == "running" for file in records)
