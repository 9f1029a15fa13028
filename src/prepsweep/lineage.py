"""What a stage may do to rows, and the proof that it did no more: the row ledger.

A stage never removes a row. It writes the reason into `dropped`, and `settle` takes the row out, counts it, and keeps
rows of a given dev or test file whatever the reason. A row that is gone without a reason is a bug and stops the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.errors import Refused
from prepsweep.row_classes import by_class
from prepsweep.schema import COLUMNS, MESSAGES, TEXT_PAIR, TOKENS, UNLABELLED, child_uid, text_columns

if TYPE_CHECKING:
    from datasets import Dataset

UNCHANGED = "unchanged"
_ROWS_AT_ONCE = 50_000
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
    # `with_format` copies what describes the data set, which takes longer than most stages take for a thousand rows.
    table: pa.Table = dataset.data.table if dataset._indices is None else dataset.with_format("arrow")[:]
    return table


def dataset_of(table: pa.Table) -> Dataset:
    """`table` as a data set; the library would hash every value for a cache of its own, which is not used."""
    from datasets import Dataset
    from datasets.fingerprint import generate_random_fingerprint

    return Dataset(table, fingerprint=generate_random_fingerprint())


def with_column(dataset: Dataset, name: str, values: Sequence[Any] | pa.Array | pa.ChunkedArray) -> Dataset:
    """`dataset` with one column of the row contract replaced, its type and place kept."""
    table = table_of(dataset)
    kind = (COLUMNS | {TEXT_PAIR: pa.string()})[name]
    column = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values, kind)
    return dataset_of(table.set_column(table.column_names.index(name), name, column.cast(kind)))


def drop(dataset: Dataset, reason: str, rows: Sequence[bool] | pa.Array | pa.ChunkedArray) -> Dataset:
    """`dataset` with `reason` written on the marked rows that have none yet."""
    mask = rows if isinstance(rows, (pa.Array, pa.ChunkedArray)) else pa.array(rows, pa.bool_())
    given = table_of(dataset).column("dropped")
    return with_column(dataset, "dropped", pc.coalesce(given, pc.if_else(mask, reason, pa.scalar(None, pa.string()))))


def add_children(
    dataset: Dataset,
    *,
    parents: Sequence[int] | NDArray[np.int64],
    texts: Sequence[str] | pa.ChunkedArray | None,
    stage: str,
    uids: pa.ChunkedArray | None = None,
) -> Dataset:
    """`dataset` followed by one new row per entry of `parents` (positions), with `texts`, or the parent's own text.

    A child has its parent's label, split and further columns. A child whose new text equals its parent's says nothing
    new and leaves with the reason `unchanged`, so that it is counted. `uids` are those of the children where they are
    made already (`schema.child_uid` of parent, stage and place among its children).
    """
    table = table_of(dataset)
    places = np.asarray(parents, dtype=np.int64)
    children = table.take(pa.array(places))
    made: dict[str, pa.Array | pa.ChunkedArray] = {
        "uid": uids if uids is not None else _child_uids(children.column("uid"), _ordinals(places), stage),
        "parent_uid": children.column("uid"),
        "origin": pa.repeat(pa.scalar(stage), len(places)),
        "dropped": pa.nulls(len(places), pa.string()),
    }
    if texts is not None:
        new = texts if isinstance(texts, pa.ChunkedArray) else pa.array(texts, pa.string())
        same = pc.equal(new, children.column("text"))
        made |= {"text": new, "dropped": pc.if_else(same, UNCHANGED, pa.scalar(None, pa.string()))}
    rows = dataset_of(children)
    for name, values in made.items():
        rows = with_column(rows, name, values)
    return dataset_of(pa.concat_tables([table, table_of(rows).cast(table.schema)]))


def _ordinals(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each entry, how many before it name the same place."""
    order = np.argsort(places, kind="stable")
    firsts = np.flatnonzero(np.diff(places[order], prepend=-1))
    ordinals = np.empty_like(places)
    ordinals[order] = np.arange(len(places)) - np.repeat(firsts, np.diff(firsts, append=len(places)))
    return ordinals


def _child_uids(parents: pa.ChunkedArray, ordinals: NDArray[np.int64], stage: str) -> pa.ChunkedArray:
    """Uids of the children, made a part at a time: as Python strings all of them would take four times the memory."""
    parts = []
    for start in range(0, len(parents), _ROWS_AT_ONCE):
        some = zip(parents.slice(start, _ROWS_AT_ONCE).to_pylist(), ordinals[start : start + _ROWS_AT_ONCE].tolist(), strict=True)
        parts.append(pa.array([child_uid(uid, stage, ordinal) for uid, ordinal in some], pa.string()))
    return pa.chunked_array(parts, pa.string())


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
    added = _checked_additions(old, new, stage=stage, group=group)
    reasons = new.column("dropped")
    protected = pc.and_(pc.is_valid(reasons), pc.is_in(new.column("split"), pa.array(given_splits, pa.string())))
    reported = new.filter(protected)
    reasons = pc.if_else(protected, pa.scalar(None, pa.string()), reasons)
    new = new.set_column(new.column_names.index("dropped"), "dropped", reasons)
    nothing_left = reasons.null_count == len(reasons)  # and then nothing is copied
    left = new.slice(0, 0) if nothing_left else new.filter(pc.is_valid(reasons))
    kept = new if nothing_left else new.filter(pc.is_null(reasons))
    counts = ledger(old, added=added, left=left, kept=kept)
    counts["reported"] = _count(reported, "dropped")
    return Settled(dataset_of(kept), dataset_of(left), counts)


def _checked_additions(old: pa.Table, new: pa.Table, *, stage: str, group: str) -> pa.Table:
    """The rows of `new` that are none of `old`; refused where a stage of this group may not have made `new` of `old`."""
    read = text_columns(old.column_names)
    in_place = (*read, TOKENS, MESSAGES) if group == "preprocess" else ()
    missing = [name for name in old.column_names if name not in new.column_names and name not in in_place]
    if missing:
        raise ContractBroken(f"{stage}: took out the column {missing[0]!r}")
    uids, old_uids = new.column("uid").combine_chunks(), old.column("uid").combine_chunks()
    # Most stages leave every row at its place, and then there is nothing to look up.
    kept, added = (new, new.slice(0, 0)) if uids.equals(old_uids) else _kept_and_added(old_uids, uids, new, stage)
    fixed = FIXED_COLUMNS[group]
    for name in (*fixed, *(read[1:] if "text" in fixed else ())):
        if not kept.column(name).combine_chunks().equals(old.column(name).combine_chunks()):
            raise ContractBroken(f"{stage}: changed the column {name!r} of a row that it was given")
    _refuse_relabelled(old, kept, stage=stage)
    _refuse_torn(new, stage=stage)
    if len(added) and group not in MAY_ADD_ROWS:
        what = f"made {len(added)} rows, which a stage of {group} may not: only rows of train may be added to"
        raise Refused(stage, what, f"make it a stage of {' or '.join(MAY_ADD_ROWS)}, which see train alone")
    if len(added):
        _refuse_strangers(old, added, stage=stage)
    return added


def _refuse_strangers(old: pa.Table, added: pa.Table, *, stage: str) -> None:
    """Refuse a new row that has no parent among the old ones, or another split than its parent."""
    parents = pc.index_in(added.column("parent_uid").combine_chunks(), old.column("uid").combine_chunks())
    if parents.null_count:
        raise ContractBroken(f"{stage}: made a row whose parent_uid is none of its input")
    if not old.column("split").take(parents).combine_chunks().equals(added.column("split").combine_chunks()):
        raise Refused(stage, "put a row into another split than its parent's", "make rows with lineage.add_children, which keeps the split")


def refuse_double(uids: pa.Array, *, stage: str) -> None:
    """Refuse rows of which two have one uid: each would hide the other."""
    if pc.count_distinct(uids).as_py() != len(uids):
        raise ContractBroken(f"{stage}: made two rows with one uid")


def _kept_and_added(old_uids: pa.Array, uids: pa.Array, new: pa.Table, stage: str) -> tuple[pa.Table, pa.Table]:
    """The rows of `new` that were there before, in their old order, and the others."""
    refuse_double(uids, stage=stage)
    places = pc.index_in(old_uids, uids)
    if places.null_count:
        lost = old_uids.filter(pc.is_null(places))
        raise ContractBroken(f"{stage}: lost {len(lost)} rows without a reason, the first is {lost[0]}")
    return new.take(places), new.filter(pc.invert(pc.is_in(uids, old_uids)))


def _refuse_relabelled(old: pa.Table, kept: pa.Table, *, stage: str) -> None:
    """Refuse a dev or test row whose label was changed, unless a class was renamed alike in all rows.

    To spell " Pos" as "pos" everywhere is no judgement of a row; to give one of several rows of a class another is, and
    on test rows it makes the score that of the relabeller.
    """
    before, after = (table.column("label").combine_chunks() for table in (old, kept))
    held = pc.is_in(old.column("split"), pa.array(["dev", "test"])).combine_chunks()
    # To label a row that has no label is to annotate it.
    changed = pc.and_(held, pc.and_(pc.not_equal(before, after), pc.not_equal(before, UNLABELLED)))
    if not pc.any(changed).as_py():
        return
    names = pa.table({"old": before, "new": after}).group_by(["old", "new"]).aggregate([])
    renamed = names.group_by("old").aggregate([("new", "count")])
    torn = renamed.filter(pc.greater(renamed.column("new_count"), 1)).column("old").combine_chunks()
    n_torn = pc.sum(pc.and_(changed, pc.is_in(before, torn))).as_py()
    if n_torn:
        fix = "relabel in refine, which sees train alone; only renaming a class in every row is for all splits"
        raise Refused(stage, f"relabelled {n_torn} rows of dev or test", fix)


def _refuse_torn(rows: pa.Table, *, stage: str) -> None:
    """Refuse a text that is no longer that of its row's tokens: each tag belongs to a token."""
    if {"text", TOKENS} <= set(rows.column_names):
        torn = pc.not_equal(rows.column("text"), pc.binary_join(rows.column(TOKENS), " "))
        if n_torn := pc.sum(torn).as_py():
            what = f"rewrote {n_torn:,} texts whose tags belong to the tokens as they were"
            raise Refused(stage, what, "take it out, or use augment=span_replace")


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

    A row with several classes counts in each. A stage that rewrites labels moves rows between classes: they leave the old
    one as `relabelled`, and are added to the new.
    """
    cells: dict[str, dict[str, Any]] = {}

    def cell(split: str, label: str) -> dict[str, Any]:
        empty = {"rows_in": 0, "rows_added": 0, "rows_out": 0, "dropped": {}}
        found: dict[str, Any] = cells.setdefault(split or "all", {}).setdefault(label, empty)
        return found

    for table, name in ((before, "rows_in"), (added, "rows_added"), (kept, "rows_out")):
        for (split, label), n_rows in _grouped(by_class(table), ["split", "label"]):
            cell(split, label)[name] = n_rows
    for (split, label, reason), n_rows in _grouped(by_class(left), ["split", "label", "dropped"]):
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
