"""What a stage did to single rows: a small sample of each kind of change, and the words that differ."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.lineage import table_of
from prepsweep.randomness import draw_order
from prepsweep.schema import text_columns
from prepsweep.text import pieces
from prepsweep.walk import Step

KINDS = ("text changed", "text_pair changed", "label changed", "weight changed", "split changed", "added", "dropped")
# The sample is the same for everybody: it shows a stage, it decides nothing.
_SEED = 0
# Two texts of more differing pieces than this are shown as wholly different: comparing them takes time squared.
_MAX_COMPARED = 2000
_CONTEXT = 16


@dataclass(frozen=True)
class Example:
    """One row: `before` is its value or its parent's, `after` what the stage made of it, `note` a reason or a label."""

    uid: str
    before: str
    after: str
    note: str


@dataclass(frozen=True)
class Span:
    """A stretch of text that is in both (`same`), in the old only (`gone`), or in the new only (`new`)."""

    kind: str
    text: str


def examples_of(step: Step, *, n: int) -> dict[str, tuple[int, list[Example]]]:
    """Kind of change → how many rows it befell, and `n` of them; kinds that befell none are left out.

    A row that was added and left at once (its text was the parent's) counts as dropped.
    """
    assert step.before is not None
    old, kept, left = (table_of(rows) for rows in (step.before.dataset, step.after.dataset, step.left))
    places = pc.index_in(kept.column("uid").combine_chunks(), old.column("uid").combine_chunks())
    there = pc.is_valid(places)
    was, now, added = old.take(places.drop_null()), kept.filter(there), kept.filter(pc.invert(there))
    found: dict[str, tuple[int, list[Example]]] = {}
    for column in (*text_columns(old.column_names), "label", "weight", "split"):
        changed = pc.not_equal(was.column(column), now.column(column))
        found[f"{column} changed"] = _sample(_pairs(was.filter(changed), now.filter(changed), column), n)
    parents = old.take(pc.index_in(added.column("parent_uid").combine_chunks(), old.column("uid").combine_chunks()))
    found["added"] = _sample(_pairs(parents, added, "text"), n)
    found["dropped"] = _sample(
        _rows(left, before=left.column("text"), after=pa.nulls(len(left), pa.string()), note=left.column("dropped")), n
    )
    return {kind: found[kind] for kind in KINDS if kind in found and found[kind][0]}


def _pairs(was: pa.Table, now: pa.Table, column: str) -> pa.Table:
    # Beside a text stands its label, beside anything else the text: what one needs to judge the change.
    note = now.column("label" if column in ("text", "text_pair") else "text")
    before, after = (pc.cast(table.column(column), pa.string()) for table in (was, now))
    return _rows(now, before=before, after=after, note=note)


def _rows(table: pa.Table, **columns: Any) -> pa.Table:
    return pa.table({"uid": table.column("uid"), **columns})


def _sample(rows: pa.Table, n: int) -> tuple[int, list[Example]]:
    order = draw_order(rows.column("uid").to_pylist(), seed=_SEED, stage="show")[:n]
    return len(rows), [Example(row["uid"], row["before"], row["after"] or "", row["note"]) for row in rows.take(order).to_pylist()]


def word_changes(before: str, after: str) -> list[Span]:
    """The two texts as one row of spans, word by word; joined without `new` they give `before`, without `gone` `after`."""
    old, new = pieces(before), pieces(after)
    head = _n_equal(old, new)
    tail = _n_equal(old[head:][::-1], new[head:][::-1])
    spans = [Span("same", "".join(old[:head]))]
    spans += _differences(old[head : len(old) - tail], new[head : len(new) - tail])
    spans.append(Span("same", "".join(old[len(old) - tail :])))
    return [span for span in spans if span.text]


def around_changes(spans: Sequence[Span]) -> list[Span]:
    """The spans with long stretches that did not change cut down to a few words beside each change."""
    if all(span.kind == "same" for span in spans):
        return list(spans)
    last = len(spans) - 1
    return [_shortened(span, first=not place, last=place == last) if span.kind == "same" else span for place, span in enumerate(spans)]


def _differences(old: list[str], new: list[str]) -> Iterator[Span]:
    if len(old) + len(new) > _MAX_COMPARED:
        yield from (Span("gone", "".join(old)), Span("new", "".join(new)))
        return
    for operation, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if operation == "equal":
            yield Span("same", "".join(old[i:j]))
        else:
            yield from (Span("gone", "".join(old[i:j])), Span("new", "".join(new[k:m])))


def _n_equal(one: list[str], other: list[str]) -> int:
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _shortened(span: Span, *, first: bool, last: bool) -> Span:
    parts = pieces(span.text)
    begin, end = 0 if first else _CONTEXT, 0 if last else _CONTEXT
    if len(parts) <= begin + end + 2:
        return span
    return Span("same", "".join(parts[:begin]) + " … " + "".join(parts[len(parts) - end :]))
