"""Label smoothing and R-Drop: by hand from the papers' formulas, off by default, and refused where they cannot be meant."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from prepsweep.errors import Refused
from prepsweep.tasks.losses import cross_entropy, focal
from prepsweep.tasks.options import check_task
from prepsweep.tasks.text_classification import TextClassification
from tests.conftest import compose

CLASSES = ["a", "b", "c"]
LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3], [-3.0, 1.0, 0.0]])
LABELS = torch.tensor([0, 2, 1])
WEIGHTS = torch.tensor([1.0, 0.5, 3.0])
BATCH = {"labels": LABELS, "weights": WEIGHTS}


def weighted(losses: Tensor) -> float:
    return float((losses * WEIGHTS).sum() / WEIGHTS.sum())


def test_label_smoothing_is_that_of_the_paper_with_weights() -> None:
    smoothed = TextClassification(CLASSES, loss=cross_entropy, label_smoothing=0.3)
    log_p = LOGITS.log_softmax(dim=1)
    by_hand = 0.7 * -log_p[torch.arange(3), LABELS] + 0.3 * -log_p.mean(dim=1)
    assert float(smoothed.loss(LOGITS, BATCH)) == pytest.approx(weighted(by_hand))
    torchs = functional.cross_entropy(LOGITS, LABELS, label_smoothing=0.3, reduction="none")
    assert float(smoothed.loss(LOGITS, BATCH)) == pytest.approx(weighted(torchs))


def test_label_smoothing_spreads_soft_labels_too() -> None:
    soft = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.2, 0.8, 0.0]])
    smoothed = TextClassification(CLASSES, loss=cross_entropy, label_smoothing=0.3)
    torchs = functional.cross_entropy(LOGITS, soft, label_smoothing=0.3, reduction="none")
    assert float(smoothed.loss(LOGITS, BATCH | {"soft_labels": soft})) == pytest.approx(weighted(torchs))


def test_label_smoothing_goes_with_another_loss_and_leaves_evaluation_plain() -> None:
    plain, smoothed = (TextClassification(CLASSES, loss=partial(focal, gamma=0.0), label_smoothing=share) for share in (0.0, 0.3))
    torchs = functional.cross_entropy(LOGITS, LABELS, label_smoothing=0.3, reduction="none")
    assert float(smoothed.loss(LOGITS, BATCH)) == pytest.approx(weighted(torchs))
    arrays: Any = (np.asarray(LOGITS), np.asarray(LABELS))
    assert plain.scores(*arrays) == smoothed.scores(*arrays)
    assert plain.scores(*arrays)["loss"] == pytest.approx(float(functional.cross_entropy(LOGITS, LABELS)))


def in_turn(*passes: Tensor) -> Any:
    """A model that gives these logits, one after the other."""
    left = iter(passes)
    return lambda **_: SimpleNamespace(logits=next(left))


def inputs() -> dict[str, Tensor]:
    ids = torch.ones(3, 4, dtype=torch.long)
    return {"input_ids": ids, "attention_mask": ids}


def test_r_drop_is_that_of_the_paper() -> None:
    other = LOGITS + torch.tensor([[0.3, 0.0, -0.2], [1.0, 0.0, 0.0], [0.0, 0.0, 0.4]])
    task = TextClassification(CLASSES, loss=cross_entropy, r_drop=2.0)
    found = task.training_loss(in_turn(LOGITS, other), inputs(), BATCH)
    logs = LOGITS.log_softmax(dim=1), other.log_softmax(dim=1)
    both_ways = [functional.kl_div(one, two, reduction="none", log_target=True).sum(dim=1) for one, two in (logs, logs[::-1])]
    entropies = [functional.cross_entropy(logits, LABELS, reduction="none") for logits in (LOGITS, other)]
    assert float(found) == pytest.approx(weighted((entropies[0] + entropies[1]) / 2 + 2.0 * (both_ways[0] + both_ways[1]) / 2))
    same = task.training_loss(in_turn(LOGITS, LOGITS), inputs(), BATCH)
    assert float(same) == pytest.approx(weighted(entropies[0])), "passes that agree leave the loss as it is"


def test_r_drop_passes_with_other_dropout_and_says_that_it_passes_twice(tiny_model: Path) -> None:
    task = TextClassification(CLASSES, loss=cross_entropy, r_drop=100.0)
    off = TextClassification(CLASSES, loss=cross_entropy)
    assert (task.n_passes, off.n_passes) == (2, 1)
    model = task.load_model(tiny_model)
    with torch.no_grad():
        losses = {training: float(task.training_loss(model.train(training), inputs(), BATCH)) for training in (True, False)}
        assert losses[True] > losses[False]
        assert losses[False] == pytest.approx(float(off.training_loss(model, inputs(), BATCH)))


@pytest.mark.parametrize(
    ("override", "where"),
    [
        ("task.label_smoothing=1", "task.label_smoothing"),
        ("task.label_smoothing=much", "task.label_smoothing"),
        ("task.r_drop=-1", "task.r_drop"),
        ("task.r_drop=.inf", "task.r_drop"),
        ("task.r_drop=true", "task.r_drop"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(override: str, where: str) -> None:
    with pytest.raises(Refused) as refused:
        check_task(compose(override).task)
    assert refused.value.where == where


def test_r_drop_with_mixup_is_refused_and_each_alone_is_not() -> None:
    check_task(compose("task.r_drop=1", "balance=focal").task)
    check_task(compose("task.label_smoothing=0.1", "augment=mixup").task)
    with pytest.raises(Refused, match="mixed anew"):
        check_task(compose("task.r_drop=1", "augment=mixup").task)
