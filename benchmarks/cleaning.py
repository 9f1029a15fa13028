"""Rows per second of the cleaning stages on short texts, and normalize_unicode against ftfy itself.

    taskset -c 0 python benchmarks/cleaning.py [--rows 200000] [--repeats 5]

Medians of repeats in turn, in seconds of the processor, so that other load counts less. Texts of 5 to 29 words, one in five
with accents or a Chinese word, one in twenty a repeat.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import ftfy
import pyarrow as pa

from near_dedup import made_texts
from prepsweep.clean.drop_short import drop_short
from prepsweep.clean.exact_dedup import exact_dedup
from prepsweep.clean.label_conflicts import label_conflicts
from prepsweep.clean.normalize_unicode import normalize_unicode
from prepsweep.lineage import dataset_of
from prepsweep.schema import source_table, source_uids


def made_rows(n_rows: int) -> tuple[list[str], list[str]]:
    rng = random.Random(0)
    texts = [f"{text} café 电影" if rng.random() < 0.2 else text for text in made_texts(n_rows)]
    for at in range(0, n_rows, 20):
        texts[at] = texts[rng.randrange(n_rows)]
    return texts, [rng.choice(["fresh", "rotten", "plot"]) for _ in texts]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    texts, labels = made_rows(asked.rows)
    rows = dataset_of(source_table(pa.array(texts), pa.array(labels), pa.array([""] * len(texts)), {}))
    triples = list(zip(texts, labels, [""] * len(texts), strict=True))
    jobs: dict[str, Callable[[], Any]] = {
        "source_uids": lambda: source_uids(triples),
        "exact_dedup": lambda: exact_dedup(rows),
        "drop_short": lambda: drop_short(rows, min_words=3),
        "label_conflicts, exact": lambda: label_conflicts(rows, action="majority", equal="exact"),
        "label_conflicts, ignore_case_and_space": lambda: label_conflicts(rows, action="drop", equal="ignore_case_and_space"),
        "normalize_unicode": lambda: normalize_unicode(rows, num_proc=1),
        "ftfy itself": lambda: [ftfy.fix_text(text) for text in texts],
    }
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(asked.repeats):
        for name, job in jobs.items():
            started = time.process_time()
            job()
            seconds[name].append(time.process_time() - started)
    for name, times in seconds.items():
        print(f"{name:40} {asked.rows / median(times):>12,.0f} rows/s")
    ratio = median(seconds["ftfy itself"]) / median(seconds["normalize_unicode"])
    print(f"normalize_unicode is {ratio:.2f} times as fast as ftfy itself")


if __name__ == "__main__":
    main()
