"""One row of each cluster of texts that mean nearly the same stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.clean.clusters import Alike, keep_one_of_each
from prepsweep.embeddings import content_of_encoder, embed, similar_pairs, unreadable
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from prepsweep.schema import ALL_KINDS, text_columns
from prepsweep.text import whole_texts

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = ALL_KINDS
_WHERE = "clean.semantic_dedup"
# Of a cosine computed in single precision.
_ROUNDING = 1e-6


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
    as `unreadable` and stay. Of a longer text the first `max_length` tokens count. Rows that are pairs of texts are as
    alike as the less similar of the two.
    """
    check(threshold=threshold, max_length=max_length, batch_size=batch_size)
    table = table_of(dataset)
    read = text_columns(table.column_names)
    texts = table.select(read).group_by(read).aggregate([]).sort_by([(name, "ascending") for name in read])
    encoder: dict[str, Any] = {"checkpoint": checkpoint, "revision": revision, "max_length": max_length}
    unread = [unreadable(texts.column(name).to_pylist(), **encoder) for name in read]
    known = texts.filter(pa.array(~np.any(unread, axis=0)))
    vectors = [embed(known.column(name).to_pylist(), **encoder, batch_size=batch_size, device=device) for name in read]
    first, second, scores = _alike_in_all(vectors, threshold=threshold, device=device)
    groups = pc.fill_null(pc.index_in(whole_texts(table), whole_texts(known).combine_chunks()), -1)
    alike = Alike(np.asarray(groups, dtype=np.int64), first, second, scores)
    found = keep_one_of_each(dataset, alike, reason="semantic_duplicate", score="cosine", merge_across_labels=merge_across_labels)
    return Result(found.rows, {**found.facts, "unreadable": int((alike.groups < 0).sum())}, found.evidence)


def _alike_in_all(
    vectors: list[NDArray[np.float32]], *, threshold: float, device: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of rows whose cosine is `threshold` or more in each of the sets of vectors, and the lowest of their cosines."""
    if len(vectors) == 1:
        return similar_pairs(vectors[0], threshold=threshold, device=device)
    # The cosine of what is put together is the mean of the two: a pair that is alike in both is among these.
    together = np.concatenate(vectors, axis=1) / np.float32(np.sqrt(len(vectors)))
    first, second, _ = similar_pairs(together, threshold=threshold - _ROUNDING, device=device)
    scores = np.min([np.einsum("nd,nd->n", side[first], side[second], dtype=np.float64) for side in vectors], axis=0)
    found = scores >= threshold - _ROUNDING
    return first[found], second[found], np.minimum(scores[found], 1.0)
