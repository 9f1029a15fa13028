"""Labels from a model that exists: a checkpoint with a head over classes, or an encoder and a description of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from prepsweep.annotate.classifier import Classified, classified, content_of_model
from prepsweep.annotate.consensus import proposed
from prepsweep.annotate.origins import check_on_abstain, check_rows_asked
from prepsweep.embeddings import embed
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from prepsweep.schema import text_columns

if TYPE_CHECKING:
    from datasets import Dataset

_WHERE = "annotate.model"


def model(
    dataset: Dataset,
    *,
    checkpoint: str,
    revision: str | None,
    descriptions: Mapping[str, str | Sequence[str]] | None,
    classes: Mapping[Any, str] | None,
    temperature: float,
    min_confidence: float,
    max_length: int,
    batch_size: int,
    device: str,
    soft: bool,
    rows: str,
    on_abstain: str,
) -> Result:
    """The class that a model gives each row, where it is at least `min_confidence` sure.

    With `descriptions` (class: a sentence, or several) the checkpoint is an encoder, and a row has the class whose
    description is nearest to its text: the softmax of the cosines over `temperature`. Yin, Hay & Roth 2019 (arXiv:1909.00161) set that
    task. Without them it is a classifier, its class names renamed by `classes`. A row without text has no label. What a
    model says is what it was trained on: its labels are no gold.
    """
    check(descriptions=descriptions, temperature=temperature, min_confidence=min_confidence, rows=rows, on_abstain=on_abstain)
    table = table_of(dataset)
    encoder: dict[str, Any] = {
        "checkpoint": checkpoint,
        "revision": revision,
        "max_length": max_length,
        "batch_size": batch_size,
        "device": device,
    }
    if descriptions is None:
        found = classified(table, **encoder, classes=classes, where=f"{_WHERE}.checkpoint")
    else:
        found = _nearest(table, descriptions, temperature, encoder)
    return proposed(dataset, found.sure(min_confidence), found.classes, soft=soft, origin="model", rows=rows, on_abstain=on_abstain)


def check(*, descriptions: Any, temperature: float, min_confidence: float, rows: str, on_abstain: str, **_: object) -> None:
    """Refuse descriptions that are none, and numbers out of range."""
    if descriptions is not None:
        if not isinstance(descriptions, Mapping) or len(descriptions) < 2:
            what = f"must describe two classes or more, got {descriptions!r}"
            raise Refused(
                f"{_WHERE}.descriptions", what, f"write '{_WHERE}.descriptions={{spam:an advertisement,ham:a comment}}', in quotes"
            )
        for name, said in descriptions.items():
            several = [said] if isinstance(said, str) else said
            if not isinstance(several, Sequence) or not several or not all(isinstance(one, str) and one.strip() for one in several):
                raise Refused(f"{_WHERE}.descriptions.{name}", f"is no description: {said!r}", "write a sentence, or a list of them")
    if not temperature > 0:
        raise Refused(f"{_WHERE}.temperature", f"must be above 0, got {temperature}", "0.05 is usual")
    if not 0 <= min_confidence <= 1:
        raise Refused(f"{_WHERE}.min_confidence", f"must be from 0 to 1, got {min_confidence}", "0 labels every row")
    check_rows_asked(rows, _WHERE)
    check_on_abstain(on_abstain, _WHERE)


def fingerprint(*, checkpoint: str, revision: str | None, **_: object) -> dict[str, str]:
    """Content hashes of the model."""
    return content_of_model(checkpoint, revision, where=f"{_WHERE}.checkpoint")


def _nearest(
    table: pa.Table, descriptions: Mapping[str, str | Sequence[str]], temperature: float, encoder: Mapping[str, Any]
) -> Classified:
    """Probabilities of the classes by the mean cosine of a row's text to the descriptions of each."""
    classes = sorted(descriptions)
    told = [[said] if isinstance(said, str) else list(said) for said in (descriptions[name] for name in classes)]
    texts = [" ".join(parts) for parts in zip(*(table[name].to_pylist() for name in text_columns(table.column_names)), strict=True)]
    vectors = embed([*texts, *(one for several in told for one in several)], **encoder)
    cosines = vectors[: len(texts)] @ vectors[len(texts) :].T
    ends = np.cumsum([len(several) for several in told])
    means = np.stack([part.mean(axis=1) for part in np.split(cosines, ends[:-1], axis=1)], axis=1).astype(np.float64)
    powers = np.exp((means - means.max(axis=1, keepdims=True)) / temperature)
    p = powers / powers.sum(axis=1, keepdims=True)
    p[[not text.strip() for text in texts]] = np.nan
    return Classified(p, classes)
