"""What a checkpoint with a classification head says of texts, each distinct text once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prepsweep.errors import Refused
from prepsweep.pretrained import batches_by_length, hardware_of, longest_read
from prepsweep.progress import track


def class_probabilities(
    texts: Sequence[tuple[str, ...]], *, folder: Path, max_length: int, batch_size: int, device: str
) -> tuple[NDArray[np.float64], list[str]]:
    """Probabilities (n_texts, n_classes) of texts or of pairs of texts, and the classes of the checkpoint's `id2label`.

    Refused is a checkpoint without such a head, which would be drawn anew, or with one over numbers or sets of labels.
    A blank text has NaN. Batches of at most `batch_size` x `max_length` tokens depend on the set of texts only, so their
    order in the data decides nothing.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, info = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    _refuse_other_heads(folder, model.config, info["missing_keys"])
    model = model.to(hardware_of(device)).eval()
    names = [str(model.config.id2label[place]) for place in range(model.config.num_labels)]
    if not texts:
        return np.empty((0, len(names))), names
    distinct = sorted(set(texts))
    length = longest_read(model, max_length)
    encoded = tokenizer(*map(list, zip(*distinct, strict=True)), truncation=True, max_length=length)
    p = np.full((len(distinct), len(names)), np.nan)
    with torch.inference_mode():
        for batch in track(
            batches_by_length([" ".join(one) for one in distinct], encoded["input_ids"], batch_size * length), "classifying texts"
        ):
            inputs = tokenizer.pad({key: [values[row] for row in batch] for key, values in encoded.items()}, return_tensors="pt")
            p[batch] = torch.softmax(model(**inputs.to(model.device)).logits.float(), dim=1).cpu().numpy()
    place = {text: number for number, text in enumerate(distinct)}
    return p[[place[text] for text in texts]], names


def _refuse_other_heads(folder: Path, config: Any, missing: Collection[str]) -> None:
    fix = "name a model that was fine-tuned to give each text one class"
    if missing:
        raise Refused(str(folder), f"has no head over classes: its weights lack {min(missing)!r}", fix)
    if config.num_labels < 2 or config.problem_type == "multi_label_classification":
        raise Refused(str(folder), "gives a number" if config.num_labels < 2 else "gives sets of labels", fix)
