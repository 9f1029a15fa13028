"""Jobs in processes of their own: however one ends, the others go on and its end is told."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from prepsweep.launch.child import ran_out_of_memory
from prepsweep.launch.scheduler import Job, Outcome, run_jobs
from prepsweep.launch.slots import Slot, slots_for, visible_gpus
from prepsweep.preemption import Preempted, preemptible
from tests.unit.launch.jobs import crashes, exits, is_killed, needs_memory, raises, saves_when_asked, sleeps, works

SLOTS = [Slot(0, None, 1), Slot(1, None, 1)]


class Watched:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.progress: list[tuple[str, int, int]] = []
        self.busy: list[set[int]] = [set()]
        self.where: dict[str, int] = {}

    def started(self, job: Job, slot: Slot) -> None:
        assert slot.number not in self.busy[-1], "two jobs in one slot"
        self.busy.append(self.busy[-1] | {slot.number})
        self.where[job.key] = slot.number
        self.order.append(f"+{job.key}")

    def progressed(self, job: Job, done: int, total: int) -> None:
        self.progress.append((job.key, done, total))

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.busy.append(self.busy[-1] - {self.where[job.key]})
        self.order.append(f"-{job.key}")

    def retried(self, job: Job) -> None:
        self.busy.append(self.busy[-1] - {self.where[job.key]})

    def ending(self, n_jobs: int) -> None:
        self.order.append(f"ending {n_jobs}")

    def tick(self) -> None:
        return


def job(key: str, function: Callable[..., None], folder: Path, *arguments: object, needs: tuple[str, ...] = ()) -> Job:
    return Job(key, key, "train", function, arguments, folder / key / "train.log", frozenset(needs))


def test_every_way_to_end_is_told_and_none_holds_up_the_others(tmp_path: Path) -> None:
    ways = {"raises": raises, "exits": exits, "is_killed": is_killed, "crashes": crashes}
    jobs = [job(name, function, tmp_path) for name, function in ways.items()]
    jobs += [job(f"works{i}", works, tmp_path, tmp_path / f"done{i}") for i in range(3)]
    watched = Watched()
    outcomes = run_jobs(jobs, SLOTS, preload=[], timeout_seconds=None, watcher=watched)
    told = {key: (outcome.code, str(outcome)) for key, outcome in outcomes.items()}
    assert told["raises"] == (1, "exit code 1")
    assert told["exits"] == (5, "exit code 5")
    assert told["is_killed"] == (-9, "killed by SIGKILL")
    assert told["crashes"] == (-11, "killed by SIGSEGV")
    assert all(outcomes[f"works{i}"].code == 0 and (tmp_path / f"done{i}").exists() for i in range(3))
    assert "ValueError: no good" in (tmp_path / "raises" / "train.log").read_text()
    assert "attempt 0, threads 1, gpu ''" in (tmp_path / "works1" / "train.log").read_text()
    assert sorted(watched.progress) == [(f"works{i}", 1, 2) for i in range(3)]


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    outcomes = run_jobs([job("sleeps", sleeps, tmp_path)], SLOTS, preload=[], timeout_seconds=0.5, watcher=Watched())
    assert (outcomes["sleeps"].code, str(outcomes["sleeps"])) == (-9, "longer than the 0.5 s of hydra.launcher.timeout_seconds")


def test_a_job_waits_for_what_it_needs_and_runs_even_if_that_failed(tmp_path: Path) -> None:
    jobs = [job("last", works, tmp_path, tmp_path / "x", needs=("first", "second")), job("first", works, tmp_path, tmp_path / "y")]
    jobs.append(job("second", raises, tmp_path, needs=("first",)))
    watched = Watched()
    outcomes = run_jobs(jobs, SLOTS, preload=[], timeout_seconds=None, watcher=watched)
    assert watched.order == ["+first", "-first", "+second", "-second", "+last", "-last"]
    assert [outcomes[key].code for key in ("first", "second", "last")] == [0, 1, 0]


def test_a_job_that_ran_out_of_memory_is_tried_again_with_a_higher_attempt(tmp_path: Path) -> None:
    outcomes = run_jobs([job("big", needs_memory, tmp_path)], SLOTS[:1], preload=[], timeout_seconds=None, watcher=Watched())
    assert outcomes["big"].code == 0
    log = (tmp_path / "big" / "train.log").read_text()
    assert log.count("RuntimeError: CUDA out of memory") == 2
    assert "fits now" in log


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (torch.OutOfMemoryError("no room"), True),
        (RuntimeError("DataLoader worker is out of memory"), False),
        (MemoryError("out of memory"), False),
    ],
)
def test_only_a_device_without_room_asks_for_smaller_parts(error: BaseException, is_memory: bool) -> None:
    assert ran_out_of_memory(error) is is_memory


def test_a_watcher_that_fails_leaves_no_process_behind(tmp_path: Path) -> None:
    class Fails(Watched):
        def tick(self) -> None:
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job("sleeps", sleeps, tmp_path)], SLOTS, preload=[], timeout_seconds=None, watcher=Fails())
    assert time.monotonic() - started < 20


def signal_children(number: signal.Signals) -> None:
    for child in multiprocessing.active_children():
        assert child.pid is not None
        os.kill(child.pid, number)


def test_a_signal_is_passed_on_and_waited_for(tmp_path: Path) -> None:
    class Stops(Watched):
        def tick(self) -> None:
            if len(self.progress) == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    jobs = [job(f"saves{i}", saves_when_asked, tmp_path, tmp_path / f"saved{i}") for i in range(3)]
    with pytest.raises(Preempted), preemptible():
        run_jobs(jobs, SLOTS, preload=[], timeout_seconds=None, watcher=Stops())
    assert [(tmp_path / f"saved{i}").exists() for i in range(3)] == [True, True, False], "the third was not begun"
    assert (tmp_path / "saves0" / "train.log").read_text() == "preempted by SIGTERM\n"


def test_ctrl_c_at_a_terminal_lets_each_run_save_once_and_says_what_is_waited_for(tmp_path: Path) -> None:
    """All processes at the terminal get SIGINT; a run that answered it itself would lose its steps since the last checkpoint."""

    class Interrupts(Watched):
        def progressed(self, job: Job, done: int, total: int) -> None:
            signal_children(signal.SIGINT)
            raise KeyboardInterrupt

    watched = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job("saves", saves_when_asked, tmp_path, tmp_path / "saved")], SLOTS, preload=[], timeout_seconds=None, watcher=watched)
    assert (tmp_path / "saved").exists()
    assert (tmp_path / "saves" / "train.log").read_text() == "preempted by SIGTERM\n"
    assert watched.order == ["+saves", "ending 1"]


def test_a_job_that_was_preempted_has_not_failed(tmp_path: Path) -> None:
    class AsksOne(Watched):
        def progressed(self, job: Job, done: int, total: int) -> None:
            signal_children(signal.SIGUSR1)

    outcomes = run_jobs(
        [job("saves", saves_when_asked, tmp_path, tmp_path / "x")], SLOTS, preload=[], timeout_seconds=None, watcher=AsksOne()
    )
    outcome = outcomes["saves"]
    assert (str(outcome), outcome.code, outcome.preempted, outcome.failed) == ("preempted", 75, True, False)


def test_slots_share_cores_and_gpus() -> None:
    assert [slot.gpu for slot in slots_for(9, gpus=["0", "1"], runs_per_gpu=2, n_slots=None)] == ["0", "1", "0", "1"]
    assert [slot.gpu for slot in slots_for(1, gpus=["0", "1"], runs_per_gpu=2, n_slots=None)] == ["0"]
    assert [slot.gpu for slot in slots_for(9, gpus=[], runs_per_gpu=1, n_slots=3)] == [None] * 3
    assert slots_for(9, gpus=[], runs_per_gpu=1, n_slots=3)[2].environment()["CUDA_VISIBLE_DEVICES"] == ""


def test_gpus_are_those_that_the_user_left_visible() -> None:
    assert visible_gpus("auto", {"CUDA_VISIBLE_DEVICES": "2,GPU-3f"}) == ["2", "GPU-3f"]
    assert visible_gpus("auto", {"CUDA_VISIBLE_DEVICES": ""}) == []
    assert visible_gpus("auto", {"CUDA_VISIBLE_DEVICES": "-1"}) == []
    assert visible_gpus("cpu", {"CUDA_VISIBLE_DEVICES": "0"}) == []
