"""Filtering of augmented rows: of the children that a stage makes only those that pass a test stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from prepsweep.augment.judge import content_of_judge, judge_folder, judged_labels, labels_known
from prepsweep.augment.wrapped import Augment, make_inner, with_children
from prepsweep.embeddings import content_of_encoder, embed, unreadable
from prepsweep.errors import Refused
from prepsweep.lineage import Result, dataset_of, drop, table_of
from prepsweep.schema import ONE_CLASS, TEXT_PAIR

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = (ONE_CLASS,)
_WHERE = "augment.keep_if"
_EVIDENCE_ROWS = 10_000


def keep_if(
    dataset: Dataset,
    *,
    seed: int,
    stage: Augment,
    min_similarity: float | None,
    max_similarity: float | None,
    min_edit: float | None,
    max_edit: float | None,
    judge: str | None,
    judge_revision: str | None,
    checkpoint: str,
    revision: str | None,
    max_length: int,
    batch_size: int,
    device: str,
    num_proc: int,
) -> Result:
    """The children of `stage` that pass every test which is not null; each other one leaves with the first reason it has.

    `edit_distance`: Levenshtein distance to the parent, as a share of the longer text, outside `min_edit` to `max_edit`.
    `too_different`, `too_similar`: cosine between the embeddings of child and parent outside `min_similarity` to
    `max_similarity`, which does not see that "good" became "bad". A text that the encoder's vocabulary does not cover has
    no similarity and passes (facts: `unreadable`).
    `label_changed`: `judge`, a classifier with our labels, gives the child another label than it has. The judge must not
    have seen the test rows, and it takes out what it would get wrong. Evidence holds the scores, row by row.
    """
    made = make_inner(dataset, stage, rows=range(len(dataset)), wrapper="keep_if", seed=seed, num_proc=num_proc)
    text_of = dict(zip(*(table_of(dataset).column(name).to_pylist() for name in ("uid", "text")), strict=True))
    uids, texts, labels = (made.children.column(name).to_pylist() for name in ("parent_uid", "text", "label"))
    parents = [text_of[uid] for uid in uids]
    children, facts = dataset_of(made.children), dict(made.facts)
    scores: dict[str, Any] = {}
    if min_edit is not None or max_edit is not None:
        scores["edit"] = cpdist(parents, texts, scorer=Levenshtein.normalized_distance, dtype=np.float64, workers=num_proc)
        children = _drop_outside(children, scores["edit"], min_edit, max_edit, reasons=("edit_distance", "edit_distance"))
    if min_similarity is not None or max_similarity is not None:
        encoder = {"checkpoint": checkpoint, "revision": revision, "max_length": max_length}
        scores["similarity"] = _similarity(parents, texts, encoder, batch_size=batch_size, device=device)
        facts["unreadable"] = int(np.isnan(scores["similarity"]).sum())
        children = _drop_outside(children, scores["similarity"], min_similarity, max_similarity, reasons=("too_different", "too_similar"))
    if judge is not None:
        folder = judge_folder(judge, revision=judge_revision, where=f"{_WHERE}.judge")
        scores["judged"] = judged_labels(texts, folder=folder, max_length=max_length, batch_size=batch_size, device=device)
        children = drop(children, "label_changed", [found != label for found, label in zip(scores["judged"], labels, strict=True)])
    return Result(with_children(dataset, [table_of(children)]), facts, _evidence(table_of(children), scores))


def check(
    *,
    min_similarity: float | None,
    max_similarity: float | None,
    min_edit: float | None,
    max_edit: float | None,
    judge: str | None,
    max_length: int,
    batch_size: int,
    **_: object,
) -> None:
    """Refuse limits that nothing can pass, and a filter without a test."""
    if judge is None and (min_similarity, max_similarity, min_edit, max_edit) == (None,) * 4:
        raise Refused(_WHERE, "tests nothing: all limits and the judge are null", "set one, such as augment.keep_if.min_similarity=0.7")
    for kind, lowest, low, high in (("similarity", -1, min_similarity, max_similarity), ("edit", 0, min_edit, max_edit)):
        for name, limit in ((f"min_{kind}", low), (f"max_{kind}", high)):
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, (int, float)) or not lowest <= limit <= 1):
                raise Refused(f"{_WHERE}.{name}", f"must be between {lowest} and 1, got {limit!r}", f"use {name}=null for no limit")
        if low is not None and high is not None and low > high:
            raise Refused(f"{_WHERE}.min_{kind}", f"is {low}, above max_{kind}, which is {high}", "nothing could pass: swap them")
    for name, value in (("max_length", max_length), ("batch_size", batch_size)):
        if isinstance(value, bool) or not (isinstance(value, int) and value >= 1):
            raise Refused(f"{_WHERE}.{name}", f"must be at least 1, got {value!r}", f"leave {name} at its default")


def check_rows(dataset: Dataset, *, judge: str | None, judge_revision: str | None, **_: object) -> None:
    """Refuse a judge that does not know a class of the rows, as it would reject all of its children, and any judge of pairs of texts."""
    if judge is None:
        return
    if TEXT_PAIR in dataset.column_names:
        what = "a judge reads one text, and these rows are pairs of them (data.text_pair_column)"
        raise Refused(f"{_WHERE}.judge", what, f"set {_WHERE}.judge=null")
    known = labels_known(judge_folder(judge, revision=judge_revision, where=f"{_WHERE}.judge"))
    for label in sorted(pc.unique(table_of(dataset).column("label")).to_pylist()):
        if label not in known:
            fix = f"its id2label has {', '.join(map(repr, known)) or 'no names'}; save it with the names of your classes"
            raise Refused(f"{_WHERE}.judge", f"knows no class {label!r}", fix)


def fingerprint(
    *,
    min_similarity: float | None,
    max_similarity: float | None,
    checkpoint: str,
    revision: str | None,
    judge: str | None,
    judge_revision: str | None,
    **_: object,
) -> dict[str, str]:
    """Content hashes of the encoder and the judge, of those that are used."""
    files: dict[str, str] = {}
    if min_similarity is not None or max_similarity is not None:
        files |= content_of_encoder(checkpoint, revision, where=f"{_WHERE}.checkpoint")
    if judge is not None:
        files |= content_of_judge(judge_folder(judge, revision=judge_revision, where=f"{_WHERE}.judge"))
    return files


def _similarity(
    parents: list[str], children: list[str], encoder: dict[str, Any], *, batch_size: int, device: str
) -> NDArray[np.floating[Any]]:
    """Cosine of each pair, NaN where the encoder cannot read one of the two; equal texts have exactly 1."""
    vectors = embed([*parents, *children], **encoder, batch_size=batch_size, device=device).astype(np.float64)
    blind = unreadable([*parents, *children], **encoder)
    n_pairs = len(parents)
    cosine: NDArray[np.floating[Any]] = np.einsum("nd,nd->n", vectors[:n_pairs], vectors[n_pairs:])
    same = np.array([parent == child for parent, child in zip(parents, children, strict=True)], dtype=bool)
    return np.where(same, 1.0, np.where(blind[:n_pairs] | blind[n_pairs:], np.nan, np.clip(cosine, -1, 1)))


def _drop_outside(
    children: Dataset, values: NDArray[np.floating[Any]], low: float | None, high: float | None, *, reasons: tuple[str, str]
) -> Dataset:
    # A comparison with NaN is false, so what has no value passes.
    if low is not None:
        children = drop(children, reasons[0], pa.array(values < low))
    return drop(children, reasons[1], pa.array(values > high)) if high is not None else children


def _evidence(children: pa.Table, scores: dict[str, Any]) -> pa.Table:
    found = children.select(["uid", "parent_uid", "label", "dropped"])
    for name, values in scores.items():
        found = found.append_column(name, pa.array(values, from_pandas=True))
    return found.sort_by("uid").slice(0, _EVIDENCE_ROWS)
