"""Tokens that give a class away: what a model could learn instead of the task."""

from __future__ import annotations

import math
from itertools import islice
from typing import Any

import numpy as np

from prepsweep.leaks.splits import Splits
from prepsweep.leaks.words import Numbers

PRECISION = 0.99
_MIN_ROWS = 5
_PER_CLASS = 5
# A token is named only if less than one like it in a hundred data sets would come about by chance.
_EXPECTED_BY_CHANCE = 0.01


def giveaways(rows: Splits) -> list[dict[str, Any]]:
    """Per class the most frequent tokens that stand in (almost) no text of another class.

    `{token, label, rows, precision, fraction}`: `rows` texts hold the token, `precision` of them have the label, `fraction`
    is their share of all rows. A token that chance explains, given the share of its class, is left out. These are
    what words of a topic look like too; which of them are suspected leaks, `leaks.shortcuts.telling_tokens` says.
    """
    n_texts, best, hits = _texts_with_token(rows)
    tokens = np.flatnonzero((n_texts >= _MIN_ROWS) & (hits >= PRECISION * n_texts))
    n_rows = len(rows.labels)
    shares = np.bincount(rows.labels, minlength=len(rows.classes)) / n_rows
    n_tried = int((n_texts >= _MIN_ROWS).sum())
    found: list[dict[str, Any]] = []
    for place, label in enumerate(rows.classes):
        of_class = tokens[best[tokens] == place]
        ordered = of_class[np.argsort(-n_texts[of_class], kind="stable")].tolist()
        told = (token for token in ordered if _is_no_chance(int(n_texts[token]), int(hits[token]), float(shares[place]), n_tried=n_tried))
        for token in islice(told, _PER_CLASS):
            n = int(n_texts[token])
            numbers = {"rows": n, "precision": round(float(hits[token]) / n, 4), "fraction": round(n / n_rows, 4)}
            found.append({"token": rows.tokens.names[token].as_py(), "label": label, **numbers})
    return found


def _texts_with_token(rows: Splits) -> tuple[Numbers, Numbers, Numbers]:
    """For each token how many texts hold it, the class that most of them have (of equals the first), and how many those are."""
    n_tokens, n_classes = len(rows.tokens.names), len(rows.classes)
    once = np.unique(rows.tokens.rows * n_tokens + rows.tokens.ids) if n_tokens else np.zeros(0, dtype=np.int64)
    row, token = np.divmod(once, max(n_tokens, 1))
    # The pairs that there are: a table of all tokens and a thousand classes would fill the memory.
    cells, counts = np.unique(token * n_classes + rows.labels[row], return_counts=True)
    tokens, classes = np.divmod(cells, n_classes)
    order = np.lexsort((classes, -counts, tokens))
    held, first = np.unique(tokens[order], return_index=True)
    n_texts, best, hits = (np.zeros(n_tokens, dtype=np.int64) for _ in range(3))
    np.add.at(n_texts, tokens, counts)
    best[held], hits[held] = classes[order][first], counts[order][first]
    return n_texts, best, hits


def _is_no_chance(n_texts: int, n_right: int, share: float, *, n_tried: int) -> bool:
    """Whether so many of a token's texts would hardly be of its class if the token said nothing (a binomial tail)."""
    if share == 1.0:
        return False
    terms = [
        math.lgamma(n_texts + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n_texts - k + 1)
        + k * math.log1p(-share)
        + (n_texts - k) * math.log(share)
        for k in range(n_texts - n_right + 1)
    ]
    top = max(terms)
    return top + math.log(sum(math.exp(term - top) for term in terms)) + math.log(n_tried) < math.log(_EXPECTED_BY_CHANCE)
