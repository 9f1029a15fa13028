"""The same run twice, each in a fresh process with a cache of its own: do both give the same bytes?"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from itertools import zip_longest
from pathlib import Path
from typing import Any

from prepsweep.fingerprints import hash_file
from prepsweep.launch.fresh import LOSSES_FILE, run_apart
from prepsweep.progress import track
from prepsweep.record import PREDICTIONS_FILE, read_record

CHECK_DETERMINISM = "--check-determinism"
_STEP = "the loss of step"
_SUMS = " (sums on several threads or on a GPU can come out differently: try OMP_NUM_THREADS=1, or trainer=cpu)"


def is_deterministic(config: dict[str, Any]) -> bool:
    """Whether two runs of a checked configuration agree; says so in one line, or names the first thing in which they differ.

    The two share what is given (files, models, recorded replies of endpoints) and nothing that is made. Sets of strings
    come in another order in the second, as they do in every process that is not told its PYTHONHASHSEED.
    """
    made: list[dict[str, Any]] = []
    for number in track((1, 2), "the same run twice"):
        with tempfile.TemporaryDirectory(prefix="prepsweep-") as folder:
            run_dir = Path(folder) / "run"
            run_dir.mkdir()
            own = {"paths": config["paths"] | {"cache_dir": str(Path(folder) / "cache")}, "logger": {}}
            told = {"PYTHONHASHSEED": str(number)}
            run_apart(run_dir, config | own, choices={}, overrides=[], environment=told, keep_losses=True)
            record = read_record(run_dir)
            if record is None or record["status"] != "finished":
                _say_failed(run_dir, record)
                return False
            made.append(results(run_dir, record))
    differs = first_difference(*made)
    if differs is None:
        n_steps = sum(name.startswith(_STEP) for name in made[0])
        print(f"deterministic: rows of all stages, {n_steps} losses, weights, predictions and scores are the same in two runs")
        return True
    print(f"not deterministic: two runs differ first in {differs}{_SUMS if differs.startswith(_STEP) else ''}")
    return False


def results(run_dir: Path, record: dict[str, Any]) -> dict[str, Any]:
    """What a run made, by name, in the order in which it came about."""
    made: dict[str, Any] = {}
    for stage in record["data"]["stages"]:
        at = f"{stage['split']} rows after" if stage["split"] else "the rows after"
        made[f"{at} {stage['group']}={stage['name']}"] = {"content": stage["content"], "dropped": stage["dropped"]}
    losses = json.loads((run_dir / LOSSES_FILE).read_bytes())
    made |= {f"{_STEP} {step}": loss for step, loss in enumerate(losses, start=1)}
    files = sorted(file for file in (run_dir / "model").rglob("*") if file.is_file())
    made |= {str(file.relative_to(run_dir)): hash_file(file) for file in (*files, run_dir / PREDICTIONS_FILE)}
    return made | {f"the scores on {split}": record["metrics"][split] for split in ("val", "test")}


def first_difference(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    """The name of the first thing that is not the same in both, or that one of them lacks."""
    for (name, value), (other_name, other_value) in zip_longest(one.items(), other.items(), fillvalue=("", None)):
        if (name, value) != (other_name, other_value):
            return name or other_name
    return None


def _say_failed(run_dir: Path, record: dict[str, Any] | None) -> None:
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        print((run_dir / "train.log").read_text(encoding="utf-8", errors="replace"), file=sys.stderr)
    error = record["error"] if record else None
    print(f"error: {CHECK_DETERMINISM}: a run did not finish: {error['message'] if error else 'no record'}", file=sys.stderr)
