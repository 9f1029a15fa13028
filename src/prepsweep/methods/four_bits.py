"""Linear maps whose weights are kept in four bits, by the bitsandbytes library (Dettmers et al. 2023), and back again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Linear, Module


def quantise(model: Module, within: Module) -> list[str]:
    """Put the weights of all linear maps in a part of the model into four bits; the names of these maps in the model."""
    import torch

    inside = set(map(id, within.modules()))
    found = [name for name, module in model.named_modules() if type(module) is torch.nn.Linear and id(module) in inside]
    for name in found:
        model.set_submodule(name, _quantised(model.get_submodule(name)))
    return found


def merge_adapters(model: Module) -> None:
    """Put plain linear maps, what peft added to them merged in, in place of those in four bits.

    peft would round the merged weights to four bits once more, and the model would be another than the one that was tested.
    """
    import torch

    for name, adapted in list(model.named_modules()):
        quantised: Any = getattr(adapted, "base_layer", None)
        if quantised is not None and _is_quantised(quantised):
            with torch.no_grad():
                plain = _plain(quantised)
                plain.weight += sum(adapted.get_delta_weight(adapter) for adapter in adapted.active_adapters)
            model.set_submodule(name, plain)


def _is_quantised(module: Module) -> bool:
    """Whether the weights of a module are in four bits."""
    return hasattr(getattr(module, "weight", None), "quant_state")


def n_numbers(parameters: Iterable[Any]) -> int:
    """Numbers in parameters; of those in four bits two share a byte."""
    return sum(one.quant_state.shape.numel() if hasattr(one, "quant_state") else one.numel() for one in parameters)


def _quantised(linear: Any) -> Any:
    from bitsandbytes.nn import Params4bit

    module = _linear_of_four_bits()(linear.in_features, linear.out_features, bias=linear.bias is not None, device="meta")
    options = {"requires_grad": False, "quant_type": "nf4", "compress_statistics": True}
    module.weight = Params4bit(linear.weight.data, **options, module=module).to(linear.weight.device)
    module.bias = linear.bias
    return module


def _plain(quantised: Any) -> Linear:
    import torch
    from bitsandbytes.functional import dequantize_4bit

    plain = torch.nn.Linear(quantised.in_features, quantised.out_features, bias=quantised.bias is not None, device="meta")
    weight = dequantize_4bit(quantised.weight.data, quantised.weight.quant_state)
    plain.weight, plain.bias = torch.nn.Parameter(weight.float(), requires_grad=False), quantised.bias
    return plain


@cache
def _linear_of_four_bits() -> Any:
    import torch
    from bitsandbytes.nn import Linear4bit

    class LinearOfFourBits(Linear4bit):  # type: ignore[misc]
        """A frozen map. What it holds never changes, so a state holds its bias alone, as that of any linear map."""

        def __init__(self, *sizes: int, **options: Any) -> None:
            super().__init__(*sizes, **options)
            # On some processors bitsandbytes packs the weights anew in the first evaluation, amid training.
            self.support_avx512bf16_for_cpu, self.compute_type_is_set = False, True

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            kind = x.device.type
            # The library's own function is none that autocast knows.
            self.compute_dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
            given: torch.Tensor = super().forward(x)
            return given

        def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
            if self.bias is not None:
                destination[f"{prefix}bias"] = self.bias if keep_vars else self.bias.detach()

        def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
            if self.bias is not None:
                self.bias.data.copy_(state_dict[f"{prefix}bias"])

    return LinearOfFourBits
