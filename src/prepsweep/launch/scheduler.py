"""Runs jobs in fresh processes, as many at once as there are slots, each as soon as what it needs is done."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal, Protocol

from prepsweep.launch.child import OUT_OF_MEMORY, run_child
from prepsweep.launch.slots import Slot
from prepsweep.preemption import GRACE_SECONDS, PREEMPTED

_LOOK_SECONDS = 0.5
MOST_ATTEMPTS = 4


@dataclass(frozen=True)
class Job:
    """One process to be: `function(*arguments, attempt=…, progress=…)`, once all jobs in `needs` have ended.

    `attempt` counts the starts that ran out of memory, so that the function can ask for less.
    """

    key: str
    label: str
    kind: Literal["prepare", "train"]
    function: Callable[..., None]
    arguments: tuple[Any, ...]
    log_file: Path
    needs: frozenset[str] = frozenset()
    attempt: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a job ended: exit code (negative: the signal that killed it), wall time, and why if it was ended from here."""

    code: int
    seconds: float
    reason: str = ""

    @property
    def preempted(self) -> bool:
        """Whether it was asked to make room, and can go on later."""
        return self.code == PREEMPTED

    @property
    def failed(self) -> bool:
        return self.code not in (0, PREEMPTED)

    def __str__(self) -> str:
        if self.preempted:
            return "preempted"
        if self.reason:
            return self.reason
        return f"killed by {signal.Signals(-self.code).name}" if self.code < 0 else f"exit code {self.code}"


class Watcher(Protocol):
    """Who is told what happens: the terminal."""

    def started(self, job: Job, slot: Slot) -> None: ...
    def progressed(self, job: Job, done: int, total: int) -> None: ...
    def ended(self, job: Job, outcome: Outcome) -> None: ...
    def retried(self, job: Job) -> None: ...
    def ending(self, n_jobs: int) -> None: ...
    def tick(self) -> None: ...


@dataclass
class _Running:
    job: Job
    slot: Slot
    process: BaseProcess
    progress: Connection
    started: float = field(default_factory=time.monotonic)
    reason: str = ""


def run_jobs(
    jobs: Iterable[Job], slots: Sequence[Slot], *, preload: Sequence[str], timeout_seconds: float | None, watcher: Watcher
) -> dict[str, Outcome]:
    """Outcome of every job by key; a job that fails holds up nobody, and whoever needs it finds out by itself.

    Jobs start in the given order as far as `needs` allows. Whatever ends this call ends the processes it started.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["prepsweep.launch.steadfast", *preload])
    waiting, free, running, outcomes = list(jobs), list(slots), list[_Running](), dict[str, Outcome]()
    try:
        while waiting or running:
            for job in [job for job in waiting if job.needs <= outcomes.keys()][: len(free)]:
                waiting.remove(job)
                running.append(_start(context, job, free.pop(0)))
                watcher.started(job, running[-1].slot)
            _listen(running, watcher)
            _stop_overdue(running, timeout_seconds)
            for ended in [one for one in running if one.process.exitcode is not None]:
                running.remove(ended)
                free.append(ended.slot)
                outcome = _outcome(ended)
                if outcome.code == OUT_OF_MEMORY and ended.job.attempt + 1 < MOST_ATTEMPTS:
                    waiting.insert(0, replace(ended.job, attempt=ended.job.attempt + 1))
                    watcher.retried(waiting[0])
                    continue
                outcomes[ended.job.key] = outcome
                watcher.ended(ended.job, outcome)
            watcher.tick()
    finally:
        if running:
            watcher.ending(len(running))
            _end(running)
    return outcomes


def _start(context: Any, job: Job, slot: Slot) -> _Running:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=run_child, args=(job.function, job.arguments, job.attempt, slot, job.log_file, theirs))
    process.start()
    theirs.close()
    return _Running(job, slot, process, ours)


def _listen(running: Sequence[_Running], watcher: Watcher) -> None:
    """Wait until a job ends or tells its progress, or for a moment."""
    by_pipe = {one.progress: one for one in running if not one.progress.closed}
    for ready in wait([*by_pipe, *(one.process.sentinel for one in running)], timeout=_LOOK_SECONDS):
        one = by_pipe.get(ready)  # type: ignore[call-overload]
        if one is None:
            continue
        try:
            watcher.progressed(one.job, *one.progress.recv())
        except (EOFError, OSError):
            one.progress.close()


def _stop_overdue(running: Sequence[_Running], timeout_seconds: float | None) -> None:
    for one in running:
        if timeout_seconds is not None and not one.reason and time.monotonic() - one.started > timeout_seconds:
            one.reason = f"longer than the {timeout_seconds:g} s of hydra.launcher.timeout_seconds"
            one.process.kill()


def _outcome(ended: _Running) -> Outcome:
    ended.process.join()
    ended.progress.close()
    code = ended.process.exitcode
    assert code is not None
    ended.process.close()
    return Outcome(code, time.monotonic() - ended.started, ended.reason)


def _end(running: Sequence[_Running]) -> None:
    """Ask what still runs to end, which lets a run save where it is, and after a while make it."""
    deadline = time.monotonic() + GRACE_SECONDS
    while (left := [one.process for one in running if one.process.exitcode is None]) and time.monotonic() < deadline:
        for process in left:
            # Again and again: one that was forked this moment does not listen yet, and one that does is not disturbed.
            process.terminate()
        wait([process.sentinel for process in left], timeout=_LOOK_SECONDS)
    for process in left:
        process.kill()
        process.join()
