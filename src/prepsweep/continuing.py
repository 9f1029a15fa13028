"""Which run a command goes on with: the same one, begun before, not finished, and trained by no other process now."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from prepsweep.errors import Refused
from prepsweep.locks import locked
from prepsweep.record import RECORD_FILE, mark_failed, read_record

CHECKPOINT_FILE = "checkpoint.pt"
_LOCK_FILE = ".lock"


def run_to_continue(output_dir: Path, run_id: str) -> Path | None:
    """The newest folder of this very run under `output_dir` that it can go on in: preempted, or cut off after a checkpoint.

    Runs of a study need no search: their folder is named by what they are.
    """
    ended = [path.parent for path in output_dir.glob(f"*/*-{run_id}/{RECORD_FILE}")]
    for run_dir in sorted(ended, reverse=True):
        record: dict[str, Any] = read_record(run_dir) or {"status": "unknown"}
        cut_off = record["status"] == "preempted" or (record["status"] != "finished" and (run_dir / CHECKPOINT_FILE).exists())
        if cut_off and not _is_held(run_dir):
            return run_dir
    return None


@contextmanager
def alone_in(run_dir: Path, *, waits: bool) -> Iterator[None]:
    """Keep other processes out of the folder of a run; where one is in it, this one `waits` for its end or is refused."""
    run_dir.mkdir(parents=True, exist_ok=True)
    lock = run_dir / _LOCK_FILE
    with ExitStack() as held:
        try:
            held.enter_context(locked(lock, timeout_seconds=0))
        except Timeout as error:
            if not waits:
                raise Refused(str(run_dir), "another process trains this run", "wait for it, or end it") from error
            print(f"waits for another process that trains this run: {run_dir}", file=sys.stderr)
            held.enter_context(locked(lock))
        yield


def mark_ended(run_dir: Path, config: dict[str, Any], **told: Any) -> None:
    """`record.mark_failed` for a run whose process is gone, unless another process trains it now."""
    with ExitStack() as held:
        try:
            held.enter_context(alone_in(run_dir, waits=False))
        except Refused:
            return
        mark_failed(run_dir, config, **told)


def _is_held(run_dir: Path) -> bool:
    """Whether a process may be training there: where files cannot be locked nobody knows."""
    try:
        with FileLock(run_dir / _LOCK_FILE, timeout=0):
            return False
    except (Timeout, OSError, NotImplementedError):
        return True
