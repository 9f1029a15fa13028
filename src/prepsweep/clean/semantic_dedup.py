"""One row of each cluster of texts that mean nearly the same stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.clean.clusters import Alike, keep_one_of_each
from prepsweep.embeddings import content_of_encoder, embed, similar_pairs, unreadable
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of

if TYPE_CHECKING:
    from datasets import Dataset

_WHERE = "clean.semantic_dedup"


def check(*, threshold: float, max_length: int, batch_size: int, **_: object) -> None:
    """Refuse a threshold under which unrelated texts are one, and sizes that leave no room for a word."""
    if not 0.5 <= threshold <= 1:
        raise Refused(f"{_WHERE}.threshold", f"must be between 0.5 and 1, got {threshold!r}", f"try {_WHERE}.threshold=0.95")
    if max_length < 3:
        raise Refused(f"{_WHERE}.max_length", f"must be at least 3, got {max_length!r}", f"try {_WHERE}.max_length=128")
    if batch_size < 1:
        raise Refused(f"{_WHERE}.batch_size", f"must be at least 1, got {batch_size!r}", f"try {_WHERE}.batch_size=64")


def fingerprint(*, checkpoint: str, revision: str | None, **_: object) -> dict[str, str]:
    """Content hashes of the encoder's files."""
    return content_of_encoder(checkpoint, revision, where=f"{_WHERE}.checkpoint")


def semantic_dedup(
    dataset: Dataset,
    *,
    checkpoint: str,
    revision: str | None,
    max_length: int,
    threshold: float,
    merge_across_labels: bool,
    batch_size: int,
    device: str,
) -> Result:
    """Of texts whose vectors have a cosine of `threshold` or more one stays; the others leave as `semantic_duplicate`.

    SemDeDup (Abbas et al. 2023, arXiv:2303.09540), but all pairs are compared. Encoders put opposites close together
    ("I loved it", "I hated it"): look at the evidence before lowering the threshold. Labels part the clusters, see
    `clusters.keep_one_of_each`. Texts that the encoder's vocabulary does not cover (emoji, another script) are counted
    as `unreadable` and stay. Of a longer text the first `max_length` tokens count.
    """
    check(threshold=threshold, max_length=max_length, batch_size=batch_size)
    table = table_of(dataset)
    texts = pc.unique(table.column("text"))
    texts = texts.take(pc.sort_indices(texts))
    unread = unreadable(texts.to_pylist(), checkpoint=checkpoint, revision=revision, max_length=max_length)
    known = texts.filter(pa.array(~unread))
    vectors = embed(
        known.to_pylist(), checkpoint=checkpoint, revision=revision, max_length=max_length, batch_size=batch_size, device=device
    )
    first, second, scores = similar_pairs(vectors, threshold=threshold, device=device)
    groups = pc.fill_null(pc.index_in(table.column("text"), known), -1)
    alike = Alike(np.asarray(groups, dtype=np.int64), first, second, scores)
    found = keep_one_of_each(dataset, alike, reason="semantic_duplicate", score="cosine", merge_across_labels=merge_across_labels)
    return Result(found.rows, {**found.facts, "unreadable": int((alike.groups < 0).sum())}, found.evidence)
