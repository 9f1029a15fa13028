"""The cache under processes that die, disks that fill up and bits that flip: `make torture` (minutes).

Run alone it tortures in full; tests/unit/test_torture.py runs small doses of it. Nothing of this is built into the cache:
a victim is a process that replaces `os.fsync`, `Path.rename` and `os.rename` by ones that kill it at the n-th call.

    python -m tests.torture --rounds 20
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from prepsweep.cache import EVIDENCE, STAGES, Cache, is_whole
from prepsweep.cache_contents import remove_leftovers
from prepsweep.identity import content_hash
from prepsweep.lineage import table_of
from tests.conftest import make_reviews, rows_of

KEY = "ab" * 32
OTHER = "cd" * 32
FORK = multiprocessing.get_context("fork")


def store(cache: Cache, key: str = KEY) -> None:
    """An entry of 200 rows, always the same bytes."""
    rows = rows_of(make_reviews(200))
    cache.store(key, {"name": "x", "group": "clean", "rows_out": 200}, rows, rows.select(range(5)), table_of(rows).select(["uid"]))


def build(folder: Path, log: Path, seconds: float) -> str:
    """What a process does that needs the entry: look, wait for whoever makes it, look again, make it; the hash of its rows."""
    cache = Cache(folder)
    entry = cache.find(KEY)
    if entry is None:
        with cache.alone(KEY):
            entry = cache.find(KEY)
            if entry is None:
                with log.open("a") as file:
                    file.write(f"{os.getpid()}\n")
                time.sleep(seconds)
                store(cache)
                entry = cache.find(KEY)
    assert entry is not None
    return content_hash(table_of(entry.rows))


def _needs(folder: Path, log: Path, barrier: Barrier, answers: Any) -> None:
    barrier.wait()
    answers.put(build(folder, log, 0.05))


def many_processes(folder: Path, n: int) -> tuple[int, int]:
    """C1: one cold key, `n` processes at once: how many built it, and how many hashes they got."""
    log, barrier, answers = folder / "built", FORK.Barrier(n), FORK.Queue()
    processes = [FORK.Process(target=_needs, args=(folder / "cache", log, barrier, answers)) for _ in range(n)]
    for process in processes:
        process.start()
    hashes = {answers.get(timeout=120) for _ in processes}
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return len(log.read_text().splitlines()), len(hashes)


def take_over(folder: Path) -> float:
    """C1: seconds until the work of a builder that was killed in the middle is done by another process."""
    log = folder / "built"
    victim = FORK.Process(target=build, args=(folder / "cache", log, 600.0))
    victim.start()
    while not log.exists():
        time.sleep(0.01)
    started = time.monotonic()
    heir = FORK.Process(target=build, args=(folder / "cache", log, 0.0))
    heir.start()
    time.sleep(0.3)
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    heir.join(60)
    assert heir.exitcode == 0, "the heir did not end"
    victim.join()
    return time.monotonic() - started - 0.3


# Named places where a process may die while it stores: the call before which it does, by name and number.
POINTS = {
    "before the rows are synced": ("fsync", 1),
    "after the rows": ("fsync", 2),
    "after all data, before the manifest is synced": ("fsync", 5),
    "after the manifest, before its folder is synced": ("fsync", 6),
    "before the rename": ("rename", 1),
    "after the rename, before the directory is synced": ("fsync", 7),
}


def _dies(folder: Path, call: str, number: int) -> None:
    seen = {"fsync": 0, "rename": 0}

    def deadly(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            seen[name] += 1
            if (name, seen[name]) == (call, number):
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **named)

        return counted

    os.fsync = deadly("fsync", os.fsync)
    Path.rename = deadly("rename", Path.rename)  # type: ignore[method-assign]
    store(Cache(folder))


def killed(folder: Path, call: str, number: int) -> None:
    """K1: a process dies at the named call while it stores; nothing half is ever read, and the next one is not held up."""
    victim = FORK.Process(target=_dies, args=(folder, call, number))
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL, "the place was not reached"
    _check_after_death(folder, f"{call} {number}")


def killed_sometime(folder: Path, seconds: float) -> None:
    """K1: the same at any time."""
    victim = FORK.Process(target=build, args=(folder, folder.with_suffix(".log"), 0.0))
    victim.start()
    time.sleep(seconds)
    victim.kill()
    victim.join()
    _check_after_death(folder, f"{seconds:.4f} s")


def _check_after_death(folder: Path, where: str) -> None:
    entry = folder / STAGES / KEY
    assert not entry.exists() or is_whole(entry), f"half an entry is in place: {where}"
    before = Cache(folder).find(KEY)
    assert before is None or content_hash(table_of(before.rows)) == _whole_hash()
    started = time.monotonic()
    assert build(folder, folder.with_suffix(".log"), 0.0) == _whole_hash(), where
    assert time.monotonic() - started < 10
    del before
    remove_leftovers(folder)
    assert [path.name for path in (folder / STAGES).iterdir()] == [KEY], where


def _whole_hash() -> str:
    return content_hash(table_of(rows_of(make_reviews(200))))


def flipped_bits(folder: Path, n: int, seed: int = 0) -> tuple[int, int]:
    """K5: of `n` random flips of a bit over all files of an entry, how many were detected and how many used all the same."""
    store(Cache(folder))
    rng = random.Random(seed)
    files = sorted((folder / STAGES / KEY).iterdir())
    assert {file.name for file in files} >= {"rows.arrow", "left.arrow", "stage.json", EVIDENCE, "manifest.json"}
    sizes = [file.stat().st_size for file in files]
    detected = used = 0
    for _ in range(n):
        # Each file as likely as the others: the smallest hold what all else hangs on.
        file = rng.choice(files)
        place, bit = rng.randrange(sizes[files.index(file)]), rng.randrange(8)
        whole = file.read_bytes()
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        found = Cache(folder).find(KEY)
        detected += found is None
        used += found is not None
        file.write_bytes(whole)
    assert Cache(folder).find(KEY) is not None
    return detected, used


def main() -> None:
    """Everything, in full."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--kills", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for number in range(given.rounds):
            (place / f"c{number}").mkdir()
            assert many_processes(place / f"c{number}", 32) == (1, 1)
        print(f"C1: {given.rounds} rounds of 32 processes: one build and one hash each")
        (place / "taken").mkdir()
        print(f"C1: a killed builder was replaced in {take_over(place / 'taken'):.1f} s")
        rng, started = random.Random(0), time.monotonic()
        build(place / "timed", place / "timed.log", 0.0)
        seconds = time.monotonic() - started
        for number in range(given.kills):
            if number % 2:
                killed(place / f"k{number}", *list(POINTS.values())[number // 2 % len(POINTS)])
            else:
                killed_sometime(place / f"k{number}", rng.uniform(0, 1.5 * seconds))
        print(f"K1: {given.kills} kills, half of them at {len(POINTS)} named places: 0 corrupt entries, 0 stuck")
        print("K5: of 200 flipped bits {} were detected, {} used".format(*flipped_bits(place / "flipped", 200)))


if __name__ == "__main__":
    sys.exit(main())
