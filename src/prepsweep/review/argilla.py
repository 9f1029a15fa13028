"""A queue as records for Argilla 2, and its records read again, flat (`to_list(flatten=True)`, `to_datasets`) or nested (`to_json`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.review import marks
from prepsweep.review.decisions import Decision
from prepsweep.review.json_file import string
from prepsweep.schema import text_columns

_QUESTION = "label"
_SUBMITTED, _COMPLETED = "submitted", "completed"
_FLAT = "export with json.dump(dataset.records.to_list(flatten=True), file)"


def written(queue: pa.Table) -> bytes:
    """Records as `dataset.records.log` takes them: fields `text` (and `text_pair`), question `label`, the rest is metadata.

    What stands beside the name of a question is its suggestion.
    """
    read = text_columns(queue.column_names)
    records = []
    for place, row in enumerate(queue.to_pylist(), start=1):
        told = {"id": marks.written_uid(row["uid"]), **{name: row[name] for name in read}, "given": row["label"], "reason": row["reason"]}
        told |= {"row": marks.written_place(place, len(queue)), "data": marks.data_mark(row["uid"], [row[name] for name in read])}
        records.append(told | ({_QUESTION: row["suggested"]} if row["suggested"] else {}))
    return json.dumps(records, ensure_ascii=False, indent=1).encode()


def is_record(element: Mapping[str, Any]) -> bool:
    return "id" in element and marks.read_uid(str(element["id"])) is not None


def place_of(record: Mapping[str, Any]) -> tuple[int, int] | None:
    """Which record of how many it is."""
    return marks.read_place(str(_told(record, "metadata", "row")))


def decisions_of(where: str, record: Mapping[str, Any]) -> Iterator[Decision]:
    """The submitted responses to the question `label`; drafts and discarded ones decide nothing."""
    uid = marks.read_uid(str(record["id"]))
    assert uid is not None
    data = string(_told(record, "metadata", "data"), where, "data")
    text = string(_told(record, "fields", "text"), where, "text")
    for value, person, status in _responses(where, record):
        if status == _SUBMITTED:
            yield Decision(uid, string(value, where, f"{_QUESTION}.responses"), str(person), where, data=data, text=text)


def _responses(where: str, record: Mapping[str, Any]) -> list[tuple[Any, Any, Any]]:
    nested = record.get("responses")
    if isinstance(nested, dict):
        return _nested(where, nested.get(_QUESTION) or [], is_completed=record.get("status") == _COMPLETED)
    key = f"{_QUESTION}.responses"
    values, people, states = (record.get(name) or [] for name in (key, f"{key}.users", f"{key}.status"))
    if not all(isinstance(each, list) and len(each) == len(values) for each in (values, people, states)):
        raise Refused(where, f"{key}, .users and .status are not lists of one length", "export the records again")
    return list(zip(values, people, states, strict=True))


def _nested(where: str, responses: Any, *, is_completed: bool) -> list[tuple[Any, Any, Any]]:
    # `to_json` leaves out which of them is a draft. A record is completed by submitted ones, so a single one is.
    if not is_completed:
        return []
    if not isinstance(responses, list) or not all(isinstance(each, dict) for each in responses):
        raise Refused(where, f"responses.{_QUESTION} is no list of objects", _FLAT)
    if len(responses) > 1:
        raise Refused(where, f"{len(responses)} responses without their status: a draft could be one of them", _FLAT)
    return [(each.get("value"), each.get("user_id"), _SUBMITTED) for each in responses]


def _told(record: Mapping[str, Any], part: str, name: str) -> Any:
    inside = record.get(part)
    return inside.get(name) if isinstance(inside, dict) else record.get(name, record.get(f"{part}.{name}"))
