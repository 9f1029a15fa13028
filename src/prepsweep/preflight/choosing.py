"""A model, a step or an arm chosen by the test: refused from the configuration alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from prepsweep.errors import Refused

# A key that chooses, by the words that Lightning, transformers, Optuna and Hydra users write for it.
_CHOOSES = re.compile(r"monitor|metric|objective|select|choose|early_?stop|stopping|best|scheduler|reduce_on|eval_split|optimi[sz]e_on")
_TEST = re.compile(r"(?<![a-z])test(?![a-z])")
# Where a name of the user's may hold the word: files, folders, a study, a W&B project.
_NAMES = ("data", "paths", "logger", "study")


def refuse_choice_on_test(config: Mapping[str, Any]) -> None:
    """Refuse a key that would choose by the test what the test is to judge: the best step is that of the dev score."""
    for key, value in _strings({key: value for key, value in config.items() if key not in _NAMES}, ""):
        if _CHOOSES.search(key.lower()) and _TEST.search(value.lower()):
            what = f"{value!r} would choose by the test rows what they are to judge"
            raise Refused(key, what, "choose by dev: take 'test' out, the best step is always that of the validation score")


def _strings(value: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, at)
    elif isinstance(value, str):
        yield at, value
