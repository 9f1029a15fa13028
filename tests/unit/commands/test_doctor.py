"""`prepsweep doctor`: what is here, and all that a command would be refused for at once, in about a second."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from prepsweep.cli import main, train
from prepsweep.errors import Refused
from prepsweep.preflight import machine
from prepsweep.preflight.collected import further_errors
from tests.unit.sources.helpers import contents


def test_it_tells_of_the_machine_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()}
    assert list(lines) == ["python", "packages", "processor", "gpu", "model", "apertium", "wordnet", "cache", "wandb", "hub"]
    assert "as required: torch " in lines["packages"]
    assert str(tmp_path / "cache") in lines["cache"]
    assert "locks work" in lines["cache"]
    assert "offline (HF_HUB_OFFLINE)" in lines["hub"]
    assert list(tmp_path.iterdir()) == []


def test_torch_is_imported_where_it_is_asked_for_alone() -> None:
    code = (
        "import sys, time; started = time.monotonic(); from prepsweep.cli import main; code = main(sys.argv[1:])\n"
        "heavy = [name for name in ('torch', 'transformers', 'pytorch_lightning', 'wandb') if name in sys.modules]\n"
        "assert (not heavy) is ('--full' not in sys.argv), heavy; sys.exit(code)"
    )
    for options in ([], ["--full"]):
        ran = subprocess.run([sys.executable, "-c", code, "doctor", *options], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert ("precision " in ran.stdout) is bool(options)


def test_what_is_missing_has_a_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(machine.importlib.metadata, "requires", lambda _: ["numpy>=99", "no-such-thing>=1", "absent; extra == 'x'"])
    (tmp_path / "file").touch()
    found = {one.what: one for one in machine.findings(tmp_path / "file" / "cache", tmp_path, full=False)}
    errors = [f"{one.name}: {one.what}. fix: {one.fix}" for one in found.values() if one.is_error]
    assert any("numpy is " in error and "not >=99. fix: pip install 'numpy>=99'" in error for error in errors)
    assert any("no-such-thing is not installed" in error for error in errors)
    assert any("default model is not installed" in error for error in errors)
    assert not any("absent" in error for error in errors)
    hints = [one.fix for one in found.values() if one.fix and not one.is_error]
    assert hints == ["sudo apt-get install apertium-eng-spa", "sudo apt-get install wordnet-base"]


def test_a_cache_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(**_: object) -> None:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(machine.tempfile, "TemporaryFile", read_only)
    found = machine._cache(tmp_path / "cache")
    assert found.is_error
    assert "Read-only file system" in found.what
    assert "PREPSWEEP_CACHE_DIR" in found.fix


MISTAKES = [
    "augment=synonim",
    "augment.synonim.p=2",
    "model.learnin_rate=1",
    "budget.epochs=0",
    "split.stratified.test_fraction=0.95",
    "seed=-1",
]
WHERE = {"augment", "model.learnin_rate", "budget.epochs", "split.stratified", "seed"}


@pytest.mark.parametrize("command", ["doctor", "train", "sweep"])
def test_all_mistakes_are_told_at_once(command: str, reviews_csv: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", *MISTAKES]
    before = contents()
    assert (main(["doctor", *given]) if command == "doctor" else train([*(["-m"] if command == "sweep" else []), *given])) == 2
    lines = capsys.readouterr().err.splitlines()
    assert {line.split(": ")[1] for line in lines} == WHERE
    assert len(lines) == len(WHERE)
    assert all(line.startswith("error: ") and ". fix: " in line for line in lines)
    assert contents() == before


def test_a_sound_command_would_run_and_leaves_no_trace(reviews_csv: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents()
    assert main(["doctor", "data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}"]) == 0
    assert "✓ command    would run" in capsys.readouterr().out
    assert main(["doctor", "-m", "data=csv", "data.path=no.csv", "seed=0,1"]) == 2
    assert capsys.readouterr().err.startswith("error: data.path: no such file: no.csv")
    assert contents() == before


def test_the_search_for_further_mistakes_ends() -> None:
    def always(overrides: list[str]) -> None:
        raise Refused(overrides[0] if overrides else "here", "no", "none")

    assert [one.where for one in further_errors(Refused("a", "no", "none"), ["a=1", "b=2", "c"], always)] == ["a", "b=2"]
    assert [one.where for one in further_errors(Refused("file.csv:3", "no", "none"), ["a=1"], always)] == ["file.csv:3"]
