"""What leaks between prepared splits, computed once for each content and kept beside the prepared stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from prepsweep.cache import Cache
from prepsweep.errors import Refused
from prepsweep.identity import hash_json, library_versions, source_closure
from prepsweep.leaks.leak import Leak
from prepsweep.leaks.made import made_leaks
from prepsweep.leaks.position import telling_columns, telling_order
from prepsweep.leaks.refusals import refuse_unfair
from prepsweep.leaks.repeats import labels_in_conflict, repeats_across
from prepsweep.leaks.shortcuts import names_in_texts, telling_tokens
from prepsweep.leaks.splits import Splits
from prepsweep.lineage import dataset_of

REACTIONS = ("report", "refuse")
_RANK = {"high": 0, "medium": 1, "low": 2}


def leaks_of_splits(source: pa.Table, rows: pa.Table) -> list[Leak]:
    """Every leak of the rows that have a split each, worst first; refuses splits that cannot be tested on.

    `source` are the rows as the data brought them, in its order.
    """
    refuse_unfair(source, rows)
    splits = Splits(rows)
    return worst_first(
        [
            *repeats_across(splits),
            *labels_in_conflict(splits),
            *telling_tokens(splits),
            *names_in_texts(splits),
            *telling_order(source),
            *telling_columns(source),
        ]
    )


def leaks_of_made(whole: pa.Table, train: pa.Table) -> list[Leak]:
    """Every leak that the train rows got from augmentation, worst first."""
    return worst_first(made_leaks(whole, train))


def worst_first(leaks: Iterable[Leak]) -> list[Leak]:
    """By severity, then by name and splits."""
    return sorted(leaks, key=lambda leak: (_RANK[leak.severity], leak.name, leak.splits))


def remembered(cache: Cache, contents: Sequence[Mapping[str, str]], find: Callable[[], list[Leak]]) -> list[dict[str, Any]]:
    """What `find` says about rows of these content hashes, from the cache or computed now and put there."""
    modules = source_closure(__name__)
    identity = {"leaks": contents, "source": modules, "versions": library_versions(tuple(sorted(modules)))}
    key = hash_json(identity)
    if (entry := cache.find(key)) is None:
        started = time.perf_counter()
        found = [leak.as_record() for leak in find()]
        record = {"name": "leaks", "group": "leaks", "leaks": found, "seconds": round(time.perf_counter() - started, 3)}
        nothing = dataset_of(pa.table({"uid": pa.array([], pa.string())}))
        entry = cache.store(key, record, nothing, nothing)
    leaks: list[dict[str, Any]] = entry.stage["leaks"]
    return leaks


def refuse_if_asked(on_leak: str, leaks: Sequence[Mapping[str, Any]]) -> None:
    """Refuse the first of `leaks` where `guards.on_leak` is `refuse`."""
    if on_leak == "refuse" and leaks:
        more = f" (and {len(leaks) - 1} more)" if len(leaks) > 1 else ""
        raise Refused("data", f"{leaks[0]['what']}{more}", "repair the data, or set guards.on_leak=report to go on")
