"""Scores against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, classification_report, f1_score, log_loss, precision_recall_fscore_support

from prepsweep.metrics import scores
from prepsweep.tasks.losses import cross_entropy
from prepsweep.tasks.text_classification import TextClassification

CLASSES = ["a", "b", "c"]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60))
def test_scores_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, predictions = (np.array(side) for side in zip(*pairs, strict=True))
    found = scores(labels, predictions, classes=CLASSES, loss=0.5)
    options = {"labels": [0, 1, 2], "zero_division": 0}
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, predictions))
    assert found["macro_f1"] == pytest.approx(f1_score(labels, predictions, average="macro", **options))
    assert found["weighted_f1"] == pytest.approx(f1_score(labels, predictions, average="weighted", **options))
    expected = zip(*precision_recall_fscore_support(labels, predictions, **options), strict=True)
    for name, values in zip(CLASSES, expected, strict=True):
        assert list(found["per_class"][name].values()) == pytest.approx(list(values))


def test_task_loss_scores_and_report() -> None:
    task = TextClassification(CLASSES, loss=cross_entropy)
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(50, 3)).astype(np.float32), rng.integers(0, 3, 50)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = task.scores(logits, labels)
    assert found["loss"] == pytest.approx(log_loss(labels, p, labels=[0, 1, 2]), rel=1e-5)
    columns = task.predictions(logits, pa.chunked_array([["a"]]))
    assert pytest.approx(p, abs=1e-6) == np.array([columns[f"p_{name}"] for name in CLASSES]).T
    assert columns["prediction"] == [CLASSES[i] for i in logits.argmax(axis=1)]
    expected = classification_report(labels, logits.argmax(axis=1), target_names=CLASSES, digits=3)
    assert task.report(found) == expected.rstrip()


def test_weighted_loss_is_torchs_weighted_cross_entropy() -> None:
    logits, labels = torch.randn(8, 3), torch.tensor([0, 1, 2, 0, 1, 2, 0, 0])
    by_class = torch.tensor([0.5, 2.0, 3.0])
    expected = torch.nn.functional.cross_entropy(logits, labels, weight=by_class)
    found = TextClassification(CLASSES, loss=cross_entropy).loss(logits, {"labels": labels, "weights": by_class[labels]})
    assert float(found) == pytest.approx(float(expected), rel=1e-6)
