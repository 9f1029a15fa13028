"""Texts in windows: training sees one window of a row at a time, evaluation all, and a row has one vote."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from prepsweep.balance.weighted_sampler import weighted_sampler
from prepsweep.datamodule import PreparedData
from prepsweep.lineage import Result
from prepsweep.module import FineTuning
from prepsweep.preprocess.tokenize import tokenize
from prepsweep.tasks.losses import cross_entropy
from prepsweep.tasks.text_classification import TextClassification
from tests.conftest import rows_of

CLASSES = ["fresh", "plot", "rotten"]
# 1, 3, 1, 2 and 1 windows of 8 tokens (6 without the special ones), none shared.
ROWS = [("great film", "fresh"), ("dull " * 16, "rotten"), ("", "plot"), ("killer " * 8, "plot"), ("a town", "plot")]


def prepared(model: Path, *, truncation: str = "window", sampled: bool = False) -> PreparedData:
    tokens = {}
    for split in ("train", "test"):
        rows = rows_of(ROWS, split)
        given = weighted_sampler(rows, power=1.0) if sampled and split == "train" else rows
        made = tokenize(given, checkpoint=str(model), revision=None, max_length=8, truncation=truncation, stride=0)
        tokens[split] = made.rows if isinstance(made, Result) else made
    task = TextClassification(CLASSES, loss=cross_entropy)
    return PreparedData(tokens, task, pad_token_id=0, batch_size=2, eval_batch_size=3, seed=0)


def module(model: Path) -> FineTuning:
    task = TextClassification(CLASSES, loss=cross_entropy)
    made = FineTuning(task.load_model(model), task, learning_rate=0.1, layer_decay=1.0, weight_decay=0, warmup_fraction=0.1, n_steps=1)
    made.model.eval()
    made._trainer = SimpleNamespace(world_size=1)  # type: ignore[assignment]
    return made


def test_a_training_epoch_takes_each_row_once_and_over_time_every_window(tiny_model: Path) -> None:
    data = prepared(tiny_model)
    loader = data.train_dataloader()
    assert len(loader) == 3, "as many steps as without windows"
    seen: set[int] = set()
    for _ in range(40):
        batches = list(loader)
        assert sorted(row for batch in batches for row in batch["rows"].tolist()) == [0, 1, 2, 3, 4]
        seen |= {window for batch in batches for window in batch["windows"].tolist()}
    assert seen == set(range(8))


def test_evaluation_takes_every_window_with_its_rows_label(tiny_model: Path) -> None:
    data = prepared(tiny_model)
    batches = list(data.test_dataloader())
    rows, windows, labels = ([x for batch in batches for x in batch[name].tolist()] for name in ("rows", "windows", "labels"))
    assert sorted(windows) == list(range(8))
    assert sorted(rows) == [0, 1, 1, 1, 2, 3, 3, 4]
    assert all(CLASSES[label] == ROWS[row][1] for row, label in zip(rows, labels, strict=True))


def test_the_length_of_a_row_is_that_of_all_its_windows(tiny_model: Path) -> None:
    # A token a word, and two special ones in each window.
    assert prepared(tiny_model).splits["test"].n_tokens.tolist() == [4, 16 + 6, 2, 8 + 4, 4]
    assert prepared(tiny_model, truncation="truncate").splits["test"].n_tokens.tolist() == [4, 8, 2, 8, 4]


def test_windows_and_sampling_weights_work_together(tiny_model: Path) -> None:
    loader = prepared(tiny_model, sampled=True).train_dataloader()
    drawn = [batch for _ in range(200) for batch in loader]
    assert {len(batch["rows"]) for batch in drawn} <= {1, 2}
    labels = np.concatenate([batch["labels"].numpy() for batch in drawn])
    assert len(labels) == 1000
    shares = np.bincount(labels, minlength=3) / len(labels)
    assert shares == pytest.approx([1 / 3] * 3, abs=0.08)


def test_the_logits_of_a_row_are_the_mean_of_its_windows(tiny_model: Path) -> None:
    fine_tuning, data = module(tiny_model), prepared(tiny_model)
    batches: list[dict[str, Any]] = list(data.test_dataloader())
    by_window: dict[int, Any] = {}
    with torch.no_grad():
        for batch in batches:
            fine_tuning.test_step(batch, 0)
            logits = fine_tuning.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
            by_window |= dict(zip(batch["windows"].tolist(), logits.numpy(), strict=True))
        # As Lightning does in a run of several processes: some windows come twice.
        fine_tuning.test_step(batches[0], 0)
    logits, labels = fine_tuning._gathered()
    expected = [
        by_window[0],
        np.mean([by_window[i] for i in (1, 2, 3)], axis=0),
        by_window[4],
        (by_window[5] + by_window[6]) / 2,
        by_window[7],
    ]
    assert logits == pytest.approx(np.array(expected), abs=1e-6)
    assert [CLASSES[label] for label in labels] == [label for _, label in ROWS]
    assert logits.dtype == np.float32


def test_rows_of_one_window_keep_their_very_logits(tiny_model: Path) -> None:
    fine_tuning, data = module(tiny_model), prepared(tiny_model, truncation="truncate")
    expected = torch.empty(5, 3)
    with torch.no_grad():
        for batch in data.test_dataloader():
            fine_tuning.test_step(batch, 0)
            expected[batch["rows"]] = fine_tuning.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    assert (fine_tuning._gathered()[0] == expected.numpy()).all()


def test_a_window_that_was_not_evaluated_is_noticed(tiny_model: Path) -> None:
    fine_tuning, data = module(tiny_model), prepared(tiny_model)
    batches = list(data.test_dataloader())
    missing = next(place for place, batch in enumerate(batches) if 7 not in batch["windows"].tolist())
    with torch.no_grad():
        for place, batch in enumerate(batches):
            if place != missing:
                fine_tuning.test_step(batch, 0)
    with pytest.raises(AssertionError, match="was not evaluated"):
        fine_tuning._gathered()
