"""What a stage may do to rows, and the proof that it did no more: the row ledger.

A stage never removes a row. It writes the reason into `dropped`, and `settle` takes the row out, counts it, and keeps
rows of a given dev or test file whatever the reason. A row that is gone without a reason is a bug and stops the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.schema import COLUMNS, child_uid

if TYPE_CHECKING:
    from datasets import Dataset

UNCHANGED = "unchanged"
# What a stage of each group must leave as it was in the rows that it is given.
FIXED_COLUMNS = {
    "clean": ("split", "parent_uid", "origin"),
    "annotate": ("text", "split", "parent_uid", "origin"),
    "split": ("text", "label", "parent_uid", "origin"),
    "refine": ("text", "split", "parent_uid", "origin"),
    "augment": ("text", "label", "split", "parent_uid", "origin"),
    "balance": ("text", "label", "split", "parent_uid", "origin"),
    "preprocess": ("label", "split", "parent_uid", "origin", "weight"),
}
MAY_ADD_ROWS = ("augment", "balance")


class ContractBroken(RuntimeError):
    """A stage lost, altered or misplaced a row: a bug in the stage, never in the data."""


@dataclass(frozen=True)
class Result:
    """What a stage gives: the rows and, where it found out more, `facts` for the run record and `evidence` row by row.

    `facts` are a few plain numbers and names (e-mail addresses masked, pairs found); `evidence` is a table (the pairs,
    the suggested labels) that is kept with the prepared stage.
    """

    rows: Dataset
    facts: Mapping[str, Any] = field(default_factory=dict)
    evidence: pa.Table | None = None


def table_of(dataset: Dataset) -> pa.Table:
    """The rows as one Arrow table, without copying where the data set has no index mapping."""
    table: pa.Table = dataset.with_format("arrow")[:]
    return table


def dataset_of(table: pa.Table) -> Dataset:
    from datasets import Dataset

    return Dataset(table)


def with_column(dataset: Dataset, name: str, values: Sequence[Any] | pa.Array | pa.ChunkedArray) -> Dataset:
    """`dataset` with one column of the row contract replaced, its type and place kept."""
    table = table_of(dataset)
    column = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values, COLUMNS[name])
    return dataset_of(table.set_column(table.column_names.index(name), name, column.cast(COLUMNS[name])))


def drop(dataset: Dataset, reason: str, rows: Sequence[bool] | pa.Array | pa.ChunkedArray) -> Dataset:
    """`dataset` with `reason` written on the marked rows that have none yet."""
    mask = rows if isinstance(rows, (pa.Array, pa.ChunkedArray)) else pa.array(rows, pa.bool_())
    given = table_of(dataset).column("dropped")
    return with_column(dataset, "dropped", pc.coalesce(given, pc.if_else(mask, reason, pa.scalar(None, pa.string()))))


def add_children(dataset: Dataset, *, parents: Sequence[int], texts: Sequence[str] | None, stage: str) -> Dataset:
    """`dataset` followed by one new row per entry of `parents` (positions), with `texts`, or the parent's own text.

    A child has its parent's label, split and further columns. A child whose new text equals its parent's says nothing
    new and leaves with the reason `unchanged`, so that it is counted.
    """
    table = table_of(dataset)
    children = table.take(pa.array(parents, pa.int64()))
    parent_uids = children.column("uid").to_pylist()
    ordinals: defaultdict[str, int] = defaultdict(int)
    uids = []
    for uid in parent_uids:
        uids.append(child_uid(uid, stage, ordinals[uid]))
        ordinals[uid] += 1
    made: dict[str, Sequence[Any] | pa.Array | pa.ChunkedArray] = {
        "uid": uids,
        "parent_uid": parent_uids,
        "origin": [stage] * len(uids),
        "dropped": pa.nulls(len(uids), pa.string()),
    }
    if texts is not None:
        new = pa.array(texts, pa.string())
        same = pc.equal(new, children.column("text"))
        made |= {"text": new, "dropped": pc.if_else(same, UNCHANGED, pa.scalar(None, pa.string()))}
    rows = dataset_of(children)
    for name, values in made.items():
        rows = with_column(rows, name, values)
    return dataset_of(pa.concat_tables([table, table_of(rows).cast(table.schema)]))


@dataclass(frozen=True)
class Settled:
    """A stage's result taken apart: rows that go on, rows that left (with reasons), and the counts."""

    kept: Dataset
    left: Dataset
    counts: dict[str, Any]


def settle(before: Dataset, after: Dataset, *, stage: str, group: str, given_splits: Sequence[str] = ()) -> Settled:
    """Check `after` against `before` as the stage's group allows, and take out the rows with a reason.

    Rows of `given_splits` (a dev or test file of the user's) stay whatever a stage says; the reason is counted under
    `reported`.
    """
    old, new = table_of(before), table_of(after)
    _check(old, new, stage=stage, group=group)
    reasons = new.column("dropped")
    protected = pc.and_(pc.is_valid(reasons), pc.is_in(new.column("split"), pa.array(given_splits, pa.string())))
    reported = new.filter(protected)
    reasons = pc.if_else(protected, pa.scalar(None, pa.string()), reasons)
    new = new.set_column(new.column_names.index("dropped"), "dropped", reasons)
    left, kept = new.filter(pc.is_valid(reasons)), new.filter(pc.is_null(reasons))
    added = new.filter(pc.invert(pc.is_in(new.column("uid"), old.column("uid").combine_chunks())))
    counts = ledger(old, added=added, left=left, kept=kept)
    counts["reported"] = _count(reported, "dropped")
    return Settled(dataset_of(kept), dataset_of(left), counts)


def _check(old: pa.Table, new: pa.Table, *, stage: str, group: str) -> None:
    missing = [name for name in old.column_names if name not in new.column_names and (name, group) != ("text", "preprocess")]
    if missing:
        raise ContractBroken(f"{stage}: took out the column {missing[0]!r}")
    uids, old_uids = new.column("uid").combine_chunks(), old.column("uid").combine_chunks()
    if pc.count_distinct(uids).as_py() != len(uids):
        raise ContractBroken(f"{stage}: made two rows with one uid")
    places = pc.index_in(old_uids, uids)
    if places.null_count:
        lost = old_uids.filter(pc.is_null(places))
        raise ContractBroken(f"{stage}: lost {len(lost)} rows without a reason, the first is {lost[0]}")
    kept = new.take(places)
    for name in FIXED_COLUMNS[group]:
        if not kept.column(name).combine_chunks().equals(old.column(name).combine_chunks()):
            raise ContractBroken(f"{stage}: changed the column {name!r} of a row that it was given")
    added = new.filter(pc.invert(pc.is_in(uids, old_uids)))
    if len(added) and group not in MAY_ADD_ROWS:
        raise ContractBroken(f"{stage}: made {len(added)} rows, which a stage of {group} may not")
    parents = pc.index_in(added.column("parent_uid").combine_chunks(), old_uids)
    if parents.null_count:
        raise ContractBroken(f"{stage}: made a row whose parent_uid is none of its input")
    if not old.column("split").take(parents).combine_chunks().equals(added.column("split").combine_chunks()):
        raise ContractBroken(f"{stage}: put a row into another split than its parent's")


def ledger(before: pa.Table, *, added: pa.Table, left: pa.Table, kept: pa.Table) -> dict[str, Any]:
    """Counts of a stage: in all, and per split and class; rows_in + rows_added = rows_out + dropped, everywhere."""
    counts: dict[str, Any] = {
        "rows_in": len(before),
        "rows_added": len(added),
        "rows_out": len(kept),
        "dropped": _count(left, "dropped"),
        "per_class": class_counts(before, added=added, left=left, kept=kept),
    }
    cells = [counts] + [cell for classes in counts["per_class"].values() for cell in classes.values()]
    for cell in cells:
        if cell["rows_in"] + cell["rows_added"] != cell["rows_out"] + sum(cell["dropped"].values()):
            raise ContractBroken(f"the row ledger does not balance: {cell}")
    return counts


def class_counts(before: pa.Table, *, added: pa.Table, left: pa.Table, kept: pa.Table) -> dict[str, dict[str, Any]]:
    """`{split: {label: {rows_in, rows_added, rows_out, dropped: {reason: n}}}}`; rows not yet split are under `all`.

    A stage that rewrites labels moves rows between classes: they leave the old one as `relabelled`, and are added to the new.
    """
    cells: dict[str, dict[str, Any]] = {}

    def cell(split: str, label: str) -> dict[str, Any]:
        empty = {"rows_in": 0, "rows_added": 0, "rows_out": 0, "dropped": {}}
        found: dict[str, Any] = cells.setdefault(split or "all", {}).setdefault(label, empty)
        return found

    for table, name in ((before, "rows_in"), (added, "rows_added"), (kept, "rows_out")):
        for (split, label), n_rows in _grouped(table, ["split", "label"]):
            cell(split, label)[name] = n_rows
    for (split, label, reason), n_rows in _grouped(left, ["split", "label", "dropped"]):
        cell(split, label)["dropped"][reason] = n_rows
    for found in (found for classes in cells.values() for found in classes.values()):
        moved = found["rows_in"] + found["rows_added"] - found["rows_out"] - sum(found["dropped"].values())
        if moved > 0:
            found["dropped"]["relabelled"] = moved
        found["rows_added"] += max(-moved, 0)
    return {split: dict(sorted(classes.items())) for split, classes in sorted(cells.items())}


def _grouped(table: pa.Table, columns: list[str]) -> list[tuple[tuple[str, ...], int]]:
    counted = table.select(columns).group_by(columns).aggregate([([], "count_all")])
    keys = zip(*(counted.column(name).to_pylist() for name in columns), strict=True)
    return list(zip(keys, counted.column("count_all").to_pylist(), strict=True))


def _count(table: pa.Table, column: str) -> dict[str, int]:
    return dict(sorted((key[0], n_rows) for key, n_rows in _grouped(table, [column])))
