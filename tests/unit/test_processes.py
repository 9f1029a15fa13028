"""Batches in several processes: their order, and what becomes of them where one or all are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from prepsweep.errors import Refused
from prepsweep.processes import over_batches

WORK = """
import os, sys, time
from pathlib import Path
from prepsweep.processes import over_batches

def note(number):
    Path(sys.argv[1], f"{number}-{os.getpid()}").touch()
    time.sleep(60)

over_batches(note, range(4), num_proc=2, description="naps")
"""


def square(number: int) -> int:
    return number * number


def is_killed(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def raises(number: int) -> int:
    raise ValueError(f"no good: {number}")


@pytest.mark.parametrize("num_proc", [1, 2, 8])
def test_results_stand_in_the_order_of_the_batches(num_proc: int) -> None:
    assert over_batches(square, range(20), num_proc=num_proc, description="squares") == [n * n for n in range(20)]


def test_a_process_that_the_system_kills_is_told_of_and_not_waited_for() -> None:
    with pytest.raises(Refused, match="one of 2 processes was killed"):
        over_batches(is_killed, range(8), num_proc=2, description="x")


def test_what_a_batch_raises_is_raised_here() -> None:
    with pytest.raises(ValueError, match="no good: 0"):
        over_batches(raises, range(8), num_proc=2, description="x")


@pytest.mark.parametrize(("number", "to_all"), [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGKILL, False)])
def test_no_process_is_left_behind_and_none_but_the_first_says_a_word(number: signal.Signals, to_all: bool, tmp_path: Path) -> None:
    """Ctrl-C at a terminal goes to all processes of the command, `kill` to the first alone."""
    command = [sys.executable, "-c", WORK, str(tmp_path)]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True) as process:
        while len(begun := list(tmp_path.iterdir())) < 2:
            time.sleep(0.05)
        (os.killpg if to_all else os.kill)(process.pid, number)
        _, told = process.communicate(timeout=20)
    assert told.count("Traceback") == (number == signal.SIGINT)
    workers = [int(file.name.partition("-")[2]) for file in begun]
    deadline = time.monotonic() + 20
    while any(map(psutil.pid_exists, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
