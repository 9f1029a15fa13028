"""Studies of sets of labels, numbers and tags, with one effect that is planted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prepsweep.compare.task_scores import entity_f1, f1_by_class, of_entities, of_labels, sample_f1

from .made_records import record_of
from .made_study import CLASSES

RISING = (0.6, 0.9, 1.0, 1.0, 1.0)


def make_task_study(folder: Path, task: str, *, augment: Sequence[str] = ("none", "backtranslate", "duplicate"), n_rows: int = 800) -> Path:
    """A study of sets of labels, numbers or tags: `backtranslate` makes errors a quarter fewer, or smaller, `duplicate` does nothing."""
    drawn, wrong, scored = {"multi_label": SETS, "regression": NUMBERS, "token_classification": SENTENCES}[task]
    labels = drawn(np.random.default_rng(0), n_rows)
    zeros = np.zeros(n_rows, dtype=np.int64)
    for number, (choice, seed) in enumerate(product(augment, range(5))):
        rng = np.random.default_rng([seed, number // 5])
        said = wrong(rng, labels, 0.3 if choice == "backtranslate" else 0.4)
        run_dir = folder / f"{number:012x}"
        run_dir.mkdir(parents=True)
        choices = {"augment": choice, "balance": "none", "task": task}
        record = record_of(run_dir, zeros, zeros, classes=CLASSES, choices=choices, seed=seed, said={})
        texts = [[row if isinstance(row, str) else json.dumps(row) for row in side] for side in (labels, said)]
        test, val = (scored(*([text[part] for text in texts])) for part in (slice(None), slice(None, None, 2)))
        rising = [
            {
                "step": 26 * (place + 1),
                "loss": 0.5,
                **{name: value / share if name in ("rmse", "mae") else value * share for name, value in val.items()},
            }
            for place, share in enumerate(RISING)
        ]
        record["metrics"] = {
            "val": {"loss": 0.5, "per_class": {}, **val},
            "test": {"loss": 0.5, "per_class": {}, **test},
            "val_curve": rising,
        }
        columns = {"uid": [f"{row:024x}" for row in range(n_rows)], "label": texts[0], "prediction": texts[1]}
        lengths = np.random.default_rng(1).integers(3, 40, n_rows)
        pq.write_table(pa.table({**columns, "length": lengths}), run_dir / "predictions.parquet")
        (run_dir / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def _sets(rng: np.random.Generator, n_rows: int) -> list[list[str]]:
    return [[name for name, there in zip(CLASSES, row, strict=True) if there] for row in rng.random((n_rows, 3)) < (0.5, 0.3, 0.2)]


def _other_sets(rng: np.random.Generator, labels: list[list[str]], error: float) -> list[list[str]]:
    turned = rng.random((len(labels), 3)) < error / 2
    return [
        [name for name, turn in zip(CLASSES, row, strict=True) if (name in label) != turn]
        for label, row in zip(labels, turned, strict=True)
    ]


def _numbers(rng: np.random.Generator, n_rows: int) -> list[str]:
    return [repr(number) for number in rng.normal(3, 1, n_rows).tolist()]


def _other_numbers(rng: np.random.Generator, labels: list[str], error: float) -> list[str]:
    return [repr(float(label) + error * off) for label, off in zip(labels, rng.normal(0, 1, len(labels)).tolist(), strict=True)]


def _sentences(rng: np.random.Generator, n_rows: int) -> list[list[str]]:
    parts = [["O", "O"], ["B-fresh", "I-fresh"], ["B-plot"], ["B-rotten", "O"]]
    return [[tag for place in row for tag in parts[place]] for row in rng.integers(0, 4, (n_rows, 4)).tolist()]


def _other_sentences(rng: np.random.Generator, labels: list[list[str]], error: float) -> list[list[str]]:
    return [["O" if rng.random() < error / 2 else tag for tag in label] for label in labels]


def _scores_of_sets(labels: list[str], said: list[str]) -> dict[str, float]:
    macro = f1_by_class(labels, said, CLASSES, of_labels).mean()
    return {
        "macro_f1": float(macro),
        "sample_f1": float(sample_f1(labels, said).mean()),
        "accuracy": float(np.mean(np.array(labels) == said)),
    }


def _scores_of_numbers(labels: list[str], said: list[str]) -> dict[str, float]:
    true, guess = (np.array(side, dtype=np.float64) for side in (labels, said))
    mse = float(((true - guess) ** 2).mean())
    return {"r2": 1 - mse / float(true.var()), "rmse": mse**0.5, "mae": float(abs(true - guess).mean())}


def _scores_of_sentences(labels: list[str], said: list[str]) -> dict[str, float]:
    return {"micro_f1": float(entity_f1(labels, said, of_entities).mean()), "accuracy": 0.9}


SETS = _sets, _other_sets, _scores_of_sets
NUMBERS = _numbers, _other_numbers, _scores_of_numbers
SENTENCES = _sentences, _other_sentences, _scores_of_sentences
