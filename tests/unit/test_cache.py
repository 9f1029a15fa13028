"""Entries are whole or not there."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from filelock import FileLock

from prepsweep.cache import EVIDENCE, FILES, Cache
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.publish import write_atomically
from tests.conftest import make_reviews, rows_of

KEY = "ab" * 32
EVIDENCE_ROWS = pa.table({"uid_a": ["x"], "uid_b": ["y"], "jaccard": [0.9]})


def stored(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path / "cache")
    rows = rows_of(make_reviews(20))
    cache.store(KEY, {"name": "x"}, rows, rows.select([]), EVIDENCE_ROWS)
    return cache


def test_what_is_stored_is_found(tmp_path: Path) -> None:
    entry = Cache(stored(tmp_path).cache_dir).find(KEY)
    assert entry is not None
    assert entry.stage == {"name": "x"}
    assert table_of(entry.rows).equals(table_of(rows_of(make_reviews(20))))
    assert len(entry.left) == 0
    assert entry.evidence is not None
    assert entry.evidence.equals(EVIDENCE_ROWS)
    assert Cache(tmp_path / "cache").find("cd" * 32) is None


@pytest.mark.parametrize("name", [*FILES, EVIDENCE, "manifest.json"])
def test_every_flipped_bit_is_found_out(tmp_path: Path, name: str) -> None:
    file = stored(tmp_path).cache_dir / "stages" / KEY / name
    whole = file.read_bytes()
    rng = random.Random(0)
    for _ in range(50):
        place, bit = rng.randrange(len(whole)), rng.randrange(8)
        broken = bytearray(whole)
        broken[place] ^= 1 << bit
        file.write_bytes(broken)
        found = Cache(tmp_path / "cache").find(KEY)
        assert found is None or (name == "manifest.json" and table_of(found.rows).equals(table_of(rows_of(make_reviews(20)))))
    file.write_bytes(whole[:-1])
    assert name == "manifest.json" or Cache(tmp_path / "cache").find(KEY) is None


def test_a_damaged_entry_is_replaced(tmp_path: Path) -> None:
    cache = stored(tmp_path)
    (cache.cache_dir / "stages" / KEY / "rows.arrow").write_bytes(b"junk")
    assert cache.find(KEY) is None
    rows = rows_of(make_reviews(20))
    cache.store(KEY, {"name": "x"}, rows, rows.select([]))
    assert cache.find(KEY) is not None
    assert [path.name for path in (cache.cache_dir / "stages").iterdir()] == [KEY]


def test_an_entry_without_its_manifest_is_not_there(tmp_path: Path) -> None:
    cache = stored(tmp_path)
    (cache.cache_dir / "stages" / KEY / "manifest.json").unlink()
    assert cache.find(KEY) is None


def test_deferred_entries_are_found_but_write_nothing_until_flush(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", deferred=True)
    rows = rows_of(make_reviews(5))
    cache.store(KEY, {"name": "x"}, rows, rows.select([]))
    found = cache.find(KEY)
    assert found is not None
    assert len(found.rows) == 5
    assert not (tmp_path / "cache").exists()
    cache.flush()
    assert Cache(tmp_path / "cache").find(KEY) is not None


def test_an_entry_counts_as_new_at_its_first_use_only(tmp_path: Path) -> None:
    cache = stored(tmp_path)
    assert [cache.was_there(KEY), cache.was_there(KEY), Cache(cache.cache_dir).was_there(KEY)] == [False, True, True]


def test_many_writers_of_one_key_leave_one_whole_entry(tmp_path: Path) -> None:
    rows = rows_of(make_reviews(50))
    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(lambda _: Cache(tmp_path / "cache").store(KEY, {"name": "x"}, rows, rows.select([])), range(16)))
    assert all(table_of(entry.rows).equals(table_of(rows)) for entry in entries)
    assert [path.name for path in (tmp_path / "cache" / "stages").iterdir()] == [KEY]


def test_a_key_is_made_by_one_at_a_time(tmp_path: Path) -> None:
    made: list[int] = []

    def work(number: int) -> None:
        cache = Cache(tmp_path / "cache")
        with cache.alone(KEY):
            if cache.find(KEY) is None:
                rows = rows_of(make_reviews(20))
                made.append(number)
                cache.store(KEY, {"name": "x"}, rows, rows.select([]))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    assert len(made) == 1


def test_where_files_cannot_be_locked_the_work_is_done_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(_: FileLock) -> None:
        raise NotImplementedError

    monkeypatch.setattr(FileLock, "acquire", cannot)
    cache = Cache(tmp_path / "cache")
    with cache.alone(KEY):
        rows = rows_of(make_reviews(20))
        cache.store(KEY, {"name": "x"}, rows, rows.select([]))
    assert cache.find(KEY) is not None


def test_an_error_of_the_work_itself_is_not_taken_for_one_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk full"), Cache(tmp_path / "cache").alone(KEY):
        raise OSError("disk full")


def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        entry = stored(tmp_path).cache_dir / "stages" / KEY
    finally:
        os.umask(before)
    assert [oct(path.stat().st_mode & 0o777) for path in (entry, entry / "manifest.json")] == ["0o755", "0o644"]


@pytest.mark.parametrize("at", ["cache", "cache/stages"])
def test_a_file_where_the_cache_should_be_is_refused(at: str, tmp_path: Path) -> None:
    (tmp_path / at).parent.mkdir(exist_ok=True)
    (tmp_path / at).touch()
    assert Cache(tmp_path / "cache").find(KEY) is None
    with pytest.raises(Refused, match="cannot store x"):
        stored(tmp_path)


def test_write_atomically_replaces_the_whole_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "x.json", b"long old text")
    write_atomically(tmp_path / "x.json", b"new")
    assert (tmp_path / "x.json").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
