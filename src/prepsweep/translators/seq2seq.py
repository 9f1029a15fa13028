"""Text from text by a sequence-to-sequence checkpoint, in batches by length."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prepsweep.errors import Refused
from prepsweep.pretrained import batches_by_length, hardware_of, longest_read
from prepsweep.progress import track


def generate(
    texts: Sequence[str],
    *,
    tokenizer: Any,
    model: Any,
    prefix: str,
    n_returned: int,
    num_beams: int,
    max_length: int,
    batch_tokens: int,
    device: str,
    task: str,
    **options: Any,
) -> list[list[str]]:
    """The `n_returned` best texts of a beam search for each of `texts`, in order, best first; a blank text is its own.

    A text (with `prefix`) longer than `max_length` tokens is cut, and so is what is made of it. Nothing is drawn; which
    texts share a batch can change the last bit of a score. `task` names the progress bar, `options` go to `generate`.
    """
    import torch

    longest = longest_read(model, max_length)
    encoded = _encode(tokenizer, [prefix + text for text in texts], longest)
    made = [[text] * n_returned for text in texts]
    hardware = hardware_of(device)
    model = model.to(hardware).eval()
    options = options | {"num_beams": num_beams, "num_return_sequences": n_returned, "max_length": longest, "do_sample": False}
    with torch.inference_mode():
        for batch in track(batches_by_length(texts, encoded, batch_tokens), task):
            padded = tokenizer.pad({"input_ids": [encoded[row] for row in batch]}, return_tensors="pt").to(hardware)
            found = tokenizer.batch_decode(model.generate(**padded, **options), skip_special_tokens=True)
            for at, row in enumerate(batch):
                made[row] = found[at * n_returned : (at + 1) * n_returned]
    return made


def _encode(tokenizer: Any, texts: list[str], max_length: int) -> list[list[int]]:
    if not texts:
        return []
    encoded: list[list[int]] = tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
    return encoded


def load(folder: Path, checkpoint: str, *, where: str) -> tuple[Any, Any]:
    """Tokenizer and model, in float32: the stored half precision is slow on a CPU, and gives other texts."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    with warnings.catch_warnings():
        # Marian's tokenizer asks for sacremoses, and then never calls it.
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        try:
            return AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)
        except (OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            fix = "use a sequence-to-sequence checkpoint (Marian, NLLB, M2M100, mBART, T5) with its tokenizer files"
            raise Refused(where, f"cannot load {checkpoint}: {reason}", fix) from error
