"""Small doses of tests/torture.py in every run of the suite; the full ones are marked slow."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest
from filelock import FileLock

from prepsweep import cache as cache_module
from prepsweep.cache import STAGES, Cache
from prepsweep.cli import train
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from tests.conftest import make_reviews, rows_of
from tests.torture import KEY, OTHER, POINTS, build, flipped_bits, killed, killed_sometime, many_processes, store, take_over

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")


@pytest.mark.parametrize("n_rounds", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_many_processes_build_a_cold_key_once(n_rounds: int, tmp_path: Path) -> None:
    for number in range(n_rounds):
        (tmp_path / str(number)).mkdir()
        assert many_processes(tmp_path / str(number), 32) == (1, 1), "builds, hashes"


def test_a_killed_builder_is_taken_over(tmp_path: Path) -> None:
    assert take_over(tmp_path) < 10


def test_without_working_locks_more_build_it_and_none_reads_anything_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(_: FileLock) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    def no_flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", cannot)
    monkeypatch.setattr("fcntl.flock", no_flock)
    n_built, n_hashes = many_processes(tmp_path, 8)
    assert (n_built > 1, n_hashes) == (True, 1)
    assert [path.name for path in (tmp_path / "cache" / STAGES).iterdir()] == [KEY]


@pytest.mark.parametrize("point", POINTS)
def test_a_process_that_dies_while_it_stores_leaves_nothing_half(point: str, tmp_path: Path) -> None:
    killed(tmp_path / "cache", *POINTS[point])


@pytest.mark.parametrize("n_kills", [10, pytest.param(500, marks=pytest.mark.slow)])
def test_a_process_that_dies_at_any_time_leaves_nothing_half(n_kills: int, tmp_path: Path) -> None:
    rng = random.Random(n_kills)
    for number in range(n_kills):
        killed_sometime(tmp_path / str(number), rng.uniform(0, 0.1))


def test_all_flipped_bits_are_detected(tmp_path: Path) -> None:
    assert flipped_bits(tmp_path / "cache", 200) == (200, 0)


@pytest.mark.parametrize("name", ["rows.arrow", "left.arrow", "stage.json", "manifest.json"])
def test_a_full_disk_is_told_in_one_line_and_leaves_older_entries(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path / "cache")
    store(cache, OTHER)
    fails = {"rows.arrow": 1, "left.arrow": 2, "stage.json": 3, "manifest.json": 5}[name]
    seen = []

    def full(descriptor: int) -> None:
        seen.append(descriptor)
        if len(seen) == fails:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache_module.os, "fsync", full)
    with pytest.raises(Refused) as refused:
        store(cache)
    text = str(refused.value)
    n_bytes = table_of(rows_of(make_reviews(200))).nbytes
    assert text.startswith(f"{tmp_path / 'cache' / STAGES}: cannot store x, ")
    assert int(text.split(", ")[1].split(" bytes")[0].replace(",", "")) >= n_bytes
    assert ": No space left on device. fix: make room (prepsweep cache prune)" in text
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "cache" / STAGES).iterdir()] == [OTHER]
    assert cache.find(KEY) is None
    assert cache.find(OTHER) is not None
    assert build(tmp_path / "cache", tmp_path / "log", 0.0), "and with room again it is made"


def test_a_command_on_a_full_disk_ends_with_code_2(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache_module, "_write_rows", full)
    assert train(["data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "logger=none"]) == 2
    (line,) = [line for line in capsys.readouterr().err.strip().splitlines() if not line.startswith("leak: ")]
    assert line.startswith(f"error: {tmp_path / 'cache' / STAGES}: cannot store csv, ")
    assert list((tmp_path / "cache" / STAGES).iterdir()) == []
    assert not list(tmp_path.glob("outputs/*"))


def test_a_read_only_cache_serves_what_it_holds_and_refuses_what_it_cannot_store(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    store(cache, OTHER)
    folders = [tmp_path / "cache", tmp_path / "cache" / STAGES]
    for folder in folders:
        folder.chmod(0o500)
    try:
        if os.access(folders[1], os.W_OK):
            pytest.skip("root may write everywhere")
        found = cache.find(OTHER)
        assert found is not None
        assert len(found.rows) == 200
        with pytest.raises(Refused, match="cannot store x, .* bytes: Permission denied"), cache.alone(KEY):
            store(cache)
        assert [path.name for path in folders[1].iterdir()] == [OTHER]
    finally:
        for folder in folders:
            folder.chmod(0o700)


def test_a_cache_on_a_read_only_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    cache = Cache(tmp_path / "cache")
    store(cache, OTHER)
    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(Refused, match="cannot store x, .* bytes: Read-only file system. fix: "):
        store(cache)
    assert cache.find(OTHER) is not None
