"""Seconds to look for every leak, for 10,000 and 100,000 rows, and what a second look costs.

    python benchmarks/leaks.py

Texts are made of 20,000 words as frequent as words are, 8 to 60 a text, three classes, one row in a hundred nearly a copy of another.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from prepsweep.cache import Cache
from prepsweep.leaks.report import leaks_of_splits, remembered
from prepsweep.schema import source_table

REPEATS = 3


def rows_of(n_rows: int) -> pa.Table:
    """`n_rows` rows with a split each."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(2, 10))) for _ in range(20_000)]
    totals = [0.0]
    for place in range(len(words)):
        totals.append(totals[-1] + 1 / (place + 2))
    texts: list[str] = []
    for row in range(n_rows):
        if row % 100 == 99:
            copy = texts[row - 50].split()
            copy[len(copy) // 2] = "other"
            texts.append(" ".join(copy))
        else:
            texts.append(" ".join(rng.choices(words, cum_weights=totals[1:], k=rng.randrange(8, 60))))
    labels = rng.choices(["fresh", "rotten", "plot"], [5, 4, 1], k=n_rows)
    splits = rng.choices(["train", "dev", "test"], [7, 1, 2], k=n_rows)
    return source_table(pa.array(texts), pa.array(labels), pa.array(splits), {})


def seconds(table: pa.Table) -> tuple[float, float, int]:
    """Seconds of a first and of a second look, and the number of leaks."""
    with tempfile.TemporaryDirectory() as folder:
        cache, spent = Cache(Path(folder)), []
        for _ in range(2):
            started = time.perf_counter()
            found = remembered(cache, [{"rows": str(len(table))}], lambda: leaks_of_splits(table, table))
            spent.append(time.perf_counter() - started)
    return spent[0], spent[1], len(found)


def main() -> None:
    tables = {n_rows: rows_of(n_rows) for n_rows in (10_000, 100_000)}
    taken = [{n_rows: seconds(table) for n_rows, table in tables.items()} for _ in range(REPEATS)]
    for n_rows in tables:
        first, second = (statistics.median(repeat[n_rows][i] for repeat in taken) for i in (0, 1))
        print(f"{n_rows:,} rows: {first:.2f} s, again {second * 1000:.1f} ms, {taken[0][n_rows][2]} findings")
    ratio = statistics.median(repeat[100_000][0] / repeat[10_000][0] for repeat in taken)
    print(f"100,000 rows take {ratio:.1f} times as long as 10,000")


if __name__ == "__main__":
    main()
