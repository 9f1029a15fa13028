"""Which folder a single run goes on in, and that no two processes train in one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from prepsweep import cli
from prepsweep.cache import Cache
from prepsweep.continuing import alone_in, mark_ended, run_to_continue
from prepsweep.errors import Refused

HOLD = """
import sys, time, pathlib
from prepsweep.continuing import alone_in
with alone_in(pathlib.Path(sys.argv[1]), waits=False):
    print(flush=True)
    time.sleep(60)
"""
RUN, OTHER = "0123456789ab", "ba9876543210"


def begun(output_dir: Path, time: str, status: str, *, run_id: str = RUN, checkpoint: bool = True) -> Path:
    run_dir = output_dir / "2026-11-24" / f"{time}-{run_id}"
    run_dir.mkdir(parents=True)
    (run_dir / "run.json").write_text(json.dumps({"status": status}))
    if checkpoint:
        (run_dir / "checkpoint.pt").touch()
    return run_dir


def test_the_newest_that_was_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    assert run_to_continue(tmp_path, RUN) is None
    begun(tmp_path, "08-00-00-0", "preempted")
    begun(tmp_path, "12-00-00-0", "finished")
    begun(tmp_path, "13-00-00-0", "preempted", run_id=OTHER)
    assert run_to_continue(tmp_path, RUN) == tmp_path / "2026-11-24" / f"08-00-00-0-{RUN}"
    killed = begun(tmp_path, "09-00-00-0", "running")
    begun(tmp_path, "10-00-00-0", "running", checkpoint=False)
    begun(tmp_path, "11-00-00-0", "failed", checkpoint=False)
    assert run_to_continue(tmp_path, RUN) == killed
    assert run_to_continue(tmp_path, OTHER) is not None


def test_a_run_that_a_process_trains_is_not_gone_on_with_until_that_process_is_gone(tmp_path: Path) -> None:
    run_dir = begun(tmp_path, "08-00-00-0", "running")
    with subprocess.Popen([sys.executable, "-c", HOLD, str(run_dir)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert run_to_continue(tmp_path, RUN) is None
        with pytest.raises(Refused, match="another process trains this run"), alone_in(run_dir, waits=False):
            pass
        mark_ended(run_dir, {}, earlier=None, choices={}, overrides=[], reason="it could not begin")
        assert json.loads((run_dir / "run.json").read_text()) == {"status": "running"}, "of the other one"
        other.kill()
    assert run_to_continue(tmp_path, RUN) == run_dir
    with alone_in(run_dir, waits=False):
        assert run_to_continue(tmp_path, RUN) is None
    assert run_to_continue(tmp_path, RUN) == run_dir


def test_a_sweep_waits_for_the_run_that_another_one_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        threading.Timer(0.5, other.kill).start()
        with alone_in(tmp_path, waits=True):
            assert other.wait(1) == -9
    assert capsys.readouterr().err == f"waits for another process that trains this run: {tmp_path}\n"


def test_a_run_that_is_finished_while_it_is_waited_for_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def finished_meanwhile(cfg: DictConfig, run_dir: Path) -> bool:
        with pytest.raises(Refused), alone_in(run_dir, waits=False):
            pass
        return True

    monkeypatch.setattr(cli, "said_finished_before", finished_meanwhile)
    assert cli.train_in(tmp_path, OmegaConf.create({"study": "two"}), Cache(tmp_path), {}, overrides=[]) is None


@pytest.mark.parametrize(
    ("earlier", "left", "status", "message"),
    [
        (None, None, "failed", "killed by SIGKILL"),
        ({"status": "finished"}, {"status": "finished"}, "failed", "killed by SIGKILL"),
        (None, {"status": "running"}, "failed", "killed by SIGKILL"),
        ({"status": "failed"}, {"status": "finished"}, "finished", None),
    ],
)
def test_what_an_earlier_start_left_is_not_the_end_of_this_one(
    earlier: dict[str, Any] | None, left: dict[str, Any] | None, status: str, message: str | None, tmp_path: Path
) -> None:
    if left is not None:
        (tmp_path / "run.json").write_text(json.dumps(left))
    config = {"study": "x", "seeds": {}}
    mark_ended(tmp_path, config, earlier=earlier, choices={}, overrides=[], reason="killed by SIGKILL")
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["status"], (record.get("error") or {}).get("message")) == (status, message)


def test_that_a_record_cannot_be_written_is_not_taken_for_a_run_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise Refused(str(tmp_path), "cannot store run.json: No space left on device", "make room there")

    monkeypatch.setattr("prepsweep.continuing.mark_failed", full)
    with pytest.raises(Refused, match="No space left"):
        mark_ended(tmp_path / "run", {}, earlier=None, choices={}, overrides=[], reason="it was killed")
