"""Time of an epoch of full fine-tuning, with four of six layers frozen and with all of them, in turn in one process.

    python benchmarks/frozen_prefix.py [--rounds 3] [--epochs 3] [--out benchmarks/frozen_prefix.json] [OVERRIDE ...]

Seconds of training alone, by the record of each run; `first` adds what computing the states took to the epoch. The cache
of states is empty when a round begins, and so the second run of a method in a round finds its states there. The last columns
are macro F1 on test, and the score where the frozen layers are computed in each epoch, in place of stored in float16.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from prepsweep import training
from prepsweep.cache import Cache
from prepsweep.pipeline import prepare
from prepsweep.preflight.compose import compose_runs
from prepsweep.preflight.resolvers import register_resolvers

METHODS = {"full": [], "4 of 6 frozen": ["method=last_layers", "method.n_layers=2"], "all frozen": ["model=minilm_probe"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("overrides", nargs="*")
    asked = parser.parse_args()
    register_resolvers()
    budget = ["logger=none", "budget=epochs", f"budget.epochs={asked.epochs}", "budget.evaluations=1"]
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in METHODS}
    for number in range(asked.rounds):
        with tempfile.TemporaryDirectory() as folder:
            for name, overrides in METHODS.items():
                rounds[name].append(measured([*overrides, *budget, *asked.overrides], Path(folder), epochs=asked.epochs))
                print(f"round {number + 1}, {name}: {rounds[name][-1]}", flush=True)
    show(rounds)
    if asked.out:
        asked.out.write_text(json.dumps(rounds, indent=1) + "\n")


def measured(overrides: list[str], folder: Path, *, epochs: int) -> dict[str, float]:
    """A run that makes its states, one that finds them and one that computes the frozen layers, on prepared rows."""
    (cfg,) = compose_runs(overrides, multirun=False)
    cache = Cache(folder / "cache")
    prepare(cfg, cache)
    first, later = (run(cfg, folder, cache) for _ in range(2))
    with patch.object(training, "read_states", lambda *_, **__: {}):
        computed = run(cfg, folder, cache)
    epoch, whole = (seconds(record) / epochs for record in (later, computed))
    return {
        "first": epoch + first["cost"].get("frozen_prefix", {"seconds": 0.0})["seconds"],
        "later": epoch,
        "computed": whole,
        "macro_f1": later["metrics"]["test"]["macro_f1"],
        "macro_f1_computed": computed["metrics"]["test"]["macro_f1"],
    }


def run(cfg: Any, folder: Path, cache: Cache) -> dict[str, Any]:
    """The record of a run."""
    with tempfile.TemporaryDirectory(dir=folder) as run_dir, contextlib.redirect_stdout(io.StringIO()):
        training.train(cfg, run_dir=run_dir, choices={}, cache=cache)
        record: dict[str, Any] = json.loads((Path(run_dir) / "run.json").read_text(encoding="utf-8"))
    return record


def seconds(record: dict[str, Any]) -> float:
    """Time of the steps, without the looks at dev."""
    return float(record["cost"]["train_seconds"] - record["cost"]["validate_seconds"])


def show(rounds: dict[str, list[dict[str, float]]]) -> None:
    """Medians, and how many times as fast as full fine-tuning an epoch is."""
    figures = ("first", "later", "computed", "macro_f1", "macro_f1_computed")
    full = median(one["later"] for one in rounds["full"])
    print(f"{'':16}" + "".join(f"{figure:>20}" for figure in (*figures, "times full")))
    for name, found in rounds.items():
        medians = {figure: median(one[figure] for one in found) for figure in figures}
        print(f"{name:16}" + "".join(f"{value:20.3f}" for value in (*medians.values(), full / medians["later"])))


if __name__ == "__main__":
    main()
