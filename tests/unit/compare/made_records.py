"""Whole records of runs that were never trained, as complete as `run.schema.json` asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prepsweep.metrics import scores

GROWTH = {"backtranslate": 1.0, "synonym": 1.0, "eda": 1.0, "duplicate": 1.0, "oversample": 0.4}


def record_of(
    run_dir: Path,
    labels: NDArray[np.int64],
    predictions: NDArray[np.int64],
    *,
    classes: Sequence[str],
    choices: Mapping[str, str],
    seed: int,
    said: Mapping[str, Any],
) -> dict[str, Any]:
    """The record of a run that did not improve and took 11 seconds; `said` replaces top parts by their keys."""
    test, val = (scores(labels[part], predictions[part], classes=classes, loss=0.5) for part in (slice(None), slice(None, None, 2)))
    budget = choices.get("budget", "equal_steps")
    overrides = ["data=csv", "data.path=reviews.csv", *(f"{group}={choice}" for group, choice in choices.items()), f"seed={seed}"]
    run = {"data": "csv", "clean": ["exact_dedup"], "annotate": "none", "split": "stratified", "refine": "none", "augment": "none"}
    run |= {"task": "text_classification", "balance": "none", "preprocess": "tokenize", "model": "minilm", "budget": "equal_steps"}
    record: dict[str, Any] = {
        "schema_version": 1,
        "run_id": run_dir.name,
        "study": run_dir.parent.name,
        "status": "finished",
        "error": None,
        "choices": {**run, "trainer": "auto", "logger": "none", **choices},
        "overrides": [*overrides, f"study={run_dir.parent.name}"],
        "seeds": {"split": 0, "data": seed, "model": seed},
        "config": {
            "paths": {"cache_dir": str(run_dir.parent / "cache")},
            "data": {"path": "reviews.csv"},
            "budget": {"kind": budget},
        },
        "data": {
            "source": {"kind": "csv", "path": "reviews.csv", "content_hash": "0" * 64, "given_splits": []},
            "classes": list(classes),
            **prepared(classes, choices, n_test={name: int((labels == place).sum()) for place, name in enumerate(classes)}),
            "leaks": [],
        },
        "metrics": {"monitor": "macro_f1", "val": val, "test": test, "val_curve": curve([0.7, 0.7])},
        "budget": {
            "kind": budget,
            "epochs": 4,
            "steps": 100,
            "examples_seen": 1600,
            "tokens_seen": 230_000,
            "real_token_fraction": 0.95,
        },
        "cost": {
            "prepare_seconds": 1.0,
            "train_seconds": 10.0,
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
    for part, values in said.items():
        record[part] = {**record[part], **values} if isinstance(values, dict) else values
    return record


def curve(values: Sequence[float], *, every: int = 25) -> list[dict[str, float]]:
    """A learning curve with these scores, one every so many steps."""
    return [{"step": every * number, "macro_f1": value, "accuracy": value, "loss": 0.5} for number, value in enumerate(values, start=1)]


def settling_curve(val: Mapping[str, Any], seed: int) -> list[dict[str, Any]]:
    """Dev scores that rise to those of `val` and settle."""
    drawn = np.random.default_rng(seed)
    found = []
    for place in range(8):
        share = 1 - float(np.exp(-0.75 * (place + 1)))
        wobble = float(drawn.normal(0, 0.004))
        point = {name: min(1.0, max(0.0, 0.3 + (val[name] - 0.3) * share + wobble)) for name in ("accuracy", "macro_f1", "weighted_f1")}
        found.append({"step": (place + 1) * 26, "loss": 1.1 - point["accuracy"], **point})
    return found


def prepared(classes: Sequence[str], choices: Mapping[str, str], *, n_test: Mapping[str, int]) -> dict[str, Any]:
    """The stages and splits of 2,400 rows, of which augment and balance make more."""
    n = len(classes)
    counts = {name: [int(share * 2400 / n) for share in (0.7, 0.1, 0.2)] for name in classes}
    stages = [
        stage("csv", "data", "all", {name: (sum(cell) + 12, 0, sum(cell) + 12) for name, cell in counts.items()}),
        stage("exact_dedup", "clean", "all", {name: (sum(cell) + 12, 0, sum(cell)) for name, cell in counts.items()}, "exact_duplicate"),
        split_stage(counts),
    ]
    rows = {name: cell[0] for name, cell in counts.items()}
    for group, name in choices.items():
        if name in GROWTH:
            added = {label: int(n_rows * GROWTH[name]) for label, n_rows in rows.items()}
            lost = {label: int(0.08 * more) if group == "augment" else 0 for label, more in added.items()}
            cells = {label: (rows[label], added[label], rows[label] + added[label] - lost[label]) for label in rows}
            stages.append(stage(name, group, "train", cells, "unchanged"))
            rows = {label: cell[2] for label, cell in cells.items()}
    splits = {"train": rows, "dev": {name: cell[1] for name, cell in counts.items()}, "test": n_test}
    return {"stages": stages, "splits": {split: split_facts(per_class) for split, per_class in splits.items()}}


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
        "seconds": 0.5,
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
