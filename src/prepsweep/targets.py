"""Which code a configuration may name: stages and their tools here, and those of packages that the environment trusts.

A configuration comes from others at times, and `_target_` can name any function of Python. So a target must be written
out, lie under one of the prefixes below, and be defined there: `prepsweep.augment.eda.os.system` is not. Configuration
cannot widen the list; the environment variable PREPSWEEP_PACKAGES and the entry points of an installed package can.
"""

from __future__ import annotations

import ast
import importlib.metadata
import os
from functools import cache
from typing import Any

from prepsweep.errors import Refused, nearest
from prepsweep.identity import syntax_tree, targets_in

ENTRY_POINTS = "prepsweep.targets"
# Packages whose stages may be named: `PREPSWEEP_PACKAGES=mine,ours`.
TRUSTED_PACKAGES = tuple(filter(None, os.environ.get("PREPSWEEP_PACKAGES", "").split(",")))
_GROUPS = ("sources", "clean", "annotate", "split", "refine", "augment", "balance", "preprocess", "translators", "tasks", "methods")
_OWN = (*(f"prepsweep.{group}." for group in _GROUPS), "prepsweep.tracking.")


def refuse_foreign(spec: Any, where: str) -> None:
    """Refuse a `_target_` anywhere in `spec` that may not be named."""
    for place, target in targets_in(spec, where):
        if not isinstance(target, str) or "${" in target:
            raise Refused(place, f"_target_ must be a written name, got {str(target)[:80]!r}", "write the dotted name of a stage")
        module, _, name = target.rpartition(".")
        if not is_trusted(target):
            known = ", ".join(("prepsweep", *TRUSTED_PACKAGES))
            fix = f"use a stage of {known}, or name your package in PREPSWEEP_PACKAGES"
            raise Refused(place, f"_target_ {target!r} is not in a trusted package", fix)
        if name not in (public := _public_names(module, target, place)):
            raise Refused(place, f"{module} has no function {name!r}", nearest(name, public))


def is_trusted(target: str) -> bool:
    if target.startswith(_OWN) or target.startswith(tuple(f"{package}." for package in TRUSTED_PACKAGES)):
        return True
    return target.startswith(tuple(f"{package}." for package in _announced()))


@cache
def _announced() -> list[str]:
    """Packages that installed distributions trust: the values of their entry points `prepsweep.targets`."""
    return [point.value for point in importlib.metadata.entry_points(group=ENTRY_POINTS)]


@cache
def _public_names(module: str, target: str, where: str) -> list[str]:
    """Functions and classes that `module` defines or takes from its own package; read from its source, nothing is imported."""
    try:
        tree = syntax_tree(module)
    except ModuleNotFoundError as error:
        raise Refused(where, f"no module {error.name!r} for _target_ {target!r}", "check the _target_ of the stage") from error
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.append(node.name)
        elif isinstance(node, ast.ImportFrom) and not target.startswith("prepsweep."):
            own = node.level or (node.module or "").partition(".")[0] == module.partition(".")[0]
            names += [alias.asname or alias.name for alias in node.names if own]
    return [name for name in names if not name.startswith("_")]
