"""Sampling weights become draws: rare classes come as often as others, in epochs of the same size, shared among processes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DistributedSampler, RandomSampler

from prepsweep.balance.class_weights import class_weights
from prepsweep.balance.weighted_sampler import weighted_sampler
from prepsweep.datamodule import EpochDraws, LengthBatches, PreparedData
from prepsweep.errors import Refused
from prepsweep.lineage import settle, table_of
from prepsweep.preprocess.tokenize import tokenize
from prepsweep.tasks.losses import cross_entropy
from prepsweep.tasks.text_classification import TextClassification
from tests.conftest import make_reviews, rows_of

CLASSES = ["fresh", "plot", "rotten"]
OPTIONS: dict[str, Any] = {"revision": None, "max_length": 32, "truncation": "truncate", "stride": 0}


def data(model: Path, *, power: float | None = 1.0, seed: int = 3) -> PreparedData:
    rows = rows_of(make_reviews(400), "train")
    weighed = rows if power is None else weighted_sampler(rows, power=power)
    tokens = {"train": tokenize(weighed, checkpoint=str(model), **OPTIONS), "dev": tokenize(rows, checkpoint=str(model), **OPTIONS)}
    task = TextClassification(CLASSES, loss=cross_entropy)
    return PreparedData(tokens, task, pad_token_id=0, batch_size=16, eval_batch_size=64, seed=seed)


def epochs(loader: Any, n: int) -> list[list[list[int]]]:
    return [[batch["rows"].tolist() for batch in loader] for _ in range(n)]


def test_the_stage_changes_no_row_and_weighs_as_class_weights_does() -> None:
    rows = rows_of(make_reviews(100), "train")
    settled = settle(rows, weighted_sampler(rows, power=0.5), stage="weighted_sampler", group="balance")
    table = table_of(settled.kept)
    assert table.drop_columns("sampling_weight").equals(table_of(rows))
    expected = table_of(class_weights(rows, power=0.5)).column("weight").to_pylist()
    assert table.column("sampling_weight").to_pylist() == pytest.approx(expected, rel=1e-6)


def test_an_epoch_keeps_its_size_and_holds_the_classes_alike(tiny_model: Path) -> None:
    prepared = data(tiny_model)
    loader = prepared.train_dataloader()
    drawn = epochs(loader, 5)
    assert {len(epoch) for epoch in drawn} == {len(loader)} == {25}
    assert {sum(map(len, epoch)) for epoch in drawn} == {400}
    labels = prepared.splits["train"].labels
    counts = Counter(int(labels[row]) for epoch in drawn for batch in epoch for row in batch)
    # 2,000 draws of three classes: 667 each, standard deviation 21.
    assert all(abs(counts[i] - 2000 / 3) < 4 * 21 for i in range(3))
    assert len({row for batch in drawn[0] for row in batch}) < 400, "with replacement"


def test_draws_are_those_of_the_seed_and_differ_between_epochs(tiny_model: Path) -> None:
    first, again, other = (epochs(data(tiny_model, seed=seed).train_dataloader(), 2) for seed in (3, 3, 4))
    assert first == again
    assert first[0] != first[1]
    assert first[0] != other[0]


def test_without_the_column_nothing_is_drawn_and_evaluation_never_is(tiny_model: Path) -> None:
    plain, weighed = data(tiny_model, power=None), data(tiny_model)
    assert EpochDraws.of(plain.splits["train"]) is None
    assert sorted(row for batch in epochs(plain.train_dataloader(), 1)[0] for row in batch) == list(range(400))
    assert epochs(plain.val_dataloader(), 1) == epochs(weighed.val_dataloader(), 1)


def test_processes_share_the_places_and_so_the_draws(tiny_model: Path) -> None:
    rows = data(tiny_model).splits["train"]
    draws = EpochDraws.of(rows)
    assert draws is not None
    # As Lightning builds a batch sampler anew in each of two processes: its own sampler first, the other arguments kept.
    shares = [
        LengthBatches(DistributedSampler(rows, num_replicas=2, rank=rank, seed=0), 16, False, rows.lengths, 3, draws) for rank in range(2)
    ]
    for epoch in range(2):
        drawn = [row for share in shares for batch in share for row in batch]
        assert Counter(drawn) == Counter(draws.windows(seed=3, epoch=epoch).tolist())
    alone = LengthBatches(RandomSampler(rows), 16, False, rows.lengths, 3, draws)
    assert Counter(row for batch in alone for row in batch) == Counter(draws.windows(seed=3, epoch=0).tolist())


def test_a_row_of_weight_0_is_never_drawn() -> None:
    draws = EpochDraws(np.arange(4), np.array([0.5, 0.0, 0.5]))
    assert 1 not in np.concatenate([draws.windows(seed=0, epoch=epoch) for epoch in range(200)])


def test_power_out_of_range_is_refused() -> None:
    with pytest.raises(Refused, match="balance.weighted_sampler.power: must be above 0 and at most 1, got 0"):
        weighted_sampler(rows_of(make_reviews(10), "train"), power=0)
