"""Labels as a fine-tuned classifier gives them: the second opinion on rows that a stage made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from prepsweep.checkpoints import TOKENIZER_FILES, WEIGHT_FILES, checkpoint_folder, content_of
from prepsweep.embeddings import hardware_of
from prepsweep.progress import track

_FILES = (*TOKENIZER_FILES, *WEIGHT_FILES)


def judge_folder(judge: str, *, revision: str | None, where: str) -> Path:
    """Local folder of the classifier; a hub name is downloaded unless it is there."""
    return checkpoint_folder(judge, revision=revision, patterns=_FILES, where=where)


def content_of_judge(folder: Path) -> dict[str, str]:
    """Content hashes of the files that decide what the judge says."""
    return {f"judge.{name}": digest for name, digest in content_of(folder, _FILES).items()}


def labels_known(folder: Path) -> list[str]:
    """Names of the classes in the order of the model's outputs, from its `id2label`; empty if it has none."""
    names = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("id2label") or {}
    return [str(name) for _, name in sorted(names.items(), key=lambda item: int(item[0]))]


def judged_labels(texts: Sequence[str], *, folder: Path, max_length: int, batch_size: int, device: str) -> list[str]:
    """The most probable class of each text, read up to `max_length` tokens; of equals the first.

    Equal texts are judged once, in batches that depend on the set of texts and not on their order.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).to(hardware_of(device)).eval()
    longest = min(max_length, getattr(model.config, "max_position_embeddings", max_length))
    distinct, places = np.unique(np.asarray(texts, dtype=object), return_inverse=True)
    order = sorted(range(len(distinct)), key=lambda row: (-len(distinct[row]), distinct[row]))
    chosen = np.zeros(len(distinct), dtype=np.int64)
    with torch.inference_mode():
        for rows in track([order[start : start + batch_size] for start in range(0, len(order), batch_size)], "judging texts"):
            batch = tokenizer([distinct[row] for row in rows], truncation=True, max_length=longest, padding=True, return_tensors="pt")
            chosen[rows] = model(**batch.to(model.device)).logits.argmax(dim=-1).cpu().numpy()
    return [str(model.config.id2label[int(label)]) for label in chosen[places.reshape(-1)]]
