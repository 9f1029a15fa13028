"""What the wrappers share: a stage run on some of the rows, and its children under names of their own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.lineage import ContractBroken, Result, dataset_of, table_of
from prepsweep.randomness import row_rng
from prepsweep.schema import COLUMNS, child_uid

if TYPE_CHECKING:
    from datasets import Dataset

Augment = Callable[..., "Dataset | Result"]


@dataclass(frozen=True)
class Made:
    """Children that a wrapped stage made, its marks on them kept, and what it reported."""

    children: pa.Table
    facts: Mapping[str, Any]
    evidence: pa.Table | None


def make_inner(dataset: Dataset, stage: Augment, *, rows: Sequence[int], wrapper: str, slot: str = "", seed: int, num_proc: int) -> Made:
    """What `stage` makes of `rows` (positions): children of origin `wrapper:stage`, with uids that no other stage gives.

    The stage draws from a seed of its own, so that `augment=[synonym,sometimes]` does not make the same text twice. It
    also sees one row of each class that is not among `rows`, because a stage may look at the names of the classes or
    need several of them; what it makes of these is thrown away.
    """
    table = table_of(dataset)
    if not len(rows):
        return Made(table.slice(0, 0), {}, None)
    seen = table.take(pa.array([*rows, *_of_other_classes(table, rows)], pa.int64()))
    parameters = inspect.signature(stage).parameters
    values = {"seed": row_rng(seed, wrapper, slot).getrandbits(32), "num_proc": num_proc}
    given = stage(dataset_of(seen), **{name: value for name, value in values.items() if name in parameters})
    result = given if isinstance(given, Result) else Result(given)
    after = table_of(result.rows).select(table.column_names).cast(table.schema)
    if not after.slice(0, len(seen)).select(list(COLUMNS)).equals(seen.select(list(COLUMNS))):
        raise ContractBroken(f"{wrapper}: the stage inside altered or moved rows that it was given; it may only add rows behind them")
    children = after.slice(len(seen))
    children = children.filter(pc.is_in(children.column("parent_uid"), seen.column("uid").slice(0, len(rows)).combine_chunks()))
    uids = children.column("uid").combine_chunks()
    renamed = pa.array([child_uid(uid, wrapper, 0) for uid in uids.to_pylist()], pa.string())
    origins = pc.binary_join_element_wise(pa.scalar(wrapper), children.column("origin"), ":")
    for name, values_of in (("uid", renamed), ("origin", origins)):
        children = children.set_column(children.column_names.index(name), name, values_of)
    return Made(children, result.facts, _with_new_uids(result.evidence, uids, renamed))


def with_children(dataset: Dataset, made: Sequence[pa.Table]) -> Dataset:
    """`dataset` followed by the children."""
    return dataset_of(pa.concat_tables([table_of(dataset), *made]))


def _of_other_classes(table: pa.Table, rows: Sequence[int]) -> list[int]:
    """The row with the smallest uid of each class that has none among `rows`, so that the order of the rows does not matter."""
    labels, uids = (table.column(name).to_pylist() for name in ("label", "uid"))
    there = {labels[row] for row in rows}
    first: dict[str, int] = {}
    for row in sorted((row for row, label in enumerate(labels) if label not in there), key=uids.__getitem__):
        first.setdefault(labels[row], row)
    return list(first.values())


def _with_new_uids(evidence: pa.Table | None, old: pa.Array, new: pa.Array) -> pa.Table | None:
    """Evidence names rows in columns `uid` and `…_uid`: they must name the children as they are called now."""
    if evidence is None:
        return None
    for name in evidence.column_names:
        if name == "uid" or name.endswith("_uid"):
            column = evidence.column(name).combine_chunks()
            called = pc.coalesce(new.take(pc.index_in(column, old)), column)
            evidence = evidence.set_column(evidence.column_names.index(name), name, called)
    return evidence
