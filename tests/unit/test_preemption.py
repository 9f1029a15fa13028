"""Signals that ask for room: at once or held back, one after the other, beside Lightning's own answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prepsweep.preemption import SIGNALS, Preempted, deferred, preemptible


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def handlers_are_put_back() -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_block_and_a_second_one_does_not_disturb_its_end(number: int) -> None:
    reached = []

    def block() -> None:
        try:
            send(number)
            reached.append("past the signal")
        finally:
            send(signal.SIGTERM)
            reached.append("the end")

    with pytest.raises(Preempted, match=f"preempted by {signal.Signals(number).name}") as stopped, preemptible():
        block()
    assert (stopped.value.code, reached) == (75, ["the end"])


def test_a_deferred_signal_waits_until_the_block_looks() -> None:
    with preemptible(), deferred() as stop:
        assert stop.signal_name == ""
        send(signal.SIGUSR1)
        assert stop.signal_name == "SIGUSR1"


def terminated() -> None:
    send(signal.SIGTERM)
    sys.exit(1)


def interrupted() -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        sys.exit(1)


def exits() -> None:
    sys.exit(7)


@pytest.mark.parametrize(("block", "meant"), [(terminated, Preempted), (interrupted, KeyboardInterrupt), (exits, SystemExit)])
def test_an_exit_by_lightning_is_what_it_stands_for(block: Callable[[], None], meant: type[BaseException]) -> None:
    with pytest.raises(meant) as ended, preemptible(), deferred():
        block()
    assert type(ended.value) is meant


def test_beside_the_main_thread_nothing_is_changed() -> None:
    ended = []

    def work() -> None:
        with preemptible(), deferred() as stop:
            ended.append(stop.signal_name)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [""]


def test_a_process_saves_and_ends_when_the_one_that_started_it_is_gone(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time; from prepsweep.preemption import *\n"
        "end_with_starter()\n"
        "with deferred() as stop:\n"
        "    print(flush=True)\n"
        "    while not stop.signal_name: time.sleep(0.01)\n"
        "    pathlib.Path(sys.argv[1]).touch()\n"
        "    raise Preempted(stop.signal_name)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "saved")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.communicate(timeout=20)
    assert (process.returncode, (tmp_path / "saved").exists()) == (75, True)
