"""Studies on disk with planted truths: records of runs that were never trained, and the test rows that they share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from prepsweep.compare.contrasts import Contrast, contrasts
from prepsweep.compare.records import Study, read_studies

from .made_records import record_of, settling_curve

CLASSES = ["fresh", "rotten", "plot"]
# Points of chance to be right that a choice adds.
EFFECTS = {"backtranslate": 0.06, "synonym": 0.004, "eda": -0.05, "duplicate": 0.0, "oversample": 0.03}
Chances = NDArray[np.floating[Any]]


class Rows:
    """Test rows that every run of a study shares: labels, lengths, and how hard each is for every model."""

    def __init__(self, n_rows: int, *, seed: int = 0, classes: Sequence[str] = CLASSES, shares: Sequence[float] | None = None) -> None:
        rng = np.random.default_rng([seed, 1])
        self.classes = list(classes)
        self.labels = rng.integers(0, len(classes), n_rows) if shares is None else rng.choice(len(classes), n_rows, p=shares)
        self.lengths = rng.integers(3, 41, n_rows)
        self.hard = rng.normal(0, 0.1, n_rows)
        self.uids = [f"{seed:04x}{number:020x}" for number in range(n_rows)]


def write_run(folder: Path, rows: Rows, *, choices: Mapping[str, str], seed: int, p_right: Chances | float, **said: Any) -> Path:
    """A finished run: each row is right with its `p_right`. `said` replaces top parts of the record by their keys."""
    rng = np.random.default_rng([seed, *"".join(choices.values()).encode()])
    is_right = rng.random(len(rows.labels)) < np.clip(p_right + rows.hard, 0, 1)
    wrong = (rows.labels + rng.integers(1, len(rows.classes), len(rows.labels))) % len(rows.classes)
    return write_predictions(folder, rows, np.where(is_right, rows.labels, wrong), choices=choices, seed=seed, **said)


def write_predictions(
    folder: Path, rows: Rows, predictions: NDArray[np.int64], *, choices: Mapping[str, str], seed: int, name: str = "", **said: Any
) -> Path:
    """A finished run that predicts these classes, in the folder `name` or one named by its choices."""
    run_dir = folder / (name or f"{'-'.join(choices.values())}-{seed}")
    run_dir.mkdir(parents=True)
    names = np.array(rows.classes, dtype=object)
    columns = {"uid": rows.uids, "label": names[rows.labels], "prediction": names[predictions], "length": rows.lengths}
    # In an order of its own, as runs of other truncation may have.
    order = np.random.default_rng(seed).permutation(len(predictions))
    pq.write_table(pa.table(columns).take(order), run_dir / "predictions.parquet")
    record = record_of(run_dir, rows.labels, predictions, classes=rows.classes, choices=choices, seed=seed, said=said)
    (run_dir / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return run_dir


def make_study(
    folder: Path,
    *,
    augment: Sequence[str] = ("none", "backtranslate", "synonym", "eda"),
    balance: Sequence[str] = ("none", "oversample"),
    n_seeds: int = 5,
    n_rows: int = 600,
    classes: Sequence[str] = CLASSES,
    effects: Mapping[str, float] = EFFECTS,
) -> Path:
    """Every choice with every seed below `folder`, which is returned: as a sweep leaves it, with stages, curves and costs."""
    rows = Rows(n_rows, classes=classes, shares=(0.53, 0.34, 0.13) if len(classes) == len(CLASSES) else None)
    hard = 1.6 * rows.hard - 0.1 * (rows.labels == len(CLASSES) - 1)
    for number, (one, other, seed) in enumerate(product(augment, balance, range(n_seeds))):
        p_right = 0.76 + effects.get(one, 0.0) + effects.get(other, 0.0) + 0.02 * (one == "backtranslate" and other == "oversample")
        drawn = np.random.default_rng([seed, number // n_seeds])
        p = np.clip(p_right + hard + drawn.normal(0, 0.012), 0.02, 0.98)
        # Seeds share most of their luck, as runs of one model do.
        right = np.where(drawn.random(n_rows) < 0.6, np.random.default_rng([seed, 99]).random(n_rows), drawn.random(n_rows)) < p
        predictions = np.where(right, rows.labels, (rows.labels + 1 + (drawn.random(n_rows) < 0.3)) % len(classes))
        choices = {"augment": one, "balance": other}
        seconds = {"prepare_seconds": 3.0 + 40.0 * (one == "backtranslate") + 2.0 * (one != "none")}
        seconds["train_seconds"] = 61.0 + seed + 2.0 * (other == "oversample")
        dev = {name: min(0.98, p_right) for name in ("accuracy", "macro_f1", "weighted_f1")}
        write_predictions(
            folder,
            rows,
            predictions,
            choices=choices,
            seed=seed,
            name=f"{number:012x}",
            metrics={"val_curve": settling_curve(dev, seed)},
            budget={"steps": 210},
            cost=seconds,
        )
    return folder


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


def fail(run_dir: Path, kind: str, message: str) -> None:
    """The run as one that failed."""
    file = run_dir / "run.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(record | {"status": "failed", "error": {"type": kind, "message": message}}))
