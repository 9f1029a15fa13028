"""What a sweep of many tiny runs costs beside the runs themselves: planning, memory, open files, and seconds a run.

    python benchmarks/many_runs.py --runs 1000
    python benchmarks/many_runs.py --runs 24 --slots 1 --logger wandb

The model has two layers of 16 and a run takes one step, so nearly all of its time is overhead: the wall time of the sweep by its
slots and runs, less the training and testing that the runs recorded. W&B stays offline.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

from against_trainer import ROOT, timed
from predict import WORDS, make_model

ARMS = ("augment=none,duplicate", "balance=none,oversample,undersample,class_weights,focal")
PLAN = "hydra.launcher.plan_only=true"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--logger", choices=["none", "wandb"], default="none")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make_model(work / "model", 16)
        make_rows(work / "rows.csv")
        command = [sys.executable, "train.py", "-m", "data=csv", f"data.path={work}/rows.csv", f"model.name={work}/model"]
        command += ["budget=steps", "budget.steps=1", f"logger={asked.logger}", "study=many"]
        command += [f"hydra.launcher.n_slots={asked.slots}", f"paths.multirun_dir={work}"]
        arms = [*command, *ARMS, f"seed=range({asked.runs // 10})", f"paths.cache_dir={work}/cache of arms", PLAN]
        print(f"plan of ten arms by seeds: {timed(arms):.1f} s, again {timed(arms):.1f} s", flush=True)
        command += [f"seed=range({asked.runs})", f"paths.cache_dir={work}/cache"]
        print(f"plan of seeds alone, a split for each run: {timed([*command, PLAN]):.1f} s", flush=True)
        seconds, memory, files = watched(command)
        costs = [json.loads(file.read_text())["cost"] for file in (work / "many").glob("*/run.json")]
        own = median(cost["train_seconds"] + cost["test_seconds"] for cost in costs)
        prepared = median(cost["prepare_seconds"] for cost in costs)
        print(f"{len(costs)} runs in {seconds:.0f} s, {seconds * asked.slots / len(costs):.2f} s a run and slot")
        print(f"of a run: {own:.2f} s training and testing, {prepared:.2f} s preparing, medians")
        print(f"parent: at most {max(memory):.0f} MB; open files {files[0]} at first, {max(files)} at most, {files[-1]} at last")
        print(f"second start: {timed(command):.1f} s")


def make_rows(path: Path) -> None:
    """60 rows of two classes that no two runs split alike."""
    rng = random.Random(0)
    lines = [f"{' '.join(rng.choices(WORDS, k=8))},{'ab'[n % 2]}" for n in range(60)]
    path.write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")


def watched(command: list[str]) -> tuple[float, list[float], list[int]]:
    """Wall seconds of a command, and twice a second the resident MB and the open files of its own process."""
    started, memory, files = time.perf_counter(), [0.0], [0]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        parent = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                memory.append(parent.memory_info().rss / 2**20)
                files.append(parent.num_fds())
            except psutil.NoSuchProcess:
                break
            time.sleep(0.5)
    if process.returncode:
        raise SystemExit(process.returncode)
    return time.perf_counter() - started, memory, [count for count in files if count]


if __name__ == "__main__":
    main()
