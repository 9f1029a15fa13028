"""Equal texts under different labels: out, or under the label that most of them have, or only counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.clean.clusters import Ints, codes_of
from prepsweep.clean.shingles import distinct_of
from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result, drop, table_of, with_column
from prepsweep.schema import ONE_CLASS, text_columns
from prepsweep.text import as_one

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = (ONE_CLASS,)
ACTIONS = ("drop", "majority", "report")
EQUAL = ("exact", "ignore_case_and_space")
_WHERE = "clean.label_conflicts"
_MAX_EVIDENCE = 10_000


def check(*, action: str, equal: str) -> None:
    """Refuse an action, or a notion of equality, that there is not."""
    for name, value, known in (("action", action, ACTIONS), ("equal", equal, EQUAL)):
        if value not in known:
            raise Refused(f"{_WHERE}.{name}", f"unknown value {value!r}", nearest(str(value), known))


def label_conflicts(dataset: Dataset, *, action: str, equal: str) -> Result:
    """Rows whose text has several labels leave as `label_conflict`, or get the label of most of them, or stay.

    `majority` needs one label that more rows have than any other: the rows of a tie leave. Rows of dev and test are
    never changed and have no say, since their labels must not decide what is learned: they are only counted. Texts are
    equal if `exact`ly the same, or after NFC, lower case and one space for every run of white space; pairs are equal if
    both of their texts are. Relabelled rows may be copies then: run `exact_dedup` after this stage.
    """
    check(action=action, equal=equal)
    table = table_of(dataset)
    read = [table.column(name) for name in text_columns(table.column_names)]
    texts = codes_of(as_one([_folded(texts) for texts in read] if equal == "ignore_case_and_space" else read))
    encoded = table.column("label").combine_chunks().dictionary_encode()
    labels = codes_of(table.column("label"))
    free = np.asarray(pc.invert(pc.is_in(table.column("split"), pa.array(["dev", "test"]))), dtype=np.bool_)
    several = _have_several(texts[free], labels[free], int(texts.max(initial=-1)) + 1)[texts]
    rows = np.flatnonzero(several & free)
    winners = _majority(texts, labels, rows, n_labels=len(encoded.dictionary))
    tied = winners[rows] < 0
    evidence = _evidence(table, rows, pc.take(encoded.dictionary, pa.array(winners[rows], mask=tied)))
    anywhere = _have_several(texts, labels, int(texts.max(initial=-1)) + 1)
    facts = {
        "texts": len(np.unique(texts[rows])),
        "rows": len(rows),
        "rows_of_ties": int(tied.sum()),
        "texts_of_dev_or_test": int(anywhere.sum()) - len(np.unique(texts[rows])),
        "relabelled": int((winners[rows] != labels[rows])[~tied].sum()) if action == "majority" else 0,
    }
    changed = dataset
    if action == "majority":
        changed = with_column(changed, "label", encoded.dictionary.take(pa.array(np.where(winners >= 0, winners, labels))))
    if action != "report":
        leaving = np.zeros(len(table), dtype=bool)
        leaving[rows if action == "drop" else rows[tied]] = True
        changed = drop(changed, "label_conflict", pa.array(leaving))
    return Result(changed, facts, evidence)


def _folded(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    lower = pc.utf8_lower(pc.utf8_normalize(texts, form="NFC"))
    return pc.binary_join(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(lower)), " ")


def _have_several(texts: Ints, labels: Ints, n_texts: int) -> NDArray[np.bool_]:
    """Which texts have more than one label, shape (n_texts,)."""
    n_labels = int(labels.max(initial=0)) + 1
    return np.bincount(distinct_of(texts * n_labels + labels) // n_labels, minlength=n_texts) > 1


def _majority(texts: Ints, labels: Ints, rows: Ints, *, n_labels: int) -> Ints:
    """For each of `rows` the label that most rows of its text have, at its place among all rows; -1 for a tie and for other rows."""
    found = np.full(len(texts), -1, dtype=np.int64)
    pairs, counts = np.unique(texts[rows] * n_labels + labels[rows], return_counts=True)
    order = np.lexsort((counts, pairs // max(n_labels, 1)))
    text, label, count = pairs[order] // max(n_labels, 1), pairs[order] % max(n_labels, 1), counts[order]
    # The last entry of each text has the highest count, and every text here has two or more.
    last = np.flatnonzero(np.append(text[1:] != text[:-1], True)) if len(text) else np.empty(0, np.int64)
    winner = np.where(count[last] > count[last - 1], label[last], -1)
    found[rows] = winner[np.searchsorted(text[last], texts[rows])] if len(rows) else found[rows]
    return found


def _evidence(table: pa.Table, rows: Ints, majority: pa.Array) -> pa.Table:
    """Up to 10,000 of the rows in conflict, equal texts together, each with the label of most (null for a tie)."""
    read = text_columns(table.column_names)
    found = table.take(pa.array(rows)).select(["uid", *read, "label", "split"]).append_column("majority", majority)
    return found.sort_by([(name, "ascending") for name in (*read, "uid")]).slice(0, _MAX_EVIDENCE)
