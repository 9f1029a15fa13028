"""Signals that ask a process to make room: it ends with exit code 75, and the same command goes on where it stopped."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

PREEMPTED = 75  # EX_TEMPFAIL of sysexits.h
GRACE_SECONDS = 60.0  # what a run may take to finish its step and write its checkpoint
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
Handler = Callable[[int, FrameType | None], Any] | int | None


class Preempted(SystemExit):
    """What ends a process that was asked to make room; not an error, and so not to be caught as one."""

    def __init__(self, signal_name: str) -> None:
        super().__init__(PREEMPTED)
        self.signal_name = signal_name

    def __str__(self) -> str:
        return f"preempted by {self.signal_name}"


@dataclass
class Stop:
    """The signal that came while `deferred` held it back; empty for none."""

    signal_name: str = ""

    def listen(self) -> None:
        """Be told of the signals, whoever was told before: Lightning puts a handler of its own in front when it starts."""
        _install(self._remember)

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.signal_name = signal.Signals(number).name


@contextmanager
def preemptible() -> Iterator[None]:
    """A signal raises `Preempted` at once, wherever the block is; those that follow are ignored until the block is left."""

    def leave(number: int, _: FrameType | None) -> None:
        _install(signal.SIG_IGN)
        raise Preempted(signal.Signals(number).name)

    before = _install(leave)
    try:
        yield
    finally:
        _restore(before)


@contextmanager
def deferred() -> Iterator[Stop]:
    """A signal is only remembered: the block looks, and raises `Preempted` when what it does is on disk."""
    stop = Stop()
    before = _install(stop._remember)
    try:
        yield stop
    except SystemExit as error:
        # Lightning answers some signals itself: SIGTERM by an exit of its own, Ctrl-C by `sys.exit(1)`.
        if stop.signal_name and not isinstance(error, Preempted):
            raise Preempted(stop.signal_name) from error
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        # A second signal must not disturb the record that is written on the way out.
        _restore(dict.fromkeys(SIGNALS, signal.SIG_IGN) if stop.signal_name else before)


def end_with_starter() -> None:
    """Ask this process to save and end, and after a while make it, once the one that holds the other end of its stdin is gone."""

    def watch() -> None:
        # Not by `sys.stdin`: Python aborts where it ends while a thread waits in that.
        os.read(0, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with-starter").start()


def _install(handler: Handler) -> dict[signal.Signals, Handler]:
    """The handlers that there were; Python lets only the main thread change them."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in SIGNALS}


def _restore(before: dict[signal.Signals, Handler]) -> None:
    if threading.current_thread() is threading.main_thread():
        for number, handler in before.items():
            signal.signal(number, handler)
