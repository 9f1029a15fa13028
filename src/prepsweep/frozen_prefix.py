"""A model that takes the states after its frozen layers in place of computing them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor

from prepsweep.identity import hash_json, library_versions, source_closure
from prepsweep.methods.freezing import below, layers
from prepsweep.padded import STATES

# What of a configuration is about the head, or about where the files lay.
_NOT_BELOW = {"_name_or_path", "architectures", "dtype", "id2label", "label2id", "num_labels", "problem_type", "transformers_version"}

# Logits that agree differ by less than this part of what they differ by between rows.
_CLOSE = 0.01
_LEAST_SPREAD = 1e-5


class Prefix:
    """The layers of a model below the lowest that is trained; a call that is given `states` does not compute them.

    The model stays whole: its parameters, what is saved of it and calls without `states` are what they were. With
    `first_only` the states are those of the first place, all that the head reads.
    """

    def __init__(self, model: Any, n_layers: int) -> None:
        # Of an adapted model the plain one in it, which is what is left when the adapter is merged.
        self.model = getattr(model, "get_base_model", lambda: model)()
        self.n_layers, self.first_only = n_layers, False
        self.frozen = list(layers(model)[:n_layers])
        self._given: Tensor | None = None
        self._in_tuple = False
        for layer in self.frozen:
            layer.forward = partial(self._forward, layer)
        self.model.register_forward_pre_hook(self._take, with_kwargs=True)
        self.model.register_forward_hook(self._drop, always_call=True)

    def states(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """States after the last frozen layer, shape (n_rows, longest, width); nothing above is computed."""
        hook = self.frozen[-1].register_forward_hook(self._reached)
        try:
            self.model(**inputs)
        except _Reached as reached:
            return reached.states
        finally:
            hook.remove()
        raise AssertionError("a model that does not run its layers")

    def serves(self, inputs: Mapping[str, Tensor]) -> bool:
        """Whether given states lead to the logits that computed ones do; sets `first_only` where the first place is enough.

        Measured, not known by name: there are models whose layers do more than hand states on.
        """
        states, expected = self.states(inputs), self.model(**inputs).logits
        # By how much logits tell rows apart: a head that makes the same of all, such as one of zeros, shows nothing.
        spread = float((expected - expected[:1]).abs().max())
        if spread < _LEAST_SPREAD or not states.half().isfinite().all():
            return False
        # Only a head can do with the first place: layers read all of them.
        for first_only in (True, False) if self.n_layers == len(layers(self.model)) else (False,):
            try:
                found = self.model(**inputs, states=states[:, :1] if first_only else states).logits
            except (RuntimeError, ValueError, IndexError):
                continue  # A head that cannot do with one place.
            if found.shape == expected.shape and float((found - expected).abs().max()) < _CLOSE * spread:
                self.first_only = first_only
                return True
        return False

    def identity(self) -> str:
        """sha256 of all that decides the states of a window: weights, architecture, code, and which places are kept."""
        config = {name: value for name, value in self.model.config.to_dict().items() if name not in _NOT_BELOW}
        weights = hashlib.sha256()
        for tensor in [*below(self.model, self.n_layers), *(buffer for layer in self.frozen for buffer in layer.buffers())]:
            weights.update(f"{tuple(tensor.shape)}".encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        source = source_closure("prepsweep.frozen_prefix")
        facts = {"layers": self.n_layers, "first_only": self.first_only, "dtype": "float16", "config": repr(sorted(config.items()))}
        versions = library_versions(tuple(sorted(source)))
        return hash_json(facts | {"weights": weights.hexdigest(), "source": source, "versions": versions})

    def _forward(self, layer: Any, *args: Any, **kwargs: Any) -> Any:
        if self._given is None:
            return type(layer).forward(layer, *args, **kwargs)
        return (self._given,) if self._in_tuple else self._given

    def _take(self, model: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if (given := kwargs.pop(STATES, None)) is not None:
            self._given = given.to(model.dtype)
            kwargs = {name: value[:, : given.shape[1]] if isinstance(value, Tensor) else value for name, value in kwargs.items()}
        return args, kwargs

    def _drop(self, *_: Any) -> None:
        self._given = None

    def _reached(self, layer: Any, args: Any, output: Any) -> None:
        self._in_tuple = isinstance(output, tuple)
        raise _Reached(output[0] if self._in_tuple else output)


class _Reached(Exception):
    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states
