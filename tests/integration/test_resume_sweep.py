"""A sweep that is cut off goes on by the same command: what is finished is not done again, and the scores are the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from prepsweep.training import train
from tests.conftest import compose
from tests.integration.test_resume import QUICK, facts

N_RUNS = 6
_CODE = "import sys; from prepsweep.cli import train; sys.exit(train())"


def records_in(study: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in study.glob("*/run.json")]
    return {record["run_id"]: record for record in found}


def finished_in(study: Path) -> dict[str, str]:
    """When the runs that are finished were started, by run."""
    return {name: record["started"] for name, record in records_in(study).items() if record["status"] == "finished"}


class Sweep:
    """The command of a sweep, on one core, since how sums are rounded can depend on the number of threads."""

    def __init__(self, overrides: list[str], study: Path) -> None:
        core = min(os.sched_getaffinity(0))
        arguments = [*overrides, f"study={study.name}", f"seed=range({N_RUNS})", "hydra.launcher.n_slots=2"]
        self.study = study
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{core}]); {_CODE}", "-m", *arguments],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end(self, number: int, *, after_runs: int, seconds: float) -> int:
        """Send a signal `seconds` after so many runs are finished, and return the exit code.

        SIGTERM goes to all its processes, as systemd and Slurm send it; SIGKILL to the first alone, whose end ends the others.
        """
        while self.process.poll() is None and len(finished_in(self.study)) < after_runs:
            time.sleep(0.02)
        time.sleep(seconds)
        if number == signal.SIGTERM:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        self.process.communicate()
        return self.process.returncode


@pytest.mark.parametrize("n_kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_a_sweep_that_is_cut_off_repeats_no_finished_run_and_ends_with_the_same_scores(
    n_kills: int, tmp_path: Path, reviews_csv: Path, tiny_model: Path
) -> None:
    rng, study = random.Random(0), tmp_path / "multirun" / "cut"
    command = [*QUICK, f"data.path={reviews_csv}", f"model.name={tiny_model}", "budget.steps=40", "trainer.checkpoint_seconds=0.1"]
    code = Sweep(command, study).end(signal.SIGTERM, after_runs=1, seconds=rng.uniform(0, 0.5))
    assert code == 75
    records = records_in(study)
    assert {record["status"] for record in records.values()} <= {"finished", "preempted"}
    done = finished_in(study)
    assert 1 <= len(done) < N_RUNS
    for _ in range(n_kills):
        after = 2 if n_kills == 1 else rng.randrange(N_RUNS)
        Sweep(command, study).end(signal.SIGKILL, after_runs=after, seconds=rng.uniform(0, 1))
        now = finished_in(study)
        assert done.items() <= now.items(), "a finished run is not done again"
        done = now
    last = Sweep(command, study)
    errors = last.process.communicate()[1]
    assert last.process.returncode == 0, errors
    assert f"{N_RUNS} of {N_RUNS} runs finished" in errors
    now = finished_in(study)
    assert done.items() <= now.items()
    assert len(now) == N_RUNS

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for run_id, record in records_in(study).items():
        alone = tmp_path / "alone" / run_id
        train(compose(*command, "study=cut", f"seed={record['config']['seed']}"), run_dir=alone, choices={})
        assert facts(study / run_id) == facts(alone), "alone as in a sweep that was cut off"
    torch.set_num_threads(n_threads)
