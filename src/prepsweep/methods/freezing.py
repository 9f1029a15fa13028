"""Methods that train a part of the parameters that are there. None adds one, so the saved model is a plain one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from prepsweep.errors import Refused

if TYPE_CHECKING:
    from torch.nn import Module, ModuleList, Parameter


def full(model: Any) -> Any:
    """Every parameter is trained."""
    return model


def head(model: Any) -> Any:
    """Only what comes after the layers is trained: the pooler, where there is one, and the new head."""
    return _freeze_below(model, n_layers=0)


def last_layers(model: Any, *, n_layers: int) -> Any:
    """The last `n_layers` layers and what comes after them are trained; embeddings and the layers below stay as they are."""
    return _freeze_below(model, n_layers=n_layers)


def bitfit(model: Any) -> Any:
    """Biases and the head are trained: Ben Zaken et al. 2022, BitFit (arXiv:2106.10199)."""
    inside = set(map(id, backbone(model).parameters()))
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.endswith("bias") or id(parameter) not in inside
    return model


def backbone(model: Any) -> Module:
    """The pretrained part of a model with a head."""
    found: Module = model.base_model
    return found


def layers(model: Any) -> ModuleList:
    """The Transformer layers, bottom first: the longest list of modules of one class in the pretrained part."""
    from torch.nn import ModuleList

    lists = [module for module in backbone(model).modules() if isinstance(module, ModuleList) and len({type(one) for one in module}) == 1]
    if not lists:
        what = f"{type(model).__name__} has no list of layers that could be told apart"
        raise Refused("method", what, "use method=full, method=bitfit or method=lora, with model.layer_decay=1")
    return max(lists, key=len)


def n_frozen(model: Any) -> int:
    """How many layers, from the bottom up, learn nothing, and nothing before them; 0 for a model without layers."""
    try:
        stack = layers(model)
    except Refused:
        return 0
    # Prompt and prefix tuning: what they learn stands before the text, outside of the layers.
    if hasattr(model, "prompt_encoder"):
        return 0
    n = next((number for number, layer in enumerate(stack) if _learns(layer.parameters())), len(stack))
    return n if n and not _learns(below(model, n)) else 0


def below(model: Any, n_layers: int) -> list[Parameter]:
    """Parameters of the first `n_layers` layers and of all that comes before them."""
    stack = layers(model)
    above = set(map(id, stack[n_layers:].parameters()))
    parameters = [parameter for parameter in model.parameters() if id(parameter) not in above]
    inside = set(map(id, stack[:n_layers].parameters()))
    last = max(number for number, parameter in enumerate(parameters) if id(parameter) in inside)
    return parameters[: last + 1]


def without_dropout(model: Any) -> None:
    """Put what is frozen below all that learns in evaluation mode, as features that stay the same are read."""
    if n_layers := n_frozen(model):
        frozen = set(map(id, below(model, n_layers)))
        for module in backbone(model).modules():
            own = set(map(id, module.parameters()))
            if own and own <= frozen:
                module.eval()


def _learns(parameters: Iterable[Parameter]) -> bool:
    return any(parameter.requires_grad for parameter in parameters)


def _freeze_below(model: Any, *, n_layers: int) -> Any:
    stack = layers(model)
    if not 0 <= n_layers <= len(stack):
        raise Refused("method.n_layers", f"the model has {len(stack)} layers, not {n_layers}", f"use 0 to {len(stack)}")
    trained = stack[len(stack) - n_layers :]
    inside, top = set(map(id, backbone(model).parameters())), set(map(id, trained.parameters()))
    last_of_layers = max(number for number, parameter in enumerate(model.parameters()) if id(parameter) in set(map(id, stack.parameters())))
    for number, parameter in enumerate(model.parameters()):
        # Parameters stand in the order in which they are used: what of the pretrained part follows its layers is a pooler or a norm.
        above = id(parameter) not in inside or number > last_of_layers
        parameter.requires_grad = above or id(parameter) in top
    return model
