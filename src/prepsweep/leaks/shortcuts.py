"""A label that can be read off one token, or off its own name."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from prepsweep.leaks.leak import Leak, leak
from prepsweep.leaks.splits import Splits
from prepsweep.leaks.words import Numbers, Stream, class_names
from prepsweep.schema import CLASSES, SPLITS
from prepsweep.sources.files import short

_MIN_PRECISION = 0.99
_MIN_SHARE = 0.05
# Of a class that nearly all rows have, every word "predicts" it: of what the class share leaves, so much must be gained.
_MIN_GAIN = 0.9
# Tokens found by chance, over all tokens that are looked at.
_CHANCE = 1e-3
_MOST = 0.5
_MIN_ROWS = 5


def telling_tokens(splits: Splits) -> Iterator[Leak]:
    """Tokens in at least one row of twenty whose rows have one label, 99 of 100 or more; one finding a class, the commonest token."""
    n_rows = len(splits.table)
    tokens = splits.tokens
    common = np.bincount(tokens.ids, minlength=len(tokens.names)) >= _MIN_SHARE * n_rows
    rows_with = _rows_with(tokens, np.flatnonzero(common))
    shares = np.bincount(splits.labels, minlength=len(splits.classes)) / n_rows
    best: dict[int, tuple[int, int]] = {}
    for token, rows in rows_with.items():
        labels = np.bincount(splits.labels[rows], minlength=len(shares))
        label = int(labels.argmax())
        tells = _tells(int(labels[label]), len(rows), float(shares[label]), n_tokens=len(tokens.names))
        if len(rows) >= _MIN_SHARE * n_rows and tells and len(rows) > best.get(label, (0, 0))[0]:
            best[label] = len(rows), token
    for label, (n_with, token) in sorted(best.items()):
        found = rows_with[token]
        right = int(np.sum(splits.labels[found] == label))
        word, name = short(tokens.names[token].as_py()), short(splits.classes[label])
        what = f"{word} is in {n_with:,} rows ({n_with / n_rows:.0%}), {right:,} of them {name}"
        yield leak("token_predicts_label", "medium", splits.splits_of(found), what, splits.uids(found))


def _rows_with(tokens: Stream, wanted: Numbers) -> dict[int, Numbers]:
    """The rows that each of the tokens is in, once each."""
    place = np.full(len(tokens.names), -1)
    place[wanted] = np.arange(len(wanted))
    kept = place[tokens.ids] >= 0
    n_rows = len(tokens.lengths)
    pairs = np.sort(place[tokens.ids[kept]] * n_rows + tokens.rows[kept])
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    ends = np.searchsorted(pairs, np.arange(1, len(wanted)) * n_rows)
    return dict(zip(wanted.tolist(), np.split(pairs % n_rows, ends), strict=True)) if len(wanted) else {}


def _tells(n_right: int, n_with: int, share: float, *, n_tokens: int) -> bool:
    precision = n_right / n_with
    if precision < _MIN_PRECISION or (precision - share) < _MIN_GAIN * (1 - share):
        return False
    # At least the chance of so many right ones at random (a union bound over which are wrong), for as many tokens as there are.
    ways = math.lgamma(n_with + 1) - math.lgamma(n_right + 1) - math.lgamma(n_with - n_right + 1)
    return ways + n_right * math.log(share) + math.log(n_tokens) < math.log(_CHANCE)


def names_in_texts(splits: Splits) -> Iterator[Leak]:
    """Classes whose name is in most of their own texts, and in less than half that share of the others'; not where a label is no name."""
    if CLASSES in splits.table.column_names:
        return
    for label, words in class_names(splits.classes):
        named = splits.tokens.words.rows_with(words)
        own = splits.labels == splits.classes.index(label)
        found: Numbers = np.flatnonzero(named & own)
        share, other_share = len(found) / own.sum(), float(named[~own].mean()) if not own.all() else 1.0
        if len(found) >= _MIN_ROWS and share > _MOST and share > 2 * other_share:
            what = f"{len(found):,} of {own.sum():,} texts of {short(label)} name it ({other_share:.0%} of the others do)"
            yield leak("class_name_in_its_texts", "medium", SPLITS, what, splits.uids(found))
