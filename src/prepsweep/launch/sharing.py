"""Which prepared stages several runs of a sweep have in common: each becomes a job of its own, done once, first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SharedStage:
    """A stage that at least two runs read and nobody has prepared yet, and the shared stages it is made from."""

    key: str
    runs: frozenset[str]
    needs: frozenset[str]


def shared_stages(parents: Mapping[str, Mapping[str, str | None]], *, cached: Collection[str]) -> list[SharedStage]:
    """The shared stages, parents before children; `parents` is, for each run, stage key → key of the stage it reads.

    Of a chain without branches only the last is a job: whoever does it does the chain. A stage that one run alone reads
    is left to that run.
    """
    users: defaultdict[str, set[str]] = defaultdict(set)
    parent_of: dict[str, str | None] = {}
    children: defaultdict[str | None, set[str]] = defaultdict(set)
    for run, stages in parents.items():
        for key, parent in stages.items():
            parent_of[key] = parent
            children[parent].add(key)
            if key not in cached:
                users[key].add(run)
    shared = {key: frozenset(runs) for key, runs in users.items() if len(runs) > 1}
    continued = {key for key in shared if len(children[key]) == 1 and shared.get(next(iter(children[key]))) == shared[key]}
    found: list[SharedStage] = []
    for key in sorted(shared, key=lambda key: (_depth(key, parent_of), key)):
        if key not in continued:
            ancestor = parent_of[key]
            while ancestor is not None and (ancestor not in shared or ancestor in continued):
                ancestor = parent_of[ancestor]
            found.append(SharedStage(key, shared[key], frozenset([ancestor] if ancestor else [])))
    return found


def _depth(key: str, parent_of: Mapping[str, str | None]) -> int:
    depth, parent = 0, parent_of[key]
    while parent is not None:
        depth, parent = depth + 1, parent_of[parent]
    return depth
