"""Bottleneck adapters: a small network behind each frozen layer. They are no weights of the model and cannot be merged.

A folder holds the whole model in `adapted.safetensors`, and `adapter_size` in its config. It has no `model.safetensors`, so
that transformers refuses the folder: loaded as a plain model it would answer as if nothing had been learned. `load` reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prepsweep.methods.freezing import head, layers

WEIGHTS_FILE = "adapted.safetensors"


def adapter(model: Any, *, size: int) -> Any:
    """`size` numbers wide, added to each layer's output; it starts as nothing, and only adapters, pooler and head are trained.

    Houlsby et al. 2019 (arXiv:1902.00751); one a layer, as Pfeiffer et al. 2021 (arXiv:2005.00247) have it.
    """
    return _with_adapters(head(model), size)


def save(model: Any, folder: Path) -> None:
    """Config and weights, tied ones once."""
    from safetensors.torch import save_model

    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    save_model(model, str(folder / WEIGHTS_FILE))


def load(folder: Path) -> Any:
    """The model as it was trained, in evaluation mode."""
    import transformers
    from safetensors.torch import load_model

    config = transformers.AutoConfig.from_pretrained(folder)
    model = _with_adapters(getattr(transformers, config.architectures[0])(config), config.adapter_size)
    load_model(model, str(folder / WEIGHTS_FILE))
    return model.eval()


def _with_adapters(model: Any, size: int) -> Any:
    from torch import nn

    width = model.config.hidden_size
    for layer in layers(model):
        down, up = nn.Linear(width, size), nn.Linear(size, width)
        nn.init.normal_(down.weight, std=0.02)
        for parameter in (down.bias, *up.parameters()):
            nn.init.zeros_(parameter)
        layer.adapter = nn.Sequential(down, nn.GELU(), up)
        layer.register_forward_hook(_add)
    model.config.adapter_size = size
    return model


def _add(layer: Any, _: Any, output: Any) -> Any:
    """A layer's output, or the first of several, and what its adapter adds."""
    if isinstance(output, tuple):
        return (output[0] + layer.adapter(output[0]), *output[1:])
    return output + layer.adapter(output)
