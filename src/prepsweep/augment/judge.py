"""Labels as a fine-tuned classifier gives them: the second opinion on rows that a stage made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from prepsweep.checkpoints import MODEL_FILES, checkpoint_folder, content_of
from prepsweep.classifier import class_probabilities


def judge_folder(judge: str, *, revision: str | None, where: str) -> Path:
    """Local folder of the classifier; a hub name is downloaded unless it is there."""
    return checkpoint_folder(judge, revision=revision, patterns=MODEL_FILES, where=where)


def content_of_judge(folder: Path) -> dict[str, str]:
    """Content hashes of the files that decide what the judge says."""
    return {f"judge.{name}": digest for name, digest in content_of(folder, MODEL_FILES).items()}


def labels_known(folder: Path) -> list[str]:
    """Names of the classes in the order of the model's outputs, from its `id2label`; empty if it has none."""
    names = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("id2label") or {}
    return [str(name) for _, name in sorted(names.items(), key=lambda item: int(item[0]))]


def judged_labels(texts: Sequence[str], *, folder: Path, max_length: int, batch_size: int, device: str) -> list[str]:
    """The most probable class of each text, read up to `max_length` tokens; of equals, and for a blank text, the first."""
    rows = [(text,) for text in texts]
    p, names = class_probabilities(rows, folder=folder, max_length=max_length, batch_size=batch_size, device=device)
    return [names[place] for place in np.nan_to_num(p).argmax(axis=1)]
