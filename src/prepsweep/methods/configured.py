"""The method that the configuration names: checked before anything is written, applied to the model."""

from __future__ import annotations

import importlib.util
import inspect
import math
from typing import Any

from omegaconf import DictConfig

from prepsweep.errors import Refused
from prepsweep.stages import instance
from prepsweep.tasks.losses import with_its_options

# Extra of the package → the packages in it that methods need.
_PACKAGES = {"peft": ("peft",), "qlora": ("peft", "bitsandbytes")}
_EXTRAS = dict.fromkeys(("lora", "dora", "adalora", "ia3", "prefix", "prompt"), "peft") | {"qlora": "qlora"}


def check_method(node: DictConfig) -> None:
    """Refuse unknown options, numbers that cannot be meant, and a method whose package is missing."""
    bound = with_its_options(node, "method", "method {} has no such option")
    for key, value in bound.keywords.items():
        _check_number(key, value)
    if bound.func.__name__ == "adalora" and bound.keywords["final_r"] > bound.keywords["initial_r"]:
        raise Refused("method.final_r", "must not be above method.initial_r: ranks are given up, none are added", "try method.final_r=4")
    extra = _EXTRAS.get(bound.func.__name__, "")
    for package in _PACKAGES.get(extra, ()):
        if importlib.util.find_spec(package) is None:
            raise Refused("method", f"{bound.func.__name__} needs the package {package}", f"pip install 'prepsweep[{extra}]'")


def with_method(model: Any, node: DictConfig, *, n_steps: int) -> Any:
    """The model as the method has it trained: parts of it frozen, or parameters added."""
    method = instance(node, "method")
    given = {"n_steps": n_steps} if "n_steps" in inspect.signature(method.func).parameters else {}
    return method(model, **given)


def _check_number(key: str, value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if key == "dropout":
        if not (number and 0 <= value < 1):
            raise Refused(f"method.{key}", f"must be at least 0 and below 1, got {value!r}", f"try method.{key}=0.1")
    elif key == "alpha":
        if not (number and value > 0):
            raise Refused(f"method.{key}", f"must be above 0, got {value!r}", f"try method.{key}=16")
    elif not (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        raise Refused(f"method.{key}", f"must be a whole number of at least 1, got {value!r}", f"try method.{key}=8")
