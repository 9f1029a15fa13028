"""Whole records of runs that were never trained: as complete as `run.schema.json` asks, with effects that are planted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CLASSES = ("fresh", "plot", "rotten")
SHARES = (0.53, 0.13, 0.34)
# Points of chance to be right that a choice adds, and what it does to the train rows.
EFFECTS = {"backtranslate": 0.06, "synonym": 0.004, "eda": -0.05, "duplicate": 0.0, "oversample": 0.012}
GROWTH = {"backtranslate": 1.0, "synonym": 1.0, "eda": 1.0, "duplicate": 1.0, "oversample": 0.4}


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
    """Every choice with every seed below `folder`, which is returned."""
    rng = np.random.default_rng(0)
    shares = np.array(SHARES if len(classes) == len(SHARES) else [1 / len(classes)] * len(classes))
    labels = rng.choice(len(classes), size=n_rows, p=shares)
    hard = rng.normal(0, 0.16, n_rows) - 0.1 * (labels == 1)
    uids = [f"{number:024x}" for number in range(n_rows)]
    for number, (one, other, seed) in enumerate(product(augment, balance, range(n_seeds))):
        p_right = 0.76 + effects.get(one, 0.0) + effects.get(other, 0.0) + 0.02 * (one == "backtranslate" and other == "oversample")
        drawn = np.random.default_rng([seed, number // n_seeds])
        p = np.clip(p_right + hard + drawn.normal(0, 0.012), 0.02, 0.98)
        # Seeds share most of their luck, as runs of one model do.
        right = np.where(drawn.random(n_rows) < 0.6, np.random.default_rng([seed, 99]).random(n_rows), drawn.random(n_rows)) < p
        predictions = np.where(right, labels, (labels + 1 + (drawn.random(n_rows) < 0.3)) % len(classes))
        write_run(
            folder / f"{number:012x}",
            classes=list(classes),
            uids=uids,
            labels=labels,
            predictions=predictions,
            choices=(one, other),
            seed=seed,
        )
    return folder


def write_run(
    run_dir: Path,
    *,
    classes: list[str],
    uids: list[str],
    labels: np.ndarray[Any, Any],
    predictions: np.ndarray[Any, Any],
    choices: tuple[str, str],
    seed: int,
) -> None:
    """`run.json` and `predictions.parquet` of one run."""
    run_dir.mkdir(parents=True)
    names = np.array(classes, dtype=object)
    columns = {"uid": uids, "label": names[labels].tolist(), "prediction": names[predictions].tolist()}
    pq.write_table(pa.table(columns), run_dir / "predictions.parquet")
    (run_dir / "run.json").write_text(json.dumps(record_of(run_dir, classes, labels, predictions, choices, seed)), encoding="utf-8")


def record_of(
    run_dir: Path, classes: list[str], labels: np.ndarray[Any, Any], predictions: np.ndarray[Any, Any], choices: tuple[str, str], seed: int
) -> dict[str, Any]:
    augment, balance = choices
    test, val = scores(classes, labels, predictions), scores(classes, labels[::2], predictions[::2])
    n = len(classes)
    counts = {name: [int(share * 2400 / n) for share in (0.7, 0.1, 0.2)] for name in classes}
    stages = [
        stage("csv", "data", "all", {name: (sum(cell) + 12, 0, sum(cell) + 12) for name, cell in counts.items()}),
        stage("exact_dedup", "clean", "all", {name: (sum(cell) + 12, 0, sum(cell)) for name, cell in counts.items()}, "exact_duplicate"),
        split_stage(counts),
    ]
    rows = {name: cell[0] for name, cell in counts.items()}
    for group, name in (("augment", augment), ("balance", balance)):
        if name in GROWTH:
            added = {label: int(n_rows * GROWTH[name]) for label, n_rows in rows.items()}
            lost = {label: int(0.08 * more) if group == "augment" else 0 for label, more in added.items()}
            cells = {label: (rows[label], added[label], rows[label] + added[label] - lost[label]) for label in rows}
            stages.append(stage(name, group, "train", cells, "unchanged"))
            rows = {label: cell[2] for label, cell in cells.items()}
    seconds = 3.0 + 40.0 * (augment == "backtranslate") + 2.0 * (augment != "none")
    overrides = [
        "data=csv",
        "data.path=reviews.csv",
        f"augment={augment}",
        f"balance={balance}",
        f"seed={seed}",
        f"study={run_dir.parent.name}",
    ]
    return {
        "schema_version": 1,
        "run_id": run_dir.name,
        "study": run_dir.parent.name,
        "status": "finished",
        "error": None,
        "choices": {
            "data": "csv",
            "clean": ["exact_dedup"],
            "annotate": "none",
            "split": "stratified",
            "refine": "none",
            "augment": augment,
            "task": "text_classification",
            "balance": balance,
            "preprocess": "tokenize",
            "model": "minilm",
            "budget": "equal_steps",
            "trainer": "auto",
            "logger": "none",
        },
        "overrides": overrides,
        "seeds": {"split": 0, "data": seed, "model": seed},
        "config": {
            "paths": {"cache_dir": str(run_dir.parent / "cache")},
            "data": {"path": "reviews.csv"},
            "budget": {"kind": "equal_steps"},
        },
        "data": {
            "source": {"kind": "csv", "path": "reviews.csv", "content_hash": "0" * 64, "given_splits": []},
            "classes": classes,
            "stages": stages,
            "splits": {
                "train": {"rows": sum(rows.values()), "per_class": rows, "content_hash": "1" * 64},
                "dev": split_facts({name: cell[1] for name, cell in counts.items()}),
                "test": split_facts({name: int((labels == place).sum()) for place, name in enumerate(classes)}),
            },
            "leaks": [],
        },
        "metrics": {"val": val, "test": test, "val_curve": curve(val, seed)},
        "budget": {
            "kind": "equal_steps",
            "epochs": 4,
            "steps": 210,
            "examples_seen": 6720,
            "tokens_seen": 230_000,
            "real_token_fraction": 0.95,
        },
        "cost": {
            "prepare_seconds": seconds,
            "train_seconds": 61.0 + seed + 2.0 * (balance == "oversample"),
            "validate_seconds": 4.0,
            "test_seconds": 1.5,
            "peak_rss_mb": 1450.0,
            "device": "cpu",
            "n_devices": 1,
            "precision": "32-true",
            "gpu_peak_mb": None,
        },
        "environment": {"python": "3.11.7", "versions": {}, "git_revision": None, "host": {}},
        "started": f"2026-11-24T07:{seed:02}:18.965+00:00",
        "finished": f"2026-11-24T08:{seed:02}:23.814+00:00",
    }


def scores(classes: list[str], labels: np.ndarray[Any, Any], predictions: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The scores of a split, as the record has them."""
    n = len(classes)
    confusion = np.bincount(labels * n + predictions, minlength=n * n).reshape(n, n)
    hit, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    f1 = 2 * hit / np.maximum(support + predicted, 1)
    per_class = {
        name: {
            "precision": float(hit[i] / max(predicted[i], 1)),
            "recall": float(hit[i] / max(support[i], 1)),
            "f1": float(f1[i]),
            "support": int(support[i]),
        }
        for i, name in enumerate(classes)
    }
    accuracy = float(hit.sum() / len(labels))
    weighted = float((f1 * support).sum() / len(labels))
    found = {"accuracy": accuracy, "macro_f1": float(f1.mean()), "weighted_f1": weighted, "loss": 1.1 - accuracy}
    return found | {"per_class": per_class, "confusion": confusion.tolist()}


def curve(val: Mapping[str, Any], seed: int) -> list[dict[str, Any]]:
    """Dev scores that rise and settle."""
    drawn = np.random.default_rng(seed)
    found = []
    for place in range(8):
        share = 1 - float(np.exp(-0.75 * (place + 1)))
        wobble = float(drawn.normal(0, 0.004))
        point = {name: min(1.0, max(0.0, 0.3 + (val[name] - 0.3) * share + wobble)) for name in ("accuracy", "macro_f1", "weighted_f1")}
        found.append({"step": (place + 1) * 26, "loss": 1.1 - point["accuracy"], **point})
    return found


def stage(name: str, group: str, split: str, cells: Mapping[str, tuple[int, int, int]], reason: str = "") -> dict[str, Any]:
    """A stage of the ledger from (rows in, added, out) of each class; what is missing was dropped for `reason`."""
    per_class = {}
    for label, (n_in, added, out) in cells.items():
        lost = n_in + added - out
        per_class[label] = {"rows_in": n_in, "rows_added": added, "rows_out": out, "dropped": {reason: lost} if lost else {}}
    total = {key: sum(cell[key] for cell in per_class.values()) for key in ("rows_in", "rows_added", "rows_out")}
    lost = total["rows_in"] + total["rows_added"] - total["rows_out"]
    return {
        "name": name,
        "group": group,
        "key": "2" * 64,
        "cached": False,
        "seconds": 1.0,
        "split": None if split == "all" else split,
        **total,
        "dropped": {reason: lost} if lost else {},
        "reported": {},
        "per_class": {split: per_class},
        "rows_per_split": {split: total["rows_out"]},
        "content": {split: "3" * 64},
    }


def split_stage(counts: Mapping[str, list[int]]) -> dict[str, Any]:
    """All rows go, and come again as train, dev and test."""
    made = stage("stratified", "split", "all", {name: (sum(cell), 0, sum(cell)) for name, cell in counts.items()})
    made["per_class"] = {
        "all": {name: {"rows_in": sum(cell), "rows_added": 0, "rows_out": 0, "dropped": {}} for name, cell in counts.items()}
    }
    made["rows_per_split"] = {split: sum(cell[place] for cell in counts.values()) for place, split in enumerate(("train", "dev", "test"))}
    for place, split in enumerate(("train", "dev", "test")):
        made["per_class"][split] = {
            name: {"rows_in": 0, "rows_added": cell[place], "rows_out": cell[place], "dropped": {}} for name, cell in counts.items()
        }
    return made


def split_facts(per_class: Mapping[str, int]) -> dict[str, Any]:
    return {"rows": sum(per_class.values()), "per_class": dict(per_class), "content_hash": "4" * 64}


def fail(run_dir: Path, kind: str, message: str) -> None:
    """The run as one that failed."""
    file = run_dir / "run.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(record | {"status": "failed", "error": {"type": kind, "message": message}}))
