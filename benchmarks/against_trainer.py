"""The same fine-tuning by prepsweep and by a plain Hugging Face Trainer script, in turn, on the same rows, epochs and cores.

    python benchmarks/against_trainer.py [--rounds 3] [--best] [--out benchmarks/against_trainer.json] [OVERRIDE ...]

The rows are those that `python train.py OVERRIDE ...` trains on, written out once as Parquet files. Each round starts both
sides as new processes with empty caches; the table holds medians.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ("examples_per_second", "evaluated_per_second", "macro_f1", "whole_run_seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--best", action="store_true", help="the Trainer with batches by length and, where it pays, bfloat16")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("overrides", nargs="*")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_rows(work, asked.overrides)
        rounds: dict[str, list[dict[str, float]]] = {"prepsweep": [], "trainer": []}
        for number in range(asked.rounds):
            rounds["prepsweep"].append(prepsweep(work / f"ours{number}", work, epochs=asked.epochs))
            rounds["trainer"].append(trainer(work / f"theirs{number}.json", work, epochs=asked.epochs, best=asked.best))
            print(f"round {number + 1}: {rounds['prepsweep'][-1]} {rounds['trainer'][-1]}", flush=True)
    show(rounds)
    if asked.out:
        asked.out.write_text(json.dumps(rounds, indent=1) + "\n")


def write_rows(folder: Path, overrides: list[str]) -> None:
    """The prepared rows as `rows.parquet` for the Trainer script and as one file a split for prepsweep."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from prepsweep.cache import Cache
    from prepsweep.lineage import table_of
    from prepsweep.pipeline import prepare
    from prepsweep.preflight.compose import compose_runs
    from prepsweep.preflight.resolvers import register_resolvers

    register_resolvers()
    (cfg,) = compose_runs([*overrides, "~preprocess.tokenize"], multirun=False)
    prepared = prepare(cfg, Cache(Path(cfg.paths.cache_dir)))
    tables = []
    for split, rows in prepared.tokens.items():
        table = table_of(rows).select(["text", "label"]).append_column("split", pa.array([split] * len(rows)))
        pq.write_table(table, folder / f"{split}.parquet")
        tables.append(table)
    pq.write_table(pa.concat_tables(tables), folder / "rows.parquet")


def prepsweep(out: Path, rows: Path, *, epochs: int) -> dict[str, float]:
    """One run of this package on the rows as they are."""
    files = [f"data.{name}={rows / split}.parquet" for name, split in (("path", "train"), ("dev_path", "dev"), ("test_path", "test"))]
    command = [sys.executable, "train.py", "data=parquet", *files, "clean=none", "split=predefined", "budget=epochs"]
    command += [f"budget.epochs={epochs}", "logger=none", f"paths.output_dir={out.parent}"]
    command += [f"hydra.run.dir={out}", f"paths.cache_dir={out}-cache"]
    seconds = timed(command)
    record = json.loads((out / "run.json").read_text())
    cost, test = record["cost"], record["metrics"]["test"]
    return {
        "examples_per_second": record["budget"]["examples_seen"] / (cost["train_seconds"] - cost["validate_seconds"]),
        "evaluated_per_second": record["data"]["splits"]["test"]["rows"] / cost["test_seconds"],
        "macro_f1": test["macro_f1"],
        "whole_run_seconds": seconds,
    }


def trainer(out: Path, rows: Path, *, epochs: int, best: bool) -> dict[str, float]:
    """One run of `hf_trainer.py`."""
    command = [sys.executable, "benchmarks/hf_trainer.py", str(rows / "rows.parquet"), str(out), f"--epochs={epochs}"]
    seconds = timed(command + ["--best"] * best)
    result: dict[str, float] = json.loads(out.read_text())
    return result | {"whole_run_seconds": seconds}


def timed(command: list[str]) -> float:
    """Wall time of a command in seconds, from start to exit."""
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def show(rounds: dict[str, list[dict[str, float]]]) -> None:
    """Medians of both sides and the ratio prepsweep to Trainer."""
    print(f"{'':24}{'prepsweep':>12}{'Trainer':>12}{'ratio':>8}")
    for figure in FIGURES:
        ours, theirs = (median(one[figure] for one in rounds[side]) for side in ("prepsweep", "trainer"))
        print(f"{figure:24}{ours:12.3f}{theirs:12.3f}{ours / theirs:8.2f}")


if __name__ == "__main__":
    main()
