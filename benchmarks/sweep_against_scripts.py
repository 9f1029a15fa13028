"""A sweep of 4 augmentations, 2 balances and N seeds by prepsweep, and the same runs as separate Hugging Face Trainer scripts.

    python benchmarks/sweep_against_scripts.py [--seeds 3] [--rows 1000] [--epochs 2] [--out FILE.json]

Each script prepares its own rows with nothing cached and trains the same checkpoint for the same epochs, once with the Trainer's
default settings and once with its best (`hf_trainer.py`). Scripts share nothing, so their time is measured on the first seed and
multiplied; the sweep is run whole. Then the finished sweep is started a second time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from itertools import product
from pathlib import Path
from statistics import fmean

from against_trainer import timed

AUGMENT = ("none", "synonym", "eda", "backtranslate")
BALANCE = ("none", "oversample")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = sweep(Path(folder), seeds=asked.seeds, rows=asked.rows, epochs=asked.epochs)
        print("sweep:", result, flush=True)
        for name, best in (("default", False), ("best", True)):
            result[name] = scripts(Path(folder) / name, seeds=asked.seeds, rows=asked.rows, epochs=asked.epochs, best=best)
            share = result["seconds"] / result[name]["seconds"]
            print(f"scripts, {name}: {result[name]}; the sweep takes {share:.2f} of their time", flush=True)
    if asked.out:
        asked.out.write_text(json.dumps(result, indent=1) + "\n")


def sweep(folder: Path, *, seeds: int, rows: int, epochs: int) -> dict[str, object]:
    """Seconds of the sweep and of a second start, mean score, and how often each distinct stage was computed."""
    command = [sys.executable, "train.py", "-m", f"augment={','.join(AUGMENT)}", f"balance={','.join(BALANCE)}", f"seed=range({seeds})"]
    command += ["study=bench", "budget=epochs", f"budget.epochs={epochs}", f"data.limit={rows}", "logger=none"]
    command += [f"paths.cache_dir={folder}/cache", f"paths.multirun_dir={folder}"]
    first = timed(command)
    records = [json.loads(file.read_text()) for file in (folder / "bench").glob("*/run.json")]
    computed = Counter(stage["key"] for record in records for stage in record["data"]["stages"] if not stage["cached"])
    distinct = {stage["key"] for record in records for stage in record["data"]["stages"]}
    return {
        "runs": len(records),
        "seconds": first,
        "second_start_seconds": timed(command),
        "macro_f1": fmean(record["metrics"]["test"]["macro_f1"] for record in records),
        "distinct_stages": len(distinct),
        "stages_computed_more_than_once": sum(times > 1 for times in computed.values()),
    }


def scripts(folder: Path, *, seeds: int, rows: int, epochs: int, best: bool) -> dict[str, float]:
    """Seconds of all runs as scripts, and their mean score on the first seed."""
    scores, seconds = [], 0.0
    for augment, balance in product(AUGMENT, BALANCE):
        work = folder / f"{augment}-{balance}"
        work.mkdir(parents=True)
        command = [sys.executable, "benchmarks/hf_trainer.py", str(work / "rows.parquet"), str(work / "out.json"), f"--epochs={epochs}"]
        command += ["--best"] * best + ["--prepare", f"augment={augment}", f"balance={balance}", f"data.limit={rows}"]
        took = timed(command)
        print(f"augment={augment} balance={balance}: {took:.0f} s", flush=True)
        seconds += took
        scores.append(json.loads((work / "out.json").read_text())["macro_f1"])
    return {"seconds": seconds * seeds, "macro_f1": fmean(scores)}


if __name__ == "__main__":
    main()
