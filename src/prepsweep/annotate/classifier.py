"""Classes from a checkpoint with a classification head: a model that was trained before, here or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from prepsweep.annotate.ballots import Floats
from prepsweep.checkpoints import TOKENIZER_FILES, WEIGHT_FILES, checkpoint_folder, content_of
from prepsweep.embeddings import hardware_of
from prepsweep.errors import Refused
from prepsweep.pretrained import batches_by_length
from prepsweep.progress import track
from prepsweep.schema import text_columns

_FILES = (*TOKENIZER_FILES, *WEIGHT_FILES)


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
    return content_of(checkpoint_folder(checkpoint, revision=revision, patterns=_FILES, where=where), _FILES)


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
    """What the checkpoint says of each row (of both texts of a pair), each distinct text once.

    Its classes are its `id2label`, renamed by `classes`. Batches depend on the set of texts only, so their order does not.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    folder = checkpoint_folder(checkpoint, revision=revision, patterns=_FILES, where=where)
    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).to(hardware_of(device)).eval()
    names = [model.config.id2label[place] for place in range(model.config.num_labels)]
    columns = [rows[name].to_pylist() for name in text_columns(rows.column_names)]
    given = list(zip(*columns, strict=True))
    distinct = sorted(set(given))
    length = min(max_length, getattr(model.config, "max_position_embeddings", max_length))
    encoded = tokenizer(*map(list, zip(*distinct, strict=True)), truncation=True, max_length=length)["input_ids"]
    p = np.full((len(distinct), len(names)), np.nan)
    with torch.inference_mode():
        for batch in track(batches_by_length([" ".join(texts) for texts in distinct], encoded, batch_size * length), "classifying texts"):
            inputs = tokenizer(
                *map(list, zip(*(distinct[row] for row in batch), strict=True)), truncation=True, max_length=length, padding=True
            )
            logits = model(**{key: torch.tensor(values, device=model.device) for key, values in inputs.items()}).logits
            p[batch] = torch.softmax(logits.float(), dim=1).cpu().numpy()
    place = {texts: number for number, texts in enumerate(distinct)}
    return Classified(p[[place[texts] for texts in given]], _renamed(names, classes, where))


def _renamed(names: list[str], classes: Mapping[Any, str] | None, where: str) -> list[str]:
    wanted = {str(old): new for old, new in (classes or {}).items()}
    if unknown := sorted(set(wanted) - set(names)):
        raise Refused(where, f"the checkpoint has no class {unknown[0]!r}", f"it has {', '.join(names[:10])}")
    found = [wanted.get(name, name) for name in names]
    if len(set(found)) < len(found):
        raise Refused(where, "two classes of the checkpoint are given one name", "name each of them once")
    return found
