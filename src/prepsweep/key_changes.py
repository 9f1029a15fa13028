"""Why a stage has another key than one that is stored: the parts of its identity that differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prepsweep.cache_contents import Stored


@dataclass(frozen=True)
class Change:
    """One part of an identity (`config.n_aug`, `source.prepsweep.text`, `parent`) before and now; None where it is not there."""

    part: str
    before: Any
    now: Any


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """What differs between two identities, part by part."""
    old, new = dict(_parts(before)), dict(_parts(now))
    return [Change(part, old.get(part), new.get(part)) for part in sorted({*old, *new}) if old.get(part) != new.get(part)]


def nearest(identity: Mapping[str, Any], entries: Iterable[Stored]) -> tuple[Stored, list[Change]] | None:
    """Of `entries` the one that differs in the fewest parts, of several such the one made last, and what differs."""
    compared = [(entry, changes(known, identity)) for entry in entries if (known := entry.identity()) is not None]
    return min(compared, key=lambda pair: (len(pair[1]), -pair[0].made, pair[0].folder.name), default=None)


def _parts(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves by dotted name; the names of modules hold dots themselves, which a reader takes as they are."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _parts(inner, f"{at}.{key}" if at else str(key))
    elif at:
        yield at, value
