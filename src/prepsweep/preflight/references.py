"""How much a configuration comes to when its `${…}` are resolved, found without resolving them: each level can double it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from prepsweep.errors import Refused

MAX_WEIGHT = 200_000
MAX_CHAIN = 20
_REFERENCE = re.compile(r"\$\{(\.*)([A-Za-z_][\w.\[\]]*)\}")
# `${name.${other}}`: what it names is only known when it is resolved.
_MADE_UP = re.compile(r"\$\{[^}:]*\$\{")


def refuse_growing(config: Mapping[str, Any]) -> None:
    """Refuse a configuration, in plain containers with its `${…}` as they stand, that would resolve to far more than it is."""
    known: dict[tuple[str, ...], int] = {}

    def weight(value: Any, at: tuple[str, ...], n_steps: int) -> int:
        if at not in known:
            key = ".".join(at)
            if n_steps > MAX_CHAIN:
                raise Refused(key, f"its ${{…}} lead on through more than {MAX_CHAIN} values", "write the values out")
            if isinstance(value, (dict, list)):
                inner = value.items() if isinstance(value, dict) else enumerate(value)
                known[at] = 1 + sum(weight(child, (*at, str(name)), n_steps) for name, child in inner)
            else:
                known[at] = len(str(value)) + sum(weight(*found, n_steps + 1) for found in _referred(config, str(value), at))
            if known[at] > MAX_WEIGHT:
                raise Refused(key, f"resolves to more than {MAX_WEIGHT:,} characters", "write the values out")
        return known[at]

    weight(dict(config), (), 0)


def _referred(config: Mapping[str, Any], text: str, at: tuple[str, ...]) -> list[tuple[Any, tuple[str, ...]]]:
    """The values that `text`, which stands at `at`, names, each with its place."""
    if _MADE_UP.search(text):
        raise Refused(".".join(at), f"{text[:80]!r} names a value by another one", "write the name out")
    found = []
    for dots, name in _REFERENCE.findall(text):
        place = (*(at[: len(at) - len(dots)] if dots else ()), *re.split(r"[.\[\]]+", name.rstrip("]")))
        value: Any = config
        for step in place:
            value = (
                value[int(step)]
                if isinstance(value, list) and step.isdecimal() and int(step) < len(value)
                else (value.get(step) if isinstance(value, Mapping) else None)
            )
        found.append((value, place))
    return found
