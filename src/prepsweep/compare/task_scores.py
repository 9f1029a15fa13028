"""Scores of tasks other than one class a text as one number per row, as `pseudovalues` has them for classes.

They take labels and predictions as `predictions.parquet` holds them, since these are no class numbers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prepsweep.tasks.spans import is_bio, spans

Values = NDArray[np.float64]
# How many of each kind are right, and how many of it both sides have.
Counts = tuple[Counter[str], Counter[str]]
Counting = Callable[[str, str], Counts]


def sample_f1(labels: Sequence[str], predictions: Sequence[str]) -> Values:
    """F1 of each row's set of labels, 1 where both are empty."""
    hits, sizes = _totals(labels, predictions, of_labels)
    return np.divide(2 * hits, sizes, out=np.ones(len(sizes)), where=sizes > 0)


def negative_squared_error(labels: Sequence[str], predictions: Sequence[str]) -> Values:
    """Minus the squared error of each row: higher is better, the mean is minus the mean squared error."""
    return np.array([-((float(label) - float(said)) ** 2) for label, said in zip(labels, predictions, strict=True)], dtype=np.float64)


def log_likelihood(losses: Values, n_tokens: Values) -> Values:
    """Influence values around minus the mean loss of a token, shape (n_rows,); the mean is that itself.

    A row moves it by minus what its loss is above that of so many tokens, as `entity_f1` has it for a share of entities.
    """
    total = max(float(n_tokens.sum()), 1.0)
    mean = float(losses.sum()) / total
    return np.asarray(-(mean + len(losses) * (losses - mean * n_tokens) / total))


def entity_f1(labels: Sequence[str], predictions: Sequence[str], counts: Counting) -> Values:
    """Influence values around micro F1 of entities, shape (n_rows,); the mean is micro F1 itself.

    F1 is 2 hits / (true + predicted) over all sentences. To first order a sentence moves it by its own
    (2 hits - F1 (true + predicted)) / (true + predicted), as `pseudovalues.macro_f1` has it for a class.
    """
    return _influence(*_totals(labels, predictions, counts))


def f1_by_class(labels: Sequence[str], predictions: Sequence[str], classes: Sequence[str], counts: Counting) -> Values:
    """Influence values around the F1 of each label or kind of entity, shape (n_rows, n_classes)."""
    rows = [counts(label, said) for label, said in zip(labels, predictions, strict=True)]
    hits, sizes = (np.array([[row[side][name] for name in classes] for row in rows], dtype=np.float64) for side in (0, 1))
    return _influence(hits, sizes)


@lru_cache(maxsize=1 << 15)
def of_labels(label: str, said: str) -> Counts:
    """Labels of a set."""
    wanted, found = Counter[str](json.loads(label)), Counter[str](json.loads(said))
    return wanted & found, wanted + found


@lru_cache(maxsize=1 << 15)
def of_entities(label: str, said: str) -> Counts:
    """Entities by kind, right in both ends."""
    return _by_kind(spans(json.loads(label)), spans(json.loads(said)))


@lru_cache(maxsize=1 << 15)
def of_words(label: str, said: str) -> Counts:
    """Words by tag."""
    return _by_kind(*(((tag, place) for place, tag in enumerate(json.loads(side))) for side in (label, said)))


def of_tags(labels: Iterable[str]) -> Counting:
    """How sentences with these tags are counted: entities of BIO tags, words of others, as the task has it."""
    return of_entities if all(map(_is_bio, labels)) else of_words


@lru_cache(maxsize=1 << 15)
def _is_bio(label: str) -> bool:
    return all(map(is_bio, json.loads(label)))


def _by_kind(true: Iterable[tuple[Any, ...]], said: Iterable[tuple[Any, ...]]) -> Counts:
    wanted, found = set(true), set(said)
    return Counter(kind for kind, *_ in wanted & found), Counter(kind for kind, *_ in [*wanted, *found])


def _totals(labels: Sequence[str], predictions: Sequence[str], counts: Counting) -> tuple[Values, Values]:
    rows = [counts(label, said) for label, said in zip(labels, predictions, strict=True)]
    hits, sizes = np.array([[side.total() for side in row] for row in rows], dtype=np.float64).reshape(-1, 2).T
    return hits, sizes


def _influence(hits: Values, sizes: Values) -> Values:
    """`hits` and `sizes` by row in the first axis; where there is nothing F1 is 0."""
    size = sizes.sum(axis=0)
    share = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    f1 = 2 * hits.sum(axis=0) * share
    return np.asarray(f1 + len(hits) * (2 * hits - f1 * sizes) * share)
