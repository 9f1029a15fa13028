"""What every stage makes of three small data sets, as it was when somebody last meant to change it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from prepsweep.stages import PREPARATION
from tests.contract.golden import COMMAND, DATA_SETS, GOLDEN, HERE, LEFT_OUT, golden_stages, hashes
from tests.contract.stage_options import is_stage, options_of

STAGES = [f"{group}/{option}" for group, option in golden_stages()]
EXPECTED: dict[str, dict[str, str]] = json.loads(GOLDEN.read_text(encoding="utf-8"))
# Whatever a machine may have otherwise. Rows are too few for two processes in `rewrite` and `make_children`:
# tests/contract/test_stages.py compares those on more; here `num_proc` reaches what takes it as it is.
ELSEWHERE = {
    "hash seed 1, C locale, another time zone": {"PYTHONHASHSEED": "1", "LC_ALL": "C", "PYTHONUTF8": "0", "TZ": "Pacific/Kiritimati"},
    "hash seed 2, another folder, two processes": {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "America/St_Johns"},
}


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, str]]:
    return hashes(num_proc=1)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_makes_what_it_made(stage: str, found: dict[str, dict[str, str]]) -> None:
    assert stage in EXPECTED, f"{stage} has no golden hash: add it with `{COMMAND}`"
    moved = [name for name in DATA_SETS if found[stage][name] != EXPECTED[stage].get(name)]
    assert not moved, f"{stage} makes other rows than before of {', '.join(moved)}: if that is meant, say why and run `{COMMAND}`"


def test_no_hash_and_no_exception_is_left_of_a_stage_that_is_gone() -> None:
    every = {f"{group}/{option}" for group in PREPARATION for option in options_of(group) if is_stage(group, option)}
    assert sorted(set(EXPECTED) - set(STAGES)) == [], f"run `{COMMAND}`"
    assert sorted(set(LEFT_OUT) - every) == []
    assert all(LEFT_OUT.values())
    assert len(STAGES) >= 20


def test_the_data_sets_tell_stages_apart() -> None:
    """A data set on which stages do nothing would keep its hash whatever happened to them."""
    for name in DATA_SETS:
        rows = [json.loads(line) for line in (HERE / "data" / f"{name}.jsonl").read_text(encoding="utf-8").split("\n") if line]
        assert 60 <= len(rows) <= 70
        assert len({row["label"] for row in rows}) == 3
        different = {EXPECTED[stage][name] for stage in STAGES if stage in EXPECTED and not EXPECTED[stage][name].startswith("refused")}
        assert len(different) >= 15, name


@pytest.mark.parametrize("where", ELSEWHERE)
def test_the_hashes_are_the_same_elsewhere(where: str, found: dict[str, dict[str, str]], tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    environment |= {"PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(HERE.parents[1]), **ELSEWHERE[where]}
    command = [sys.executable, "-m", "tests.contract.golden", "--num-proc", "2" if "two processes" in where else "1"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    elsewhere = json.loads(done.stdout)
    assert [stage for stage in STAGES if elsewhere[stage] != found[stage]] == []
