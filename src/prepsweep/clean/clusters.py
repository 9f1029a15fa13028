"""From pairs of like texts to rows that leave: clusters, the row that stays of each, and the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.lineage import Result, drop, table_of

if TYPE_CHECKING:
    from datasets import Dataset

Ints = NDArray[np.int64]
# A copy leaves from train rather than from a given dev or test file.
_KEEP_FIRST = {"test": 0, "dev": 1}
_MAX_EVIDENCE = 10_000


@dataclass(frozen=True)
class Alike:
    """What a measure found: texts that are one to it, and pairs of texts above its threshold.

    `groups` (n_rows,) numbers the texts, with -1 for a row that is not compared; `first` and `second` are pairs of such
    numbers, each pair once, and `scores` their similarities.
    """

    groups: Ints
    first: Ints
    second: Ints
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class _Nodes:
    """Rows that no pair can tell apart, because they share group, label and split, as one node of the graph.

    `rows` are the compared rows in the order of their uids, `of_row` their nodes; the others are per node, in the order of the groups.
    """

    rows: Ints
    of_row: Ints
    one: Ints  # place of its first row in `rows`
    sizes: Ints
    groups: Ints
    labels: Ints
    splits: Ints


def keep_one_of_each(dataset: Dataset, alike: Alike, *, reason: str, score: str, merge_across_labels: bool) -> Result:
    """Of the rows that pairs join, directly or through others, one stays; the rest leave with `reason`.

    The one that stays is of test before dev before the others, and of several the one with the smallest uid, so that the
    order of the rows does not matter. A pair of different labels joins nothing unless `merge_across_labels`; it is
    counted, and comes first in the evidence: a conflict, or a sign that the threshold is too low. Facts count rows.
    """
    table = table_of(dataset)
    nodes = _nodes(table, alike.groups)
    first, second, scores = _pairs_of_nodes(nodes, alike)
    across_labels = nodes.labels[first] != nodes.labels[second]
    joins = across_labels <= merge_across_labels
    clusters = _clusters(len(nodes.groups), first[joins], second[joins])[nodes.of_row]
    repeats = np.zeros(len(table), dtype=bool)
    repeats[nodes.rows[_later(clusters, priority_of(table)[nodes.rows])]] = True
    weights = nodes.sizes[first] * nodes.sizes[second]
    facts = {
        "pairs": int(weights.sum() + (nodes.sizes * (nodes.sizes - 1) // 2).sum()),
        "pairs_across_labels": int(weights[across_labels].sum()),
        "pairs_across_splits": int(weights[nodes.splits[first] != nodes.splits[second]].sum()),
        "clusters": int((np.bincount(clusters) > 1).sum()),
    }
    return Result(drop(dataset, reason, pa.array(repeats)), facts, _evidence(table, nodes, (first, second, scores), score))


def _nodes(table: pa.Table, groups: Ints) -> _Nodes:
    order = np.asarray(pc.sort_indices(table.column("uid")).to_numpy(), dtype=np.int64)
    rows = order[groups[order] >= 0]
    labels, splits = (codes_of(table.column(name)) for name in ("label", "split"))
    n_labels, n_splits = int(labels.max(initial=0)) + 1, int(splits.max(initial=0)) + 1
    keys = (groups[rows] * n_labels + labels[rows]) * n_splits + splits[rows]
    distinct, one, of_row, sizes = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return _Nodes(rows, of_row, one, sizes, distinct // n_splits // n_labels, distinct // n_splits % n_labels, distinct % n_splits)


def _pairs_of_nodes(nodes: _Nodes, alike: Alike) -> tuple[Ints, Ints, NDArray[np.float64]]:
    """Pairs of nodes: of two groups that are a pair, and of one group, which holds a text of several labels or splits."""
    groups, begins, sizes = np.unique(nodes.groups, return_index=True, return_counts=True)
    several = np.flatnonzero(sizes > 1)
    one = np.concatenate([np.searchsorted(groups, alike.first), several])
    other = np.concatenate([np.searchsorted(groups, alike.second), several])
    n_pairs = sizes[one] * sizes[other]
    within = np.arange(n_pairs.sum()) - np.repeat(np.cumsum(n_pairs) - n_pairs, n_pairs)
    per_first = np.repeat(sizes[other], n_pairs)
    first = np.repeat(begins[one], n_pairs) + within // per_first
    second = np.repeat(begins[other], n_pairs) + within % per_first
    scores = np.repeat(np.concatenate([alike.scores, np.ones(len(several))]), n_pairs)
    # Of a group with itself each pair comes twice, and each node with itself.
    once = (nodes.groups[first] != nodes.groups[second]) | (first < second)
    return first[once], second[once], scores[once]


def _clusters(n_nodes: int, first: Ints, second: Ints) -> Ints:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(n_nodes, n_nodes))
    return np.asarray(connected_components(edges, directed=False)[1], dtype=np.int64)


def _later(clusters: Ints, priority: Ints) -> Ints:
    """Places of all rows but the one that stays of each cluster."""
    order = np.lexsort((np.arange(len(clusters)), priority, clusters))
    later: Ints = order[1:][clusters[order[1:]] == clusters[order[:-1]]]
    return later


def priority_of(table: pa.Table) -> Ints:
    """Whose copy stays: 0 for a row of test, 1 of dev, 2 for the others."""
    encoded = table.column("split").combine_chunks().dictionary_encode()
    ranks = np.array([_KEEP_FIRST.get(name, len(_KEEP_FIRST)) for name in encoded.dictionary.to_pylist()], dtype=np.int64)
    return ranks[codes_of(table.column("split"))]


def _evidence(table: pa.Table, nodes: _Nodes, pairs: tuple[Ints, Ints, NDArray[np.float64]], score: str) -> pa.Table:
    """Up to 10,000 pairs of rows, one for each pair of nodes and one for each further row of a node, each row's uid and label."""
    copies = np.setdiff1d(np.arange(len(nodes.rows)), nodes.one)
    one = np.concatenate([nodes.one[pairs[0]], nodes.one[nodes.of_row[copies]]])
    other = np.concatenate([nodes.one[pairs[1]], copies])
    scores = np.concatenate([pairs[2], np.ones(len(copies))])
    same_label = nodes.labels[nodes.of_row[one]] == nodes.labels[nodes.of_row[other]]
    # Rows are in the order of their uids, so the places sort as the uids do.
    low, high = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((high, low, -scores, same_label))[:_MAX_EVIDENCE]
    first, second = (table.take(pa.array(nodes.rows[places[order]])) for places in (low, high))
    columns = {"uid_a": first.column("uid"), "uid_b": second.column("uid"), score: pa.array(scores[order])}
    return pa.table(columns | {"label_a": first.column("label"), "label_b": second.column("label")})


def codes_of(column: pa.ChunkedArray) -> Ints:
    """A number for each value of the column, from 0 in the order of their appearance."""
    return np.asarray(column.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False), dtype=np.int64)
