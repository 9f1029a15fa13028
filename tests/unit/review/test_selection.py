"""What is asked about first, and that it is not the same thing over and over."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from prepsweep.review.selection import REASONS, margins, priorities, spread


def unit(vectors: list[list[float]]) -> np.ndarray:
    found = np.asarray(vectors, dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_margin_is_the_lead_of_the_first_over_the_second() -> None:
    assert margins(np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])).round(6).tolist() == [0.2, 0.7]


def test_the_reason_is_what_says_most() -> None:
    p = np.array([[0.9, 0.1], [0.05, 0.95], [0.55, 0.45], [0.99, 0.01], [0.0, 0.0]])
    scores, reasons = priorities(p, np.array([0, 0, 0, 0, 1]), np.array([0.0, 0.0, 0.0, 0.7, 0.0]))
    assert [REASONS[code] for code in reasons[1:4]] == ["the label is doubtful", "the model is unsure", "the votes disagree"]
    assert scores.tolist() == [0.75, 1.0, 1.0, 1.0, 0.0]


def test_flat_probabilities_do_not_hide_doubtful_labels() -> None:
    rng = np.random.default_rng(0)
    p = 0.5 + rng.uniform(-0.02, 0.02, 100)
    scores, reasons = priorities(np.stack([p, 1 - p], axis=1), np.zeros(100, dtype=np.intp), np.zeros(100))
    assert set(reasons[np.argsort(-scores)[:20]]) == {1, 2}


def test_of_two_equal_texts_one_is_asked_about_first_and_the_other_last() -> None:
    vectors = unit([[1, 0], [1, 0], [0, 1], [0.7, 0.7]])
    assert spread(np.array([0.9, 0.89, 0.5, 0.5]), vectors, 4).tolist()[:3] == [0, 2, 3]
    assert sorted(spread(np.array([0.9, 0.89, 0.5, 0.5]), vectors, 4).tolist()) == [0, 1, 2, 3]


def test_ties_go_to_the_lower_place() -> None:
    assert spread(np.ones(3), unit([[1, 0], [0, 1], [0, -1]]), 1).tolist() == [0]


def test_a_queue_covers_more_of_the_space_than_the_highest_scores_do() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(20)[rng.integers(0, 20, 1000)]
    vectors = unit((centres + rng.normal(0, 0.02, centres.shape)).tolist())
    # One corner of the space has the highest scores.
    scores = np.where(centres[:, 0] == 1, 0.99, 0.9)
    found = spread(scores, vectors, 40)
    highest = np.argsort(-scores, kind="stable")[:40]
    n_corners = [len(np.unique(centres[places].argmax(axis=1))) for places in (found, highest)]
    assert n_corners[0] == 20
    assert n_corners[1] <= 3


@settings(max_examples=60, deadline=None)
@given(
    scores=arrays.arrays(np.float64, st.integers(1, 30), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    n_rows=st.integers(1, 40),
)
def test_every_row_at_most_once_and_as_many_as_there_are(scores: np.ndarray, n_rows: int) -> None:
    vectors = unit(np.random.default_rng(0).integers(0, 2, (len(scores), 3)) + np.array([1, 0, 0]))  # type: ignore[arg-type]
    found = spread(scores, vectors, n_rows).tolist()
    assert len(found) == len(set(found)) == min(n_rows, len(scores))
