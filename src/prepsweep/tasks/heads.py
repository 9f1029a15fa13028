"""A pretrained encoder with a new head, as each task needs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prepsweep.errors import Refused

if TYPE_CHECKING:
    from torch.nn import Module


def sequence_head(folder: Path, outputs: Sequence[str], **options: Any) -> Module:
    """The checkpoint with one logit a text and output, in float32; a new head is drawn from torch's generator.

    Refused where the head reads the last place of a batch, whatever stands there (XLNet): a text would be judged by its padding.
    """
    from transformers import AutoModelForSequenceClassification

    model = _with_head(AutoModelForSequenceClassification, folder, outputs, **options)
    if getattr(getattr(model, "sequence_summary", None), "summary_type", "") == "last":
        what = f"the head of {type(model).__name__} reads the end of a text where padding stands"
        raise Refused("model.name", what, "choose an encoder such as BERT or RoBERTa")
    return model


def token_head(folder: Path, outputs: Sequence[str]) -> Module:
    """The checkpoint with one logit a token and output; refused for one that transformers gives no such head."""
    from transformers import AutoModelForTokenClassification

    try:
        return _with_head(AutoModelForTokenClassification, folder, outputs)
    except ValueError as error:
        if "Unrecognized configuration class" not in str(error):
            raise
        raise Refused("model.name", f"{folder.name} has no head for tokens", "choose an encoder such as BERT or RoBERTa") from error


def _with_head(auto_class: Any, folder: Path, outputs: Sequence[str], **options: Any) -> Module:
    import torch
    from transformers.utils import logging

    shown = logging.get_verbosity()
    # "Some weights were newly initialized" is what fine-tuning a new head means, and no news to anybody.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model: Module = auto_class.from_pretrained(
            folder,
            num_labels=len(outputs),
            id2label=dict(enumerate(outputs)),
            label2id={name: i for i, name in enumerate(outputs)},
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
            **options,
        )
    finally:
        logging.set_verbosity(shown)
    return model
