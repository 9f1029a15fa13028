"""A sweep on the terminal: what runs, how far it is, what is done and what failed; plain lines where there is no terminal."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from prepsweep.launch.scheduler import Job, Outcome
from prepsweep.launch.slots import Slot
from prepsweep.monitors import monitored
from prepsweep.record import read_record

_SHOWN_FAILURES = 5


@dataclass
class _Active:
    job: Job
    slot: Slot
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    total: int = 0


class SweepView:
    """Live table on a terminal, one line for each ended job elsewhere; both on stderr."""

    def __init__(self, *, n_train: int, n_prepare: int, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.n_jobs = {"train": n_train, "prepare": n_prepare}
        self.n_ended = {"train": 0, "prepare": 0}
        self.active: dict[str, _Active] = {}
        self.failures: list[str] = []
        self.started_at = time.monotonic()
        self.live = Live(console=self.console, auto_refresh=False, transient=True) if self.console.is_terminal else None

    def __enter__(self) -> SweepView:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def started(self, job: Job, slot: Slot) -> None:
        self.active[job.key] = _Active(job, slot)

    def progressed(self, job: Job, done: int, total: int) -> None:
        self.active[job.key].done, self.active[job.key].total = done, total

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.active.pop(job.key, None)
        self.n_ended[job.kind] += 1
        if outcome.failed:
            self.failures.append(f"{job.label}: {outcome} (see {job.log_file})")
        if job.kind == "train" or outcome.code:
            self.console.print(self._line(job, outcome), soft_wrap=True)

    def retried(self, job: Job) -> None:
        self.active.pop(job.key, None)
        self.console.print(f"{job.label}: out of memory, again with 1/{2**job.attempt} of the batch at a time", soft_wrap=True)

    def ending(self, n_jobs: int) -> None:
        self.console.print(f"asked to end: waits until {n_jobs} processes have saved where they are", soft_wrap=True)

    def tick(self) -> None:
        if self.live:
            self.live.update(self._table(), refresh=True)

    def _line(self, job: Job, outcome: Outcome) -> Text:
        n_ended, n_jobs = self.n_ended[job.kind], self.n_jobs[job.kind]
        width = len(str(n_jobs))
        head = f"[{n_ended:{width}}/{n_jobs}] " if job.kind == "train" else "preparing "
        tail = f"{outcome}, see {job.log_file}" if outcome.code else _score_of(job)
        line = Text(f"{head}{job.label}  {clock(outcome.seconds)}  ")
        return line.append(tail, style="red" if outcome.failed else "yellow" if outcome.preempted else "")

    def _table(self) -> RenderableType:
        elapsed = time.monotonic() - self.started_at
        table = Table(box=None, pad_edge=False, show_header=False)
        for one in self.active.values():
            spent = time.monotonic() - one.started
            left = f"{clock(spent / one.done * (one.total - one.done))} left" if one.done else ""
            bar = ProgressBar(total=one.total or None, completed=one.done, width=24, pulse=not one.total)
            kind = "prepare" if one.job.kind == "prepare" else "train"
            where = f"gpu {one.slot.gpu}" if one.slot.gpu else f"slot {one.slot.number}"
            table.add_row(where, kind, escape(one.job.label), bar, clock(spent), left)
        n_failed = f", [red]{len(self.failures)} failed[/red]" if self.failures else ""
        head = f"{self.n_ended['train']} of {self.n_jobs['train']} runs ended{n_failed}, {clock(elapsed)}{self._remaining(elapsed)}"
        failures = [Text(line, style="red") for line in self.failures[-_SHOWN_FAILURES:]]
        return Group(Text.from_markup(head), table, *failures)

    def _remaining(self, elapsed: float) -> str:
        part = self.n_ended["train"] + sum(one.done / one.total for one in self.active.values() if one.job.kind == "train" and one.total)
        return f", about {clock(elapsed / part * (self.n_jobs['train'] - part))} left" if part else ""


def _score_of(job: Job) -> str:
    record = read_record(job.log_file.parent)
    if record is None or "metrics" not in record:
        return "done"
    name, score = monitored(record, "test")
    return f"{name} {score:.3f}"


def clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
