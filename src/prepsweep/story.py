"""The story of one row: where it was read, what each stage did to it, what was made from it, where it is now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.record import PREDICTIONS_FILE
from prepsweep.schema import text_columns
from prepsweep.source_place import place_of
from prepsweep.walk import Step, Walk

MIN_DIGITS = 6
_MAX_NAMED = 5
_WATCHED = ("text", "text_pair", "label", "split", "weight")


def story_of(walked: Walk, uid: str) -> dict[str, Any]:
    """The story of the row whose uid begins with `uid`, as plain values.

    `{uid, place, parent, origin, events: [{stage, what, …}], children: [{uid, stage, text, left}], now, prediction}`;
    `what` of an event is `read`, `made`, `changed` (with `column`, `before`, `after`) or `left` (with `reason`), `now`
    the row at the end (None where it left), `prediction` what the model of a run said of a test row.
    """
    steps = [step for step in walked.steps if step.group != "preprocess"]
    whole = full_uid(steps, uid)
    events = [event for step in steps for event in _events(step, whole)]
    last = [row for rows in walked.prepared() if (row := _row(table_of(rows.dataset), whole))]
    made = next((event for event in events if event["what"] == "made"), None)
    return {
        "uid": whole,
        "place": None if made else place_of(walked, whole),
        "origin": made["stage"] if made else "source",
        "parent": made["parent"] if made else None,
        "events": events,
        "children": [child for step in steps for child in _children(step, whole)],
        "now": last[0] if last else None,
        "prediction": _prediction(walked.run_dir, whole),
    }


def digits_of(uid: str) -> str:
    """A uid or the beginning of one, in lower case; refused where it cannot be one."""
    if not re.fullmatch(rf"[0-9a-fA-F]{{{MIN_DIGITS},24}}", uid):
        raise Refused("uid", f"{uid!r} is no uid", f"give at least {MIN_DIGITS} of its hex digits; prepsweep rows shows them")
    return uid.lower()


def full_uid(steps: list[Step], uid: str) -> str:
    """The one uid of any stage that begins with `uid`; refused where there is none or more than one."""
    digits = digits_of(uid)
    tables = [table_of(rows) for step in steps for rows in (step.after.dataset, step.left)]
    starts = [column.filter(pc.starts_with(column, digits)) for column in (table.column("uid") for table in tables)]
    found = sorted(pc.unique(pa.chunked_array([chunk for column in starts for chunk in column.chunks], pa.string())).to_pylist())
    if not found:
        raise Refused(
            "uid", f"no row {digits!r} in any stage of this configuration", "give the overrides (or the run) that the uid is from"
        )
    if len(found) > 1:
        named = ", ".join(found[:_MAX_NAMED]) + (", …" if len(found) > _MAX_NAMED else "")
        raise Refused("uid", f"{digits!r} begins {len(found)} uids: {named}", "give more digits")
    return str(found[0])


def _events(step: Step, uid: str) -> Iterator[dict[str, Any]]:
    before = _row(table_of(step.before.dataset), uid) if step.before else None
    kept, left = _row(table_of(step.after.dataset), uid), _row(table_of(step.left), uid)
    after = kept or left
    if after is None:
        return
    if before is None:
        row = {name: after[name] for name in (*text_columns(after), "label")}
        yield {"stage": step.where, "what": "made" if step.before else "read", "parent": after["parent_uid"], **row}
    else:
        for name in _WATCHED:
            if before.get(name) != after.get(name):
                yield {"stage": step.where, "what": "changed", "column": name, "before": before[name], "after": after[name]}
    if left:
        yield {"stage": step.where, "what": "left", "reason": left["dropped"]}


def _children(step: Step, uid: str) -> Iterator[dict[str, Any]]:
    if step.before is None:
        return
    known = table_of(step.before.dataset).column("uid").combine_chunks()
    for rows in (step.after.dataset, step.left):
        table = table_of(rows)
        of_it = table.filter(pc.equal(table.column("parent_uid"), uid))
        new = of_it.filter(pc.invert(pc.is_in(of_it.column("uid"), known)))
        for row in new.to_pylist():
            yield {"uid": row["uid"], "stage": step.where, "text": row["text"], "left": row["dropped"]}


def _row(table: pa.Table, uid: str) -> dict[str, Any] | None:
    place = pc.index(table.column("uid"), pa.scalar(uid, pa.string())).as_py()
    row: dict[str, Any] | None = table.slice(place, 1).to_pylist()[0] if place >= 0 else None
    return row


def _prediction(run_dir: Path | None, uid: str) -> dict[str, Any] | None:
    file = run_dir / PREDICTIONS_FILE if run_dir else None
    return _row(pq.read_table(file), uid) if file and file.is_file() else None
