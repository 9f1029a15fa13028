"""All mistakes of a command line at once: what was refused is left out, and the rest is looked at again."""

from __future__ import annotations

from collections.abc import Callable

from prepsweep.errors import Refused

_MOST = 20


def further_errors(first: Refused, overrides: list[str], check: Callable[[list[str]], object]) -> list[Refused]:
    """`first`, and what `check` refuses of the overrides once those that it is about are gone; each is told once.

    A refusal that is about no override ends the search: without knowing what to leave out nothing else can be seen.
    """
    refused, left = [first], list(overrides)
    while len(refused) < _MOST:
        kept = [override for override in left if not _is_about(refused[-1].where, override)]
        if len(kept) == len(left):
            break
        left = kept
        try:
            check(left)
        except Refused as error:
            if error.where in {one.where for one in refused}:
                break
            refused.append(error)
        else:
            break
    return refused


def _is_about(where: str, override: str) -> bool:
    """Whether a refusal at `where` is about this override, or this one about an option that goes with it."""
    key, _, value = override.partition("=")
    key = key.lstrip("+~").partition("@")[0].replace("/", ".")
    holds_it = value.startswith(("{", "[")) and where.replace("[", ".").startswith(f"{key}.")
    return holds_it or f"{key}.".startswith(f"{where}.")
