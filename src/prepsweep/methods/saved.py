"""A model in a folder, whatever the method that trained it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prepsweep.errors import Refused
from prepsweep.methods import bottleneck

_PEFT_FILE = "adapter_config.json"
_BASE = "base"


def is_plain(folder: Path) -> bool:
    """Whether transformers alone opens the model in a folder."""
    return not ((folder / _PEFT_FILE).exists() or (folder / bottleneck.WEIGHTS_FILE).exists())


def config_folder(folder: Path) -> Path:
    """Where the configuration of the whole model stands."""
    return folder / _BASE if (folder / _PEFT_FILE).exists() else folder


def save_weights(model: Any, folder: Path) -> None:
    """The model for `load_model`; one without parameters of its own that cannot be merged is a plain one of transformers."""
    if hasattr(model.config, "adapter_size"):
        bottleneck.save(model, folder)
        return
    model.save_pretrained(folder)
    if (folder / _PEFT_FILE).exists():
        # peft keeps neither the head's kind nor its classes.
        base = model.get_base_model()
        base.config.architectures = [type(base).__name__]
        # Not in the folder itself, where it would look like a whole model.
        base.config.save_pretrained(folder / _BASE)


def load_model(folder: Path) -> Any:
    """The model of a run's `model/`, in float32 and evaluation mode: a plain one, one that peft saved, or one with bottlenecks.

    A folder of peft holds only what was added; it needs the checkpoint that it was added to where that was.
    """
    import torch
    import transformers

    if (folder / bottleneck.WEIGHTS_FILE).exists():
        return bottleneck.load(folder)
    config = transformers.AutoConfig.from_pretrained(config_folder(folder))
    plain = getattr(transformers, config.architectures[0])
    if is_plain(folder):
        return plain.from_pretrained(folder, dtype=torch.float32).eval()
    try:
        import peft
    except ImportError:
        raise Refused(str(folder), "was saved by peft and needs it", "pip install 'prepsweep[peft]'") from None
    checkpoint = peft.PeftConfig.from_pretrained(folder).base_model_name_or_path
    if not Path(checkpoint).exists():
        raise Refused(str(folder), f"the checkpoint that it adds to is gone: {checkpoint}", "put it back, or train again")
    base = plain.from_pretrained(checkpoint, config=config, dtype=torch.float32, ignore_mismatched_sizes=True)
    return peft.PeftModel.from_pretrained(base, folder).eval()
