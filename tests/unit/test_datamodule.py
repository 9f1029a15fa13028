"""Batches: every row once an epoch, little padding, seeded, and what Lightning needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import SequentialSampler

from prepsweep.datamodule import LengthBatches, PreparedData
from prepsweep.length_groups import groups
from prepsweep.preprocess.tokenize import tokenize
from prepsweep.tasks.losses import cross_entropy
from prepsweep.tasks.text_classification import TextClassification
from tests.conftest import make_reviews, rows_of

CUT: dict[str, Any] = {"truncation": "truncate", "stride": 4}


@pytest.fixture
def data(tiny_model: Path) -> PreparedData:
    tokens = tokenize(rows_of(make_reviews(300), "train"), checkpoint=str(tiny_model), revision=None, max_length=32, **CUT)
    task = TextClassification(["fresh", "plot", "rotten"], loss=cross_entropy)
    return PreparedData({"train": tokens, "dev": tokens, "test": tokens}, task, pad_token_id=0, batch_size=16, eval_batch_size=64, seed=3)


def test_every_row_comes_once_an_epoch_in_a_new_order(data: PreparedData) -> None:
    loader = data.train_dataloader()
    epochs = [[batch["rows"].tolist() for batch in loader] for _ in range(2)]
    for epoch in epochs:
        assert sorted(row for batch in epoch for row in batch) == list(range(300))
    assert epochs[0] != epochs[1]
    again = [batch["rows"].tolist() for batch in data.train_dataloader()]
    assert again == epochs[0], "the same seed gives the same batches"


def test_batches_hold_the_rows_and_mark_their_padding(data: PreparedData) -> None:
    rows = data.splits["train"]
    for batch in data.train_dataloader():
        for i, row in enumerate(batch["rows"].tolist()):
            length = int(rows.lengths[row])
            assert batch["attention_mask"][i].tolist() == [1] * length + [0] * (batch["input_ids"].shape[1] - length)
            assert (
                batch["input_ids"][i, :length].tolist() == rows.ids.values[rows.ids.offsets[row] : rows.ids.offsets[row] + length].tolist()
            )
            assert not batch["input_ids"][i, length:].any()
        assert batch["input_ids"].dtype == torch.int64


def test_at_least_85_percent_of_the_tokens_are_real() -> None:
    # Lengths as those of film reviews and plot summaries: half of a padded random batch would be padding.
    lengths = np.clip(np.random.default_rng(0).lognormal(3.3, 0.7, 3200), 8, 128).astype(int).reshape(100, 32)
    real = computed = 0
    for batch in np.sort(lengths)[:, ::-1]:
        mask = torch.from_numpy(np.arange(batch[0]) < batch[:, None]).long()
        real, computed = real + int(batch.sum()), computed + sum(mask[part].numel() for part in groups(mask))
    assert real / computed > 0.85
    assert real / (lengths.max(axis=1).sum() * 32) < 0.5


def test_batches_of_training_are_random_and_longest_first(data: PreparedData) -> None:
    batches = [batch["attention_mask"].sum(dim=1).tolist() for batch in data.train_dataloader()]
    assert all(lengths == sorted(lengths, reverse=True) for lengths in batches)
    means = np.array([np.mean(lengths) for lengths in batches])
    every = np.concatenate([np.array(lengths) for lengths in batches])
    assert means.std() < 2 * every.std() / np.sqrt(16), "as far apart as means of 16 random rows are"


def test_evaluation_goes_longest_first_and_never_changes(data: PreparedData) -> None:
    first, second = ([batch["rows"].tolist() for batch in data.test_dataloader()] for _ in range(2))
    assert first == second
    lengths = [int(batch["attention_mask"].sum(dim=1).max()) for batch in data.test_dataloader()]
    assert lengths == sorted(lengths, reverse=True)


def test_length_batches_windows_and_remainders() -> None:
    lengths = np.random.default_rng(0).integers(1, 99, 1000)
    batches = LengthBatches(SequentialSampler(range(1000)), 7, True, lengths, 0)  # type: ignore[arg-type]
    assert {len(batch) for batch in batches} == {7}
    assert len(batches) == 1000 // 7
    kept = LengthBatches(SequentialSampler(range(1000)), 7, False, lengths, 0)  # type: ignore[arg-type]
    assert sorted(row for batch in kept for row in batch) == list(range(1000))
    assert len(list(kept)) == len(kept)
