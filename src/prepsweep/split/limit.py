"""A cap on train rows, for learning curves and for small machines; it is `data.limit`, and has no YAML of its own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.lineage import drop, table_of
from prepsweep.randomness import draw_by_label
from prepsweep.row_classes import share_out
from prepsweep.schema import CLASSES

if TYPE_CHECKING:
    from datasets import Dataset


def limit(dataset: Dataset, *, seed: int, n_rows: int) -> Dataset:
    """`n_rows` train rows stay, with the class shares of all train rows and at least one of each; the others leave as `limit`.

    It comes before augmentation: an augmenter sees only the rows that are left, unlike in the public code of EDA and AEDA.
    """
    table = table_of(dataset)
    splits, labels, uids = (table.column(name).to_pylist() for name in ("split", "label", "uid"))
    if CLASSES in table.column_names:
        train = [row for row, split in enumerate(splits) if split == "train"]
        sizes_of = {"kept": min(n_rows, len(train)), "left": max(len(train) - n_rows, 0)}
        shares = dict(zip(train, share_out(table.take(pa.array(train, pa.int64())), sizes_of, seed=seed, stage="limit"), strict=True))
        return drop(dataset, "limit", [shares.get(row) == "left" for row in range(len(table))])
    sizes = Counter(label for label, split in zip(labels, splits, strict=True) if split == "train")
    if n_rows < len(sizes):
        raise Refused("data.limit", f"{n_rows} rows cannot hold {len(sizes)} classes", f"use at least data.limit={len(sizes)}")
    drawn = draw_by_label(uids, labels, seed=seed, stage="limit")
    leaves = [False] * len(table)
    for label, n_kept in _shares(dict(sorted(sizes.items())), n_rows).items():
        for row in [row for row in drawn[label] if splits[row] == "train"][n_kept:]:
            leaves[row] = True
    return drop(dataset, "limit", leaves)


def _shares(sizes: dict[str, int], n_rows: int) -> dict[str, int]:
    """Largest-remainder shares of `n_rows`, at least one each and never more than there are."""
    total = sum(sizes.values())
    if n_rows >= total:
        return sizes
    exact = {label: n_rows * size / total for label, size in sizes.items()}
    shares = {label: max(1, int(share)) for label, share in exact.items()}
    by_remainder = sorted(exact, key=lambda label: (int(exact[label]) - exact[label], label))
    while sum(shares.values()) < n_rows:
        label = next(name for name in by_remainder if shares[name] < sizes[name])
        by_remainder.append(by_remainder.pop(by_remainder.index(label)))
        shares[label] += 1
    while sum(shares.values()) > n_rows:
        shares[max(shares, key=lambda name: (shares[name] - exact[name], shares[name]))] -= 1
    return shares
