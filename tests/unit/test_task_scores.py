"""Scores of tags, sets and numbers against seqeval and scikit-learn, and shares of rows that have several classes."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.metrics.sequence_labeling import get_entities
from sklearn.metrics import f1_score, label_ranking_average_precision_score

from prepsweep.compare.task_scores import entity_f1, of_entities, sample_f1
from prepsweep.row_classes import by_class, share_out, strata
from prepsweep.schema import NO_CLASS
from prepsweep.tasks.multi_label import LabelSets, MultiLabel
from prepsweep.tasks.regression import Numbers
from prepsweep.tasks.spans import kinds, spans
from prepsweep.tasks.token_classification import Tags, TokenClassification

TAGS = ("O", "B-a", "I-a", "B-b-c", "I-b-c")
SENTENCES = st.lists(st.lists(st.sampled_from(TAGS), min_size=1, max_size=8), min_size=1, max_size=6)


@settings(deadline=None)
@given(SENTENCES)
def test_entities_are_those_of_seqeval(sentences: list[list[str]]) -> None:
    for tags in sentences:
        assert [(kind, start, stop - 1) for kind, start, stop in spans(tags)] == get_entities(tags)
        assert kinds(tags) == sorted({kind for kind, _, _ in get_entities(tags)})


@settings(deadline=None)
@given(SENTENCES, st.randoms(use_true_random=False))
def test_entity_f1_is_seqevals_and_is_the_mean_of_the_values_of_the_rows(sentences: list[list[str]], rng: Any) -> None:
    guesses = [[rng.choice(TAGS) if rng.random() < 0.4 else tag for tag in tags] for tags in sentences]
    task = TokenClassification(["a", "b-c"], labels=Tags("bio"))
    width = max(map(len, sentences))
    labels = np.full((len(sentences), width), -100)
    logits = np.zeros((len(sentences), width, len(task.tags)), dtype=np.float32)
    for row, (tags, guess) in enumerate(zip(sentences, guesses, strict=True)):
        labels[row, : len(tags)] = [task.tags.index(tag) for tag in tags]
        logits[row, range(len(tags)), [task.tags.index(tag) for tag in guess]] = 5
    expected = seqeval_f1(sentences, guesses, zero_division=0)
    found = task.scores(logits, labels)
    assert found["micro_f1"] == pytest.approx(expected)
    rows = [[json.dumps(tags) for tags in side] for side in (sentences, guesses)]
    assert entity_f1(*rows, of_entities).mean() == pytest.approx(expected)
    present = [kind for kind, cell in found["per_class"].items() if cell["support"]]
    for kind, score in zip(sorted(present), _per_kind(sentences, guesses, present), strict=True):
        assert found["per_class"][kind]["f1"] == pytest.approx(score)


def _per_kind(sentences: list[list[str]], guesses: list[list[str]], present: list[str]) -> list[float]:
    every = sorted({kind for tags in (*sentences, *guesses) for kind in kinds(tags)})
    scores = seqeval_f1(sentences, guesses, average=None, zero_division=0) if every else []
    return [float(score) for kind, score in zip(every, scores, strict=True) if kind in present]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sets(st.integers(0, 2)), st.sets(st.integers(0, 2))), min_size=2, max_size=20))
def test_scores_of_sets_are_scikit_learns(rows: list[tuple[set[int], set[int]]]) -> None:
    true, said = (np.array([[number in row[side] for number in range(3)] for row in rows]) for side in (0, 1))
    logits = np.where(said, 2.0, -2.0).astype(np.float32)
    found = MultiLabel(["a", "b", "c"], labels=LabelSets("|"), thresholds=[0.5], positive_weight=1.0).scores(
        logits, true.astype(np.float32)
    )
    for average in ("micro", "macro", "weighted"):
        assert found[f"{average}_f1"] == pytest.approx(f1_score(true, said, average=average, zero_division=0))
    assert found["sample_f1"] == pytest.approx(f1_score(true, said, average="samples", zero_division=1.0))
    assert found["accuracy"] == pytest.approx((true == said).all(axis=1).mean())
    assert found["lrap"] == pytest.approx(label_ranking_average_precision_score(true, logits))
    cells = [[json.dumps([f"c{i}" for i in sorted(row[side])]) for row in rows] for side in (0, 1)]
    assert sample_f1(*cells).mean() == pytest.approx(found["sample_f1"])


def test_a_single_label_is_ranked_too() -> None:
    task = MultiLabel(["spam"], labels=LabelSets("|"), thresholds=[0.5], positive_weight=1.0)
    logits, true = (np.array([column], dtype=np.float32).T for column in ([2, -1, 1, -2], [1, 0, 0, 1]))
    found = task.scores(logits, true)
    assert (found["lrap"], found["ranking_loss"], found["coverage_error"]) == (1, 0, 0.5)
    assert (found["accuracy"], found["macro_f1"]) == (0.5, 0.5)


def test_the_threshold_is_the_best_of_those_given() -> None:
    task = MultiLabel(["a", "b"], labels=LabelSets("|"), thresholds=[0.1, 0.3, 0.5, 0.9], positive_weight=1.0)
    p = np.array([[0.35, 0.2], [0.4, 0.6], [0.2, 0.7]])
    targets = np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32)
    task.decide(np.log(p / (1 - p)).astype(np.float32), targets)
    assert task.decision == {"threshold": 0.3}
    assert task.scores(np.log(p / (1 - p)).astype(np.float32), targets)["macro_f1"] == 1.0


def test_numbers_are_in_ranges_of_equally_many_rows() -> None:
    labels = pa.chunked_array([[str(number) for number in range(100)]])
    names = Numbers(4).classes(labels).flatten().to_pylist()
    assert sorted(Counter(names).values()) == [25, 25, 25, 25]
    assert set(Numbers(3).classes(pa.chunked_array([["1.0", "1", "1e0"]])).flatten().to_pylist()) == {"1"}


@settings(deadline=None)
@given(st.lists(st.sets(st.sampled_from("abcd"), max_size=3), min_size=20, max_size=120), st.integers(0, 3))
def test_rows_are_shared_out_whole_and_in_any_order_alike(sets: list[set[str]], seed: int) -> None:
    classes = [sorted(found) or [NO_CLASS] for found in sets]
    table = pa.table({"uid": [f"u{i}" for i in range(len(sets))], "label": ["x"] * len(sets), "classes": pa.array(classes)})
    sizes = {"test": len(sets) // 5, "train": len(sets) - len(sets) // 5}
    found = share_out(table, sizes, seed=seed, stage="s")
    assert Counter(found) == Counter(sizes)
    order = np.random.default_rng(seed).permutation(len(sets))
    assert share_out(table.take(pa.array(order)), sizes, seed=seed, stage="s") == [found[place] for place in order], "the order is nothing"
    assert strata(table).to_pylist() == ["|".join(of_row) for of_row in classes]


def test_every_class_has_its_share() -> None:
    rng = np.random.default_rng(0)
    names = [f"c{i}" for i in range(8)]
    # From one row in two to one in sixty, and each row any number of them.
    p = np.array([0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.015])
    classes = [[name for name, there in zip(names, rng.random(8) < p, strict=True) if there] or [NO_CLASS] for _ in range(600)]
    table = pa.table({"uid": [f"u{i}" for i in range(600)], "label": ["x"] * 600, "classes": pa.array(classes)})
    # Rows without a class take up what is over, since the sizes are exact.
    found = share_out(table, {"test": 60, "dev": 60, "train": 480}, seed=0, stage="s")
    counts = Counter(by_class(table).column("label").to_pylist())
    for split, share in (("test", 0.1), ("dev", 0.1), ("train", 0.8)):
        there = Counter(name for of_row, place in zip(classes, found, strict=True) if place == split for name in of_row)
        assert all(there[name] and abs(there[name] - share * counts[name]) <= 2 for name in names), (split, there, counts)
