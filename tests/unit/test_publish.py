"""Files that are there whole or not at all, on disks that fill up, may not be written to, or are really full."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prepsweep.errors import Refused
from prepsweep.publish import private_name, publish_file, publish_folder, write_atomically

ERRORS = {errno.ENOSPC: "No space left", errno.EROFS: "Read-only", errno.EACCES: "Permission denied", errno.EDQUOT: "quota"}


@contextmanager
def no_file_over(n_bytes: int) -> Iterator[None]:
    """A limit of the system on what a file may hold: the nearest thing to a full disk that needs no rights."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_does_not_fit_is_told_in_one_line_and_the_old_one_stays(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    write_atomically(file, b"old")
    with no_file_over(1000), pytest.raises(Refused) as refused:
        write_atomically(file, b"x" * 5000)
    assert str(refused.value) == f"{file}: cannot store run.json, 5,000 bytes: File too large. fix: make room there, or name another folder"
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert file.read_bytes() == b"old"


@pytest.mark.parametrize("number", ERRORS)
@pytest.mark.parametrize("call", ["fsync", "open"])
def test_no_room_and_no_right_to_write(number: int, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    write_atomically(tmp_path / "old", b"old")
    monkeypatch.setattr(os, call, fails)
    with pytest.raises(Refused, match=ERRORS[number]):
        write_atomically(tmp_path / "new", b"new")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_another_error_is_none_of_the_users(tmp_path: Path) -> None:
    def fails(_: object) -> None:
        raise ZeroDivisionError

    for write in (lambda: publish_file(tmp_path / "x", fails), lambda: publish_folder(tmp_path / "y", fails)):
        with pytest.raises(ZeroDivisionError):
            write()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_takes_the_place_of_an_old_one_and_of_what_a_killed_process_left(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for text in ("old", "new"):
        private_name(folder).mkdir()
        (private_name(folder) / "half").touch()
        publish_folder(folder, lambda place, text=text: (place / text).write_text(text))  # type: ignore[misc]
        assert [path.name for path in folder.iterdir()] == [text]
    with no_file_over(10), pytest.raises(Refused, match=r"model: cannot store model: File too large"):
        publish_folder(folder, lambda place: (place / "big").write_bytes(b"x" * 100))
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_process_that_is_killed_while_it_writes_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    write_atomically(file, b"old")
    code = (
        "import os, signal, sys; from pathlib import Path; from prepsweep.publish import publish_file\n"
        "def write(file):\n    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "publish_file(Path(sys.argv[1]), write)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(file)], check=False).returncode == -9
    assert file.read_bytes() == b"old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_checkpoint_on_a_full_disk(tmp_path: Path) -> None:
    import torch

    from prepsweep.checkpointing import DurableFile

    file = tmp_path / "checkpoint.pt"
    DurableFile().save_checkpoint({"step": 1}, file)
    private_name(file).symlink_to("/dev/full")
    with pytest.raises(Refused, match=r"checkpoint.pt: cannot store checkpoint.pt: No space left on device"):
        DurableFile().save_checkpoint({"weights": torch.zeros(100_000)}, file)
    assert DurableFile().load_checkpoint(file) == {"step": 1}
