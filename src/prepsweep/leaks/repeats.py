"""The same text again: in two splits, or under two labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from prepsweep.leaks.leak import Leak, leak
from prepsweep.leaks.near import near_rows
from prepsweep.leaks.splits import PAIRS, Splits


def repeats_across(splits: Splits) -> Iterator[Leak]:
    """Rows whose text is in an earlier split too: as it is, but for case and punctuation, or but for one word in twenty.

    A row is counted under the first of the three that is true. Of rows that are pairs of texts both must be the same: the
    premise, question or paragraph alone may be in every split.
    """
    for earlier, later in PAIRS:
        sources, rows = splits.rows[earlier], splits.rows[later]
        exact = np.isin(splits.texts[rows], splits.texts[sources])
        alike = ~exact & (splits.folded[rows] >= 0) & np.isin(splits.folded[rows], splits.folded[sources])
        rest = rows[~exact & ~alike]
        near = near_rows(splits.tokens.words, splits.rarest, rest, sources, sides=splits.words)
        for name, found, how in (
            ("same_text_across_splits", rows[exact], "have the text of"),
            ("same_folded_text_across_splits", rows[alike], "have, but for case, space and punctuation, the text of"),
            ("near_duplicate_across_splits", rest[near], "differ in at most one word in twenty from"),
        ):
            if len(found):
                what = f"{len(found):,} of {len(rows):,} {later} rows {how} a {earlier} row"
                yield leak(name, "high", (earlier, later), what, splits.uids(found))


def labels_in_conflict(splits: Splits) -> Iterator[Leak]:
    """Rows that share their text with a row of another class."""
    pairs = np.unique(np.stack([splits.texts, splits.labels]), axis=1)
    texts, n_labels = np.unique(pairs[0], return_counts=True)
    found = np.flatnonzero(np.isin(splits.texts, texts[n_labels > 1]))
    if len(found):
        what = f"{len(found):,} rows have a text that is also there under another label ({np.sum(n_labels > 1):,} texts)"
        yield leak("same_text_with_different_labels", "low", splits.splits_of(found), what, splits.uids(found))
