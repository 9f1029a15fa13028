"""How fast rows are read from a CSV file, next to what pyarrow alone takes for the same bytes without any check.

    python benchmarks/readers.py --megabytes 200 --rounds 3

Plain, quoted and gzip-packed files of short reviews; medians of interleaved repeats.
"""

from __future__ import annotations

import argparse
import gzip
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from pyarrow import csv as arrow_csv

from prepsweep.sources.csv import _read
from prepsweep.sources.files import GivenFile
from prepsweep.sources.table import Columns

WORDS = ["a", "the", "film", "story", "of", "great", "dull", "with", "cast", "and", "plot", "that", "moves", "slowly"]


def write(path: Path, n_bytes: int, *, quoted: bool) -> None:
    rng = random.Random(0)
    block = []
    for row in range(20_000):
        text = " ".join(rng.choices(WORDS, k=rng.randrange(5, 40)))
        block.append(f'"{text}, ""{row}""",{"ab"[row % 2]}\n' if quoted else f"{text} {row},{'ab'[row % 2]}\n")
    body = "".join(block).encode()
    with path.open("wb") as file:
        file.write(b"text,label\n")
        for _ in range(n_bytes // len(body) + 1):
            file.write(body)


def ours(path: Path) -> None:
    _read(GivenFile(path, "data.path", ""), COLUMNS, ",")


def arrows(path: Path) -> None:
    options = arrow_csv.ParseOptions(newlines_in_values=True)
    arrow_csv.read_csv(path, parse_options=options, read_options=arrow_csv.ReadOptions(block_size=1 << 24))


def seconds(read: Callable[[Path], None], path: Path) -> float:
    started = time.perf_counter()
    read(path)
    return time.perf_counter() - started


COLUMNS = Columns("text", None, "label", None, None, [], False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("plain", "quoted", "gzip"):
            path = Path(folder) / ("rows.csv.gz" if name == "gzip" else "rows.csv")
            write(path.with_name("rows.csv"), asked.megabytes * 1_000_000, quoted=name == "quoted")
            if name == "gzip":
                path.write_bytes(gzip.compress(path.with_name("rows.csv").read_bytes(), compresslevel=1))
            if name == "plain":
                ours(path)  # what is imported at the first call is none of the reader's time
            times: dict[str, list[float]] = {"prepsweep": [], "pyarrow": []}
            for _ in range(asked.rounds):
                times["prepsweep"].append(seconds(ours, path))
                times["pyarrow"].append(seconds(arrows, path))
            a, b = (median(found) for found in times.values())
            print(f"{name:7} {asked.megabytes} MB: {a:.2f} s, pyarrow {b:.2f} s: {b / a:.2f} of its speed")


if __name__ == "__main__":
    main()
