"""AdamW and its learning rate: warm-up, linear decay, and less for the layers further down."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch

from prepsweep.methods.freezing import backbone, layers


def adamw(model: Any, *, learning_rate: float, layer_decay: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over the parameters that are trained: no weight decay on biases and norms (Devlin et al. 2019, appendix A.2).

    With `layer_decay` below 1 each layer learns by that factor slower than the one above it (Howard & Ruder 2018, ULMFiT,
    arXiv:1801.06146); the word embeddings are the lowest, the head learns at the full rate.
    """
    groups: defaultdict[tuple[float, float], list[torch.nn.Parameter]] = defaultdict(list)
    distances = _distances(model) if layer_decay < 1 else {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            rate = learning_rate * layer_decay ** distances.get(id(parameter), 0)
            groups[rate, weight_decay if parameter.ndim > 1 else 0.0].append(parameter)
    options = [{"params": found, "lr": rate, "weight_decay": decay} for (rate, decay), found in groups.items()]
    optimizer = torch.optim.AdamW(options, lr=learning_rate, fused=True)
    # It could take the scale of float16 out of gradients within its step. They must be clipped before, and Lightning refuses
    # to clip for an optimizer that says so, in every mixed precision.
    optimizer._step_supports_amp_scaling = False
    return optimizer


def warmed_up(optimizer: torch.optim.Optimizer, *, n_warmup: int, n_steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    """The schedule by steps: up in a line over `n_warmup`, then down to 0 at `n_steps`."""

    def factor(step: int) -> float:
        if step < n_warmup:
            return (step + 1) / n_warmup
        return max(0.0, (n_steps - step) / max(1, n_steps - n_warmup))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _distances(model: Any) -> dict[int, int]:
    """How many layers below the head each parameter of the pretrained part stands, by its id."""
    model = getattr(model, "get_base_model", lambda: model)()
    stack = layers(model)
    inside = {id(parameter): number for number, layer in enumerate(stack) for parameter in layer.parameters()}
    last = max(number for number, parameter in enumerate(model.parameters()) if id(parameter) in inside)
    found = {key: len(stack) - number for key, number in inside.items()}
    pretrained = set(map(id, backbone(model).parameters())) - inside.keys()
    below = {id(parameter) for number, parameter in enumerate(model.parameters()) if number < last}
    # Embeddings of relative positions (DeBERTa) are named after the layers, and every one of these reads them.
    tables = {id(module.weight) for module in backbone(model).modules() if isinstance(module, torch.nn.Embedding)}
    return found | dict.fromkeys((below | tables) & pretrained, len(stack) + 1)
