"""Seconds until a command is found sound, and what is alarmed about, for data sets in a folder and for many clean rows.

    python benchmarks/preflight.py DIR --largest 8 --rows 1000000

DIR holds a folder for each data set: train.csv or train.jsonl and, where they are given, dev and test beside it, with the
columns text and label, text and labels (several classes a text) or tokens and tags. The clean rows are made of 20,000
words as frequent as words are, 8 to 60 a text, three classes, a file of about 180 MB a million. Each command is `prepsweep doctor`
with an empty cache, imports included; a line of its standard error is an alarm, to be judged by who reads it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COMMAND = "import sys; from prepsweep.cli import main; sys.exit(main(sys.argv[1:]))"


def overrides_of(folder: Path) -> list[str] | None:
    """How the data set in `folder` is named on a command line; None where there is none."""
    train = next(iter(sorted(folder.glob("train.csv")) + sorted(folder.glob("train.jsonl"))), None)
    if train is None:
        return None
    with train.open(encoding="utf-8", newline="") as file:
        columns = next(csv.reader(file)) if train.suffix == ".csv" else list(json.loads(file.readline()))
    given = [f"data={train.suffix[1:]}", f"data.path={train}"]
    given += [f"data.{split}_path={file}" for split in ("dev", "test") if (file := train.with_stem(split)).exists()]
    if len(given) == 4:
        given.append("split=predefined")
    if "text" not in columns:
        return [*given, "task=token_classification", "data.text_column=tokens", "data.label_column=tags"]
    return [*given, "task=multi_label", "data.label_column=labels"] if "labels" in columns else given


def write_clean(path: Path, n_rows: int) -> None:
    """`n_rows` texts in which no class is told and none is there twice."""
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(20_000)])
    frequency = 1 / np.arange(2, len(words) + 2)
    with path.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        for label in np.array_split(rng.choice(["fresh", "rotten", "plot"], n_rows, p=[0.5, 0.4, 0.1]), max(1, n_rows // 10_000)):
            lengths = rng.integers(8, 60, len(label))
            texts = np.split(rng.choice(words, lengths.sum(), p=frequency / frequency.sum()), np.cumsum(lengths)[:-1])
            file.writelines(f"{' '.join(text)},{name}\n" for text, name in zip(texts, label.tolist(), strict=True))


def processor_seconds() -> float:
    """Of all processes that were started here and have ended: what a busy machine leaves as it is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def look(name: str, overrides: list[str]) -> None:
    with tempfile.TemporaryDirectory() as cache:
        started, before = time.perf_counter(), processor_seconds()
        command = [sys.executable, "-c", COMMAND, "doctor", *overrides]
        done = subprocess.run(command, env=os.environ | {"PREPSWEEP_CACHE_DIR": cache}, capture_output=True, text=True, check=False)
        seconds, computed = time.perf_counter() - started, processor_seconds() - before
    alarms = done.stderr.splitlines()
    told = f"{seconds:.1f} s, {computed:.1f} s of a processor, exit code {done.returncode}, {len(alarms)} alarms"
    print(f"{name}: {told}", *alarms, sep="\n    ", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", metavar="DIR")
    parser.add_argument("--largest", type=int, default=8, help="look at these many of the largest alone")
    parser.add_argument("--rows", type=int, default=1_000_000, help="clean rows to make; 0 for none")
    asked = parser.parse_args()
    folders = [] if asked.folder is None else sorted(path for path in asked.folder.iterdir() if path.is_dir())
    sets = {folder: given for folder in folders if (given := overrides_of(folder))}
    sizes = {folder: sum(Path(one.partition("=")[2]).stat().st_size for one in given if "path=" in one) for folder, given in sets.items()}
    for folder in sorted(sets, key=lambda folder: -sizes[folder])[: asked.largest]:
        look(folder.name, sets[folder])
    if asked.rows:
        with tempfile.TemporaryDirectory() as made:
            path = Path(made) / "clean.csv"
            write_clean(path, asked.rows)
            look(f"{asked.rows:,} clean rows, {path.stat().st_size / 1e6:,.0f} MB", ["data=csv", f"data.path={path}"])


if __name__ == "__main__":
    main()
