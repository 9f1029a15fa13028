"""One row of each cluster of nearly equal texts stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.clean.clusters import Alike, keep_one_of_each
from prepsweep.clean.minhash import banding, candidates, in_a_bucket
from prepsweep.clean.shingles import distinct_shingles, equal_in_all, equal_sets, hashed_shingles, jaccard, rows_only, side_by_side
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from prepsweep.schema import ALL_KINDS, text_columns

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = ALL_KINDS
_WHERE = "clean.near_dedup"


def check(*, threshold: float, ngram: int, num_perm: int, merge_across_labels: bool) -> None:  # noqa: ARG001 - it is given all arguments
    """Refuse values under which every text, or none, is like another, and too few permutations for the threshold."""
    if not 0.3 <= threshold <= 1:
        fix = f"try {_WHERE}.threshold=0.8; use clean=exact_dedup for exact copies"
        raise Refused(f"{_WHERE}.threshold", f"must be between 0.3 and 1, got {threshold!r}", fix)
    if not 1 <= ngram <= 20:
        raise Refused(f"{_WHERE}.ngram", f"must be from 1 to 20 words, got {ngram!r}", f"try {_WHERE}.ngram=2")
    if not 32 <= num_perm <= 1024:
        raise Refused(f"{_WHERE}.num_perm", f"must be from 32 to 1024, got {num_perm!r}", f"try {_WHERE}.num_perm=128")


def near_dedup(dataset: Dataset, *, threshold: float, ngram: int, num_perm: int, merge_across_labels: bool) -> Result:
    """Of texts whose word n-grams have a Jaccard similarity of `threshold` or more one stays; the others leave as `near_duplicate`.

    Case, punctuation and space do not count, a Chinese character is a word, and a text shorter than `ngram` is like
    another only if all its words are. With 2-grams, 0.8 is one word in twenty; short texts must be equal but for one word
    at the end. Rows without words (empty, emoji) stay. Candidates come from MinHash (Broder 1997), each is then compared
    exactly: no pair below the threshold is joined, and of those at the threshold at most 1% are missed, of the others fewer.
    Rows that are pairs of texts are as alike as the less similar of the two: another question on the same paragraph is no copy.
    Clusters join through their members, and labels part them: see `clusters.keep_one_of_each`.
    """
    check(threshold=threshold, ngram=ngram, num_perm=num_perm, merge_across_labels=merge_across_labels)
    bands, rows = banding(threshold, num_perm)
    table = table_of(dataset)
    read = text_columns(table.column_names)
    # Two sets that are both alike are so together as well (|A ∩ B| / |A ∪ B| lies between theirs): no pair is missed.
    hashes, starts = side_by_side([hashed_shingles(table.column(name), ngram) for name in read])
    suspects = np.flatnonzero(in_a_bucket(hashes, starts, bands=bands, rows=rows))
    # By uid, so that nothing that follows depends on the order of the rows.
    suspects = suspects[np.asarray(pc.sort_indices(table.column("uid").take(pa.array(suspects))).to_numpy())]
    shingles = [distinct_shingles(table.column(name).take(pa.array(suspects)), ngram) for name in read]
    sets = equal_in_all([equal_sets(of_column) for of_column in shingles])
    _, one_of_each = np.unique(sets, return_index=True)
    first, second = candidates(*rows_only(hashes, starts, suspects[one_of_each]), bands=bands, rows=rows)
    scores = np.min([jaccard(of_column, one_of_each[first], one_of_each[second]) for of_column in shingles], axis=0)
    found = scores >= threshold
    groups = np.full(len(table), -1, dtype=np.int64)
    groups[suspects] = sets
    alike = Alike(groups, first[found], second[found], scores[found])
    return keep_one_of_each(dataset, alike, reason="near_duplicate", score="jaccard", merge_across_labels=merge_across_labels)
