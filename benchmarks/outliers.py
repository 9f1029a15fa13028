"""How many of planted outliers `refine=outliers` finds, and how much of what it finds is planted.

    python benchmarks/outliers.py [--rows 3000] [--planted 0.02] [--seeds 3] [--max-z 2 2.5 3.5] [--others FILE.csv:COLUMN] [OVERRIDE ...]

Rows come from the data set that the overrides name (film reviews, or say `data=csv data.path=trec.csv`), every one counted as
belonging there, which is true of no data set: precision is a lower bound. Among them are put texts of `--others`, of another data set;
mojibake (UTF-8 read as Windows-1252, of a text of another script); words of the rows in random order and number; and
sentences made here about other things than films. Each gets a class of the rows at random, and each kind is tried alone.
Texts are embedded once for all.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from label_noise import remember_vectors, rows_of_source
from prepsweep.lineage import dataset_of
from prepsweep.preflight.compose import compose_runs
from prepsweep.refine.outliers import outliers
from prepsweep.schema import source_table

FOREIGN = "очень хороший фильм скучно но красиво ужасно затянуто глупо актёры смешная история 很好看 我喜欢 故事太长 演员不错 音乐 结局"
SUBJECTS = "the router; my invoice; this recipe; the tax office; our server; the goalkeeper; a quadratic equation; the vaccine; their chain"
VERBS = "needs; has lost; should be given; never got; will be sent; was charged for; cannot handle"
OBJECTS = "a new firmware; three eggs; the second half; a refund within 14 days; more memory; two real roots; a booster; some oil"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--planted", type=float, default=0.02)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-z", type=float, nargs="+", default=[2.0, 2.5, 3.5])
    parser.add_argument("--others", help="texts of another data set: a CSV file and the name of its column of texts")
    parser.add_argument("overrides", nargs="*")
    asked = parser.parse_intermixed_args()
    texts, labels, _ = rows_of_source(asked.rows, asked.overrides)
    options = compose_runs(["refine=outliers", "refine.outliers.action=report"], multirun=False)[0].refine.outliers
    arguments = {name: value for name, value in options.items() if not name.startswith("_")}
    remember_vectors()
    kinds: dict[str, Callable[[np.random.Generator], str]] = {"other subjects": other_subject, "mojibake": mojibake}
    kinds["shuffled words"] = lambda rng: shuffled_words(texts, rng)
    if asked.others:
        others = read_texts(*asked.others.rsplit(":", 1))
        kinds["other data set"] = lambda rng: others[rng.integers(len(others))]
    print(f"{len(texts)} rows, {len(set(labels.tolist()))} classes, {asked.planted:.0%} planted, means of {asked.seeds} seeds\n")
    print("| planted | max_z | found | precision | recall |\n|---|---|---|---|---|")
    for kind, make in kinds.items():
        for max_z in asked.max_z:
            changed = arguments | {"max_z": max_z}
            scores = [
                one(texts, labels.tolist(), changed, make, n_planted=round(asked.planted * len(texts)), seed=s) for s in range(asked.seeds)
            ]
            n_found, precision, recall = np.mean(scores, axis=0)
            print(f"| {kind} | {max_z} | {n_found:.0f} | {precision:.2f} | {recall:.2f} |", flush=True)


def other_subject(rng: np.random.Generator) -> str:
    return " ".join(str(rng.choice(parts.split("; "))) for parts in (SUBJECTS, VERBS, OBJECTS)).capitalize() + "."


def mojibake(rng: np.random.Generator) -> str:
    parts = rng.permutation(FOREIGN.split())[: rng.integers(4, 12)]
    return " ".join(parts).encode().decode("cp1252", errors="replace")


def shuffled_words(texts: list[str], rng: np.random.Generator) -> str:
    drawn = [texts[row].split() for row in rng.integers(len(texts), size=20)]
    return " ".join(str(rng.choice(words)) for words in drawn[: rng.integers(5, 21)] if words)


def read_texts(path: str, column: str) -> list[str]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return [row[column] for row in csv.DictReader(file)]


def one(
    texts: list[str], labels: list[str], arguments: dict[str, Any], make: Callable[[np.random.Generator], str], *, n_planted: int, seed: int
) -> tuple[float, float, float]:
    """Rows found, precision and recall."""
    rng = np.random.default_rng(seed)
    planted = [make(rng) for _ in range(n_planted)]
    given = labels + rng.choice(labels, n_planted).tolist()
    rows = dataset_of(source_table(pa.array(texts + planted), pa.array(given), pa.repeat(pa.scalar("train"), len(given)), {}))
    result = outliers(rows, **arguments)
    assert result.evidence is not None
    found, wanted = set(result.evidence.column("uid").to_pylist()), set(rows["uid"][len(texts) :])
    hits = len(found & wanted)
    return len(found), hits / max(1, len(found)), hits / n_planted


if __name__ == "__main__":
    main()
