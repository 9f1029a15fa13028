"""A file is read once as long as it is the same, and again whenever it may not be."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from prepsweep import fingerprints
from prepsweep.fingerprints import hash_file, hash_folder


@pytest.fixture
def n_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for each file that is read."""
    reads: list[int] = []
    original = hashlib.file_digest

    def counted(file: object, name: str) -> object:
        reads.append(1)
        return original(file, name)  # type: ignore[arg-type]

    monkeypatch.setattr(fingerprints.hashlib, "file_digest", counted)
    return reads


def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the files had been written long ago: change times cannot be set back, so the clock is set forward."""
    now = time.time_ns
    monkeypatch.setattr(fingerprints.time, "time_ns", lambda: now() + 10 * fingerprints._SETTLED_NS)


def test_a_file_that_stays_is_read_once(tmp_path: Path, n_reads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    settled(monkeypatch)
    (tmp_path / "a").write_bytes(b"one")
    assert {hash_file(tmp_path / "a") for _ in range(3)} == {hashlib.sha256(b"one").hexdigest()}
    assert len(n_reads) == 1
    hash_folder(tmp_path)
    assert len(n_reads) == 1


def test_a_file_that_was_written_just_now_is_read_each_time(tmp_path: Path, n_reads: list[int]) -> None:
    for number in range(50):
        (tmp_path / "a").write_bytes(f"{number:02}".encode())
        assert hash_file(tmp_path / "a") == hashlib.sha256(f"{number:02}".encode()).hexdigest()
    assert len(n_reads) == 50


def test_other_bytes_with_the_old_size_and_time_stamp_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(monkeypatch)
    file = tmp_path / "a"
    file.write_bytes(b"one")
    stamp = file.stat()
    before = hash_file(file)
    time.sleep(0.05)
    file.write_bytes(b"two")
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert hash_file(file) != before
    (tmp_path / "b").write_bytes(b"six")
    os.utime(tmp_path / "b", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    (tmp_path / "b").replace(file)
    assert hash_file(file) == hashlib.sha256(b"six").hexdigest()


def test_the_same_name_in_another_folder_is_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(monkeypatch)
    for name, text in (("x", b"one"), ("y", b"two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(text)
        monkeypatch.chdir(tmp_path / name)
        assert hash_file(Path("a")) == hashlib.sha256(text).hexdigest()
