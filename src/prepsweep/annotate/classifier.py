"""Classes from a checkpoint with a classification head: a model that was trained before, here or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from prepsweep.annotate.ballots import Floats
from prepsweep.checkpoints import MODEL_FILES, checkpoint_folder, content_of
from prepsweep.classifier import class_probabilities
from prepsweep.errors import Refused
from prepsweep.schema import text_columns


@dataclass(frozen=True)
class Classified:
    """Probabilities (n_rows, n_classes) of the classes; NaN for a row without text."""

    p: Floats
    classes: list[str]

    def sure(self, min_confidence: float) -> Floats:
        """The probabilities, NaN where the best is below `min_confidence`."""
        return np.where(np.nan_to_num(self.p).max(axis=1, keepdims=True) >= min_confidence, self.p, np.nan)

    def labels(self, min_confidence: float) -> pa.Array:
        """The most probable class of each row, null where it is below `min_confidence`."""
        known = np.nan_to_num(self.sure(min_confidence))
        return pa.array(self.classes, pa.string()).take(pa.array(known.argmax(axis=1), mask=known.max(axis=1) == 0))


def content_of_model(checkpoint: str, revision: str | None, *, where: str) -> dict[str, str]:
    """Content hashes of the checkpoint's files; one of the hub is fetched first."""
    return content_of(checkpoint_folder(checkpoint, revision=revision, patterns=MODEL_FILES, where=where), MODEL_FILES)


def classified(
    rows: pa.Table,
    *,
    checkpoint: str,
    revision: str | None,
    classes: Mapping[Any, str] | None,
    max_length: int,
    batch_size: int,
    device: str,
    where: str,
) -> Classified:
    """What the checkpoint says of each row (of both texts of a pair); its classes are its `id2label`, renamed by `classes`."""
    folder = checkpoint_folder(checkpoint, revision=revision, patterns=MODEL_FILES, where=where)
    texts = list(zip(*(rows[name].to_pylist() for name in text_columns(rows.column_names)), strict=True))
    p, names = class_probabilities(texts, folder=folder, max_length=max_length, batch_size=batch_size, device=device)
    return Classified(p, _renamed(names, classes, where))


def _renamed(names: list[str], classes: Mapping[Any, str] | None, where: str) -> list[str]:
    wanted = {str(old): new for old, new in (classes or {}).items()}
    if unknown := sorted(set(wanted) - set(names)):
        raise Refused(where, f"the checkpoint has no class {unknown[0]!r}", f"it has {', '.join(names[:10])}")
    found = [wanted.get(name, name) for name in names]
    if len(set(found)) < len(found):
        raise Refused(where, "two classes of the checkpoint are given one name", "name each of them once")
    return found
