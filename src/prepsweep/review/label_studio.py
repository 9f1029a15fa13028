"""A queue as tasks to import into Label Studio, and its JSON export read again (https://labelstud.io/guide/export)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.review import marks
from prepsweep.review.decisions import Decision
from prepsweep.review.json_file import string
from prepsweep.schema import text_columns

_CONTROL = "label"


def written(queue: pa.Table) -> bytes:
    """The tasks, each with the class that a model suggests as a prediction."""
    read = text_columns(queue.column_names)
    tasks = [_task(row, [row[name] for name in read], place, len(queue)) for place, row in enumerate(queue.to_pylist(), start=1)]
    return json.dumps(tasks, ensure_ascii=False, indent=1).encode()


def interface(queue: pa.Table, classes: Sequence[str]) -> str:
    """The labelling interface that the tasks need, to be pasted into the project's settings."""
    texts = "".join(f'<Text name="{name}" value="${name}"/>' for name in text_columns(queue.column_names))
    choices = "".join(f"<Choice value={quoteattr(name)}/>" for name in classes)
    return f'<View>{texts}<Choices name="{_CONTROL}" toName="text" choice="single" showInline="true">{choices}</Choices></View>'


def _task(row: dict[str, Any], texts: Sequence[str], place: int, n_rows: int) -> dict[str, Any]:
    told = {"uid": marks.written_uid(row["uid"]), "data": marks.data_mark(row["uid"], texts), "row": marks.written_place(place, n_rows)}
    task: dict[str, Any] = {"data": row | told}
    if row["suggested"]:
        said = {"from_name": _CONTROL, "to_name": "text", "type": "choices", "value": {"choices": [row["suggested"]]}}
        task["predictions"] = [{"model_version": "prepsweep", "result": [said]}]
    return task


def is_task(element: Mapping[str, Any]) -> bool:
    return isinstance(element.get("data"), dict)


def decisions_of(where: str, task: Mapping[str, Any]) -> Iterator[Decision]:
    """The annotations of a task that were not cancelled; one without a choice decides nothing."""
    told = task["data"]
    uid = marks.read_uid(string(told.get("uid"), where, "data.uid"))
    if uid is None:
        raise Refused(where, f"data.uid is {told['uid']!r}, not u: and 24 digits", "export the project made from prepsweep's tasks")
    for number, annotation in enumerate(_list(task.get("annotations", []), where, "annotations"), start=1):
        here = f"{where}, annotation {number}"
        if annotation.get("was_cancelled"):
            continue
        label = _choice(annotation, here)
        if label is not None:
            at = annotation.get("updated_at") or annotation.get("created_at")
            data, text = string(told.get("data"), where, "data.data"), string(told.get("text"), where, "data.text")
            yield Decision(uid, label, _person(annotation.get("completed_by")), here, decided_at=at, data=data, text=text)


def _choice(annotation: Mapping[str, Any], where: str) -> str | None:
    # Whoever added questions of their own gave them other names.
    results = [one for one in _list(annotation.get("result", []), where, "result") if one.get("from_name", _CONTROL) == _CONTROL]
    values = [result.get("value") for result in results if result.get("type", "choices") == "choices"]
    chosen = [name for value in values if isinstance(value, dict) for name in value.get("choices", [])]
    if len(chosen) > 1:
        raise Refused(where, f"{len(chosen)} classes are chosen", 'a row has one class: set choice="single"')
    return string(chosen[0], where, "choices") if chosen else None


def _person(completed_by: Any) -> str:
    """Who it was: the id, which stands alone or in an object beside the name."""
    return str(completed_by.get("id") if isinstance(completed_by, dict) else completed_by)


def _list(value: Any, where: str, name: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Refused(where, f"{name!r} is no list of objects", "use the JSON export, not JSON-MIN")
    return value
