"""Class balance by rows and by weights, against imbalanced-learn's and scikit-learn's own numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from datasets import Dataset
from sklearn.utils.class_weight import compute_class_weight

from prepsweep.balance.class_weights import class_weights
from prepsweep.balance.oversample import oversample
from prepsweep.balance.targets import Strategy
from prepsweep.balance.undersample import undersample
from prepsweep.errors import Refused
from prepsweep.lineage import settle, table_of
from tests.conftest import make_reviews, rows_of


def labels(dataset: Dataset) -> Counter[str]:
    return Counter(table_of(dataset).column("label").to_pylist())


def train(n_rows: int = 100) -> Dataset:
    return rows_of(make_reviews(n_rows), "train")


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("auto", {"fresh": 50, "rotten": 50, "plot": 50}),
        ("minority", {"fresh": 50, "rotten": 30, "plot": 50}),
        ("not minority", {"fresh": 50, "rotten": 50, "plot": 20}),
        ({"plot": 33}, {"fresh": 50, "rotten": 30, "plot": 33}),
    ],
)
def test_oversample_reaches_the_sizes_asked_for(strategy: Strategy, expected: dict[str, int]) -> None:
    rows = train()
    kept = settle(rows, oversample(rows, seed=0, sampling_strategy=strategy), stage="oversample", group="balance").kept
    assert labels(kept) == expected


def test_oversample_copies_every_row_once_before_any_twice() -> None:
    rows = train()
    table = table_of(oversample(rows, seed=0, sampling_strategy="auto"))
    copies = Counter(uid for uid in table.column("parent_uid").to_pylist() if uid)
    plot = [
        uid for uid, label in zip(table.column("uid").to_pylist()[:100], table.column("label").to_pylist(), strict=False) if label == "plot"
    ]
    assert {copies[uid] for uid in plot} == {1, 2}


@pytest.mark.parametrize(("strategy", "expected"), [("auto", 20), ("majority", 20), ({"fresh": 25}, 25)])
def test_undersample_keeps_the_sizes_asked_for(strategy: Strategy, expected: int) -> None:
    rows = train()
    settled = settle(rows, undersample(rows, seed=0, sampling_strategy=strategy), stage="undersample", group="balance")
    assert labels(settled.kept)["fresh"] == expected
    assert settled.counts["dropped"] == {"undersample": 100 - len(settled.kept)}


def test_class_weights_are_scikit_learns_balanced_weights() -> None:
    table = table_of(class_weights(train(), power=1.0))
    names = sorted({"fresh", "rotten", "plot"})
    expected = dict(zip(names, compute_class_weight("balanced", classes=np.array(names), y=table.column("label").to_pylist()), strict=True))
    for label, weight in zip(table.column("label").to_pylist(), table.column("weight").to_pylist(), strict=True):
        assert weight == pytest.approx(expected[label], rel=1e-6)
    milder = table_of(class_weights(train(), power=0.5)).column("weight").to_pylist()
    assert milder == pytest.approx([w**0.5 for w in table.column("weight").to_pylist()], rel=1e-6)


@pytest.mark.parametrize(
    ("stage", "strategy", "message"),
    [
        (oversample, "all of them", "sampling_strategy"),
        (oversample, {"polt": 40}, "names the class 'polt'"),
        (oversample, {"fresh": 10}, "balance.oversample.sampling_strategy"),
        (undersample, {"fresh": 1000}, "balance.undersample.sampling_strategy"),
        (oversample, 0.5, "balance.oversample.sampling_strategy"),
    ],
)
def test_a_strategy_that_cannot_be_is_refused_in_one_line(stage: object, strategy: Strategy, message: str) -> None:
    with pytest.raises(Refused, match=message) as refused:
        stage(train(), seed=0, sampling_strategy=strategy)  # type: ignore[operator]
    assert "\n" not in str(refused.value)


def test_power_out_of_range_is_refused() -> None:
    with pytest.raises(Refused, match="must be above 0 and at most 1, got 2"):
        class_weights(train(), power=2)
