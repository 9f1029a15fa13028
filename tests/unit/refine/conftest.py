"""Vectors that need no model: counts of the words that give a made-up review's class away."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from datasets import Dataset
from numpy.typing import NDArray

from tests.conftest import FILLER, WORDS, make_reviews, rows_of

VOCABULARY = {word: place for place, word in enumerate([*FILLER, *(word for words in WORDS.values() for word in words)])}
ENCODER = {"checkpoint": "none", "revision": None, "max_length": 32, "batch_size": 8, "device": "cpu"}


def count_words(texts: Sequence[str], **_: object) -> NDArray[np.float32]:
    """Stands in for `embed`: word counts at length 1; a word of no class, and a text without any, has a place of its own."""
    counts = np.zeros((len(texts), len(VOCABULARY) + 1), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().replace(".", "").split() or [""]:
            counts[row, VOCABULARY.get(word, len(VOCABULARY))] += 1
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture
def words_as_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prepsweep.embeddings._embedded", count_words)


def noisy_reviews(n_rows: int, noise: float, **extra: list[str]) -> tuple[Dataset, dict[str, str]]:
    """Reviews of which the fraction `noise` bears another class's label, and uid → true label of those."""
    rng = random.Random(1)
    pairs = make_reviews(n_rows)
    wrong = {row: rng.choice(sorted(set(WORDS) - {pairs[row][1]})) for row in rng.sample(range(n_rows), round(noise * n_rows))}
    rows = rows_of([(text, wrong.get(row, label)) for row, (text, label) in enumerate(pairs)], "train", **extra)
    uids = rows["uid"]
    return rows, {uids[row]: pairs[row][1] for row in wrong}
