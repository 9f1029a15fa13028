"""Which folder a single run goes on in, and that no two processes train in one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from prepsweep.continuing import alone_in, run_to_continue
from prepsweep.errors import Refused

HOLD = """
import sys, time, pathlib
from prepsweep.continuing import alone_in
with alone_in(pathlib.Path(sys.argv[1])):
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
        with pytest.raises(Refused, match="another process trains this run"), alone_in(run_dir):
            pass
        other.kill()
    assert run_to_continue(tmp_path, RUN) == run_dir
    with alone_in(run_dir):
        assert run_to_continue(tmp_path, RUN) is None
    assert run_to_continue(tmp_path, RUN) == run_dir
