"""clean=near_dedup against datasketch and against brute force: speed, recall, precision, memory.

    pip install 'prepsweep[benchmarks]'
    RAYON_NUM_THREADS=1 taskset -c 0 python benchmarks/near_dedup.py [--rows 100000] [--repeats 3]
    RAYON_NUM_THREADS=1 taskset -c 0 python benchmarks/near_dedup.py --memory 500000

Made-up texts of 5 to 29 words with word frequencies as in English (Zipf); one in ten is an earlier text, four times of
five with one word changed. The reference is datasketch as its manual has it: MinHash of 128 permutations, an LSH index at
the same threshold, one query a text, on the same shingles, and the same with its bulk call, the fastest it has; it verifies
nothing, while near_dedup compares each pair.
Seconds are those of the processor, so that other load counts less.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections import defaultdict
from statistics import median

import numpy as np
import pyarrow as pa

from prepsweep.clean.near_dedup import near_dedup
from prepsweep.lineage import dataset_of
from prepsweep.schema import source_table
from prepsweep.text import words

THRESHOLD, NGRAM, NUM_PERM = 0.8, 2, 128
N_WORDS = 30_000


def made_texts(n_rows: int, seed: int = 0) -> list[str]:
    frequency = 1 / (np.arange(N_WORDS) + 10)
    drawn = np.random.default_rng(seed)
    lengths = drawn.integers(5, 30, n_rows)
    tokens = drawn.choice(N_WORDS, size=int(lengths.sum()), p=frequency / frequency.sum())
    rng, texts = random.Random(seed), list[str]()
    for part in np.split(tokens, np.cumsum(lengths)[:-1]):
        text = [f"w{token}" for token in part.tolist()]
        if texts and rng.random() < 0.1:
            text = rng.choice(texts).split()
            if rng.random() < 0.8:
                text[rng.randrange(len(text))] = f"w{rng.randrange(N_WORDS)}"
        texts.append(" ".join(text))
    return texts


def shingles(text: str) -> set[str]:
    found = words(text.casefold())
    return {" ".join(found[at : at + NGRAM]) for at in range(max(len(found) - NGRAM + 1, 1))} if found else set()


def ours(texts: list[str]) -> tuple[set[tuple[int, int]], int]:
    """Pairs of positions in the evidence, and how many pairs there are in all."""
    empty = pa.array([""] * len(texts))
    rows = dataset_of(source_table(pa.array(texts), empty, empty, {}))
    result = near_dedup(rows, threshold=THRESHOLD, ngram=NGRAM, num_perm=NUM_PERM, merge_across_labels=False)
    assert result.evidence is not None
    place = {uid: at for at, uid in enumerate(rows["uid"])}
    pairs = zip(result.evidence.column("uid_a").to_pylist(), result.evidence.column("uid_b").to_pylist(), strict=True)
    return {(min(place[a], place[b]), max(place[a], place[b])) for a, b in pairs}, result.facts["pairs"]


def seconds_of_ours(texts: list[str]) -> float:
    empty = pa.array([""] * len(texts))
    rows = dataset_of(source_table(pa.array(texts), empty, empty, {}))
    started = time.process_time()
    near_dedup(rows, threshold=THRESHOLD, ngram=NGRAM, num_perm=NUM_PERM, merge_across_labels=False)
    return time.process_time() - started


def seconds_of_datasketch(texts: list[str], *, bulk: bool) -> float:
    from datasketch import MinHash, MinHashLSH

    started = time.process_time()
    if bulk:
        sketches = list(MinHash.bulk(([shingle.encode() for shingle in shingles(text)] for text in texts), num_perm=NUM_PERM))
    else:
        sketches = [MinHash(num_perm=NUM_PERM) for _ in texts]
        for sketch, text in zip(sketches, texts, strict=True):
            for shingle in shingles(text):
                sketch.update(shingle.encode())
    lsh = MinHashLSH(threshold=THRESHOLD, num_perm=NUM_PERM)
    for at, sketch in enumerate(sketches):
        lsh.insert(at, sketch, check_duplication=False)
    for sketch in sketches:
        lsh.query(sketch)
    return time.process_time() - started


def brute_force(texts: list[str]) -> set[tuple[int, int]]:
    """Every pair at the threshold or above: shared shingles counted through an inverted index."""
    sets, holders, found = [shingles(text) for text in texts], defaultdict(list), set()
    for at, mine in enumerate(sets):
        shared: defaultdict[int, int] = defaultdict(int)
        for shingle in mine:
            for other in holders[shingle]:
                shared[other] += 1
            holders[shingle].append(at)
        found |= {(other, at) for other, n in shared.items() if n / (len(mine) + len(sets[other]) - n) >= THRESHOLD}
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int)
    asked = parser.parse_args()
    if asked.memory:
        texts = made_texts(asked.memory)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = seconds_of_ours(texts)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"{asked.memory:,} rows: {seconds:.1f} s, peak {after / 2**20:.2f} GiB, of which {before / 2**20:.2f} before it began")
        return
    texts = made_texts(5000, seed=1)
    true, (found, n_pairs) = brute_force(texts), ours(texts)
    print(f"5,000 rows, {len(true)} pairs: recall {n_pairs / len(true):.4f}, precision {len(found & true) / len(found):.4f}")
    texts = made_texts(asked.rows)
    seconds_of_ours(texts[:1000])
    times = [
        (seconds_of_ours(texts), seconds_of_datasketch(texts, bulk=False), seconds_of_datasketch(texts, bulk=True))
        for _ in range(asked.repeats)
    ]
    mine, plain, bulk = (median(side) for side in zip(*times, strict=True))
    print(f"{asked.rows:,} rows: near_dedup {mine:.2f} s ({asked.rows / mine:,.0f} rows/s)")
    print(f"datasketch {plain:.2f} s (x{plain / mine:.1f}), with its bulk call {bulk:.2f} s (x{bulk / mine:.1f})")


if __name__ == "__main__":
    main()
