"""What can be refused of a task's configuration before torch is imported."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from prepsweep.errors import Refused, nearest
from prepsweep.row_classes import by_class
from prepsweep.stages import instance
from prepsweep.targets import refuse_foreign
from prepsweep.tasks.losses import class_priors

if TYPE_CHECKING:
    import pyarrow as pa
    from omegaconf import DictConfig

# What a task may ask for in its signature, beside the classes: shares of the classes among the train rows, and their labels.
_GIVEN = ("classes", "priors", "train_labels")


def built_task(task: DictConfig, *, classes: list[str], train: pa.Table) -> Any:
    """The task of a run, given what of `classes` and of its train rows it asks for."""
    module, name = _named(task)
    found = {"classes": classes, "priors": class_priors(by_class(train), classes), "train_labels": train.column("label")}
    asked = inspect.signature(getattr(module, name)).parameters
    return instance(task, "task", **{key: value for key, value in found.items() if key in asked})


def check_task(task: DictConfig) -> None:
    """Refuse options that the task does not have, then what its module's `check(task)` refuses."""
    module, name = _named(task)
    known = set(inspect.signature(getattr(module, name)).parameters) - set(_GIVEN)
    for key in sorted(set(map(str, task)) - {"_target_"} - known):
        # balance=focal and augment=mixup set parts of a task.
        raise Refused(f"task.{key}", f"{name} has no such option (an option of augment or balance may set it)", nearest(key, known))
    check: Callable[[DictConfig], None] | None = getattr(module, "check", None)
    if check is not None:
        check(task)


def _named(task: DictConfig) -> tuple[ModuleType, str]:
    refuse_foreign({"_target_": task["_target_"]}, "task")
    module, _, name = str(task["_target_"]).rpartition(".")
    return importlib.import_module(module), name
