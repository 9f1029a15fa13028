"""Small studies on disk with planted truths, for what is said about the evidence of a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from prepsweep.compare.contrasts import Contrast, contrasts
from prepsweep.compare.records import Study, read_studies
from prepsweep.metrics import scores

CLASSES = ["fresh", "rotten", "plot"]
Chances = NDArray[np.floating[Any]]


class Rows:
    """Test rows that every run of a study shares: labels, lengths, and how hard each is for every model."""

    def __init__(self, n_rows: int, *, seed: int = 0) -> None:
        rng = np.random.default_rng([seed, 1])
        self.labels = rng.integers(0, len(CLASSES), n_rows)
        self.lengths = rng.integers(3, 41, n_rows)
        self.hard = rng.normal(0, 0.1, n_rows)
        self.uids = [f"{seed:04x}{number:020x}" for number in range(n_rows)]


def write_run(folder: Path, rows: Rows, *, choices: Mapping[str, str], seed: int, p_right: Chances | float, **said: Any) -> Path:
    """A finished run: each row is right with its `p_right`. `said` replaces top parts of the record by their keys."""
    rng = np.random.default_rng([seed, *"".join(choices.values()).encode()])
    is_right = rng.random(len(rows.labels)) < np.clip(p_right + rows.hard, 0, 1)
    wrong = (rows.labels + rng.integers(1, len(CLASSES), len(rows.labels))) % len(CLASSES)
    return write_predictions(folder, rows, np.where(is_right, rows.labels, wrong), choices=choices, seed=seed, **said)


def write_predictions(
    folder: Path, rows: Rows, predictions: NDArray[np.int64], *, choices: Mapping[str, str], seed: int, **said: Any
) -> Path:
    """A finished run that predicts these classes."""
    run_dir = folder / f"{'-'.join(choices.values())}-{seed}"
    run_dir.mkdir(parents=True)
    names = np.array(CLASSES)
    columns = {"uid": rows.uids, "label": names[rows.labels], "prediction": names[predictions], "length": rows.lengths}
    # In an order of its own, as runs of other truncation may have.
    order = np.random.default_rng(seed).permutation(len(predictions))
    pq.write_table(pa.table(columns).take(order), run_dir / "predictions.parquet")
    record: dict[str, Any] = {
        "schema_version": 1,
        "run_id": run_dir.name,
        "status": "finished",
        "error": None,
        "choices": {**choices, "model": "minilm"},
        "overrides": [f"{group}={choice}" for group, choice in choices.items()] + [f"seed={seed}"],
        "seeds": {"split": 0, "data": seed, "model": seed},
        "data": {"classes": CLASSES, "stages": [], "source": {"content_hash": "0" * 64}},
        "metrics": {"test": scores(rows.labels, predictions, classes=CLASSES, loss=0.5), "val_curve": curve([0.7, 0.7])},
        "budget": {"kind": choices.get("budget", "equal_steps"), "steps": 100, "examples_seen": 1600},
        "cost": {"prepare_seconds": 1.0, "train_seconds": 10.0},
    }
    for part, values in said.items():
        record[part] = {**record[part], **values}
    (run_dir / "run.json").write_text(json.dumps(record))
    return run_dir


def curve(values: Sequence[float], *, every: int = 25) -> list[dict[str, float]]:
    """A learning curve with these scores, one every so many steps."""
    return [{"step": every * number, "macro_f1": value, "accuracy": value, "loss": 0.5} for number, value in enumerate(values, start=1)]


def two_arms(folder: Path, rows: Rows, *, n_seeds: int, p_none: Chances | float, p_eda: Chances | float) -> Study:
    """`augment=none` and `augment=eda` over seeds."""
    for choice, p_right in (("none", p_none), ("eda", p_eda)):
        for seed in range(n_seeds):
            write_run(folder, rows, choices={"augment": choice}, seed=seed, p_right=p_right)
    return read_studies([folder])


def only_contrast(study: Study, *, metric: str = "macro_f1") -> Contrast:
    (contrast,) = contrasts(study, metric=metric, delta=0.01, baselines={})
    return contrast


def write_arms(folder: Path, arms: Mapping[str, Callable[[int], Mapping[str, Any]]], *, n_seeds: int = 5) -> Study:
    """Arms of `augment` on 100 rows of which 70% are right, whatever the arm; a function of the seed says what else is recorded."""
    for choice, said in arms.items():
        for seed in range(n_seeds):
            write_run(folder, Rows(100), choices={"augment": choice}, seed=seed, p_right=0.7, **said(seed))
    return read_studies([folder])
