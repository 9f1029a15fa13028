"""A stage in the wrong place of the flow, seen from the configuration alone."""

from __future__ import annotations

import importlib

from prepsweep.errors import Refused
from prepsweep.stages import PREPARATION, Stage

_OWNERS = {"sources": "data"} | {group: group for group in PREPARATION}
# Why a stage of this group may not run anywhere else.
_WHY = {
    "data": "rows that come in on the way are in no ledger",
    "clean": "it is for all splits alike, and for prediction, so it runs on the whole table before the split",
    "annotate": "labels are made before the split, or the splits cannot have the shares of the classes",
    "split": "rows change their place only once, before anything is learned from train",
    "refine": "what it learns must come from train rows, and only this group is given them alone",
    "augment": "a row that is made before the split, or of a dev or test row, stands in train and in test",
    "balance": "a row that is copied before the split, or in dev or test, stands in train and in test or counts twice in the score",
    "preprocess": "the rows after it are token ids, which no other stage can read",
}


def refuse_misplaced(stage: Stage) -> None:
    """Refuse a stage whose function belongs to another group's package: the order of the groups is what keeps splits apart."""
    for found in (stage, *stage.inner):
        owner = _owner(found.spec["_target_"])
        if owner is not None and owner != stage.group:
            name = found.spec["_target_"].rpartition(".")[2]
            what = f"{name} is a stage of {owner}, which may not run in {stage.group}: {_WHY[owner]}"
            raise Refused(stage.where, what, f"use {owner}={name}, and take {stage.where} out")


def _owner(target: str) -> str | None:
    """The group whose package a function was written in, wherever it is imported; None outside this layout."""
    module_name, _, name = target.rpartition(".")
    function = getattr(importlib.import_module(module_name), name)
    package = str(getattr(function, "__module__", module_name)).split(".")
    return _OWNERS.get(package[1]) if package[0] == __name__.split(".")[0] and len(package) > 1 else None
