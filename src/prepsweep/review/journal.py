"""The journal beside a queue: every decision as one line, on the disk before the page goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prepsweep.errors import Refused
from prepsweep.publish import sync_folder
from prepsweep.review import marks
from prepsweep.review.decisions import ADJUDICATOR, REVIEWER, Decision, ReviewFile
from prepsweep.review.json_file import lines, string
from prepsweep.sources.files import GivenFile, TextFile, open_text

DECIDE, SKIP, UNDO = "decide", "skip", "undo"
_KIND = "prepsweep_review"
_VERSION = 1


@dataclass(frozen=True)
class Line:
    """What one person did to one row; `label` is empty unless it was decided."""

    uid: str
    data: str
    action: str
    label: str
    reviewer: str
    role: str
    at: str


def beside(queue: Path) -> Path:
    """The journal of a queue file."""
    return queue.with_name(f"{queue.name}.decisions.jsonl")


def queue_mark(data: Iterable[str]) -> str:
    """Which queue it is: a hash of its rows' marks."""
    return "q:" + hashlib.blake2b("\n".join(sorted(data)).encode(), digest_size=8).hexdigest()


class Journal:
    """A journal that is open for writing; `past` are the lines that were in it."""

    def __init__(self, path: Path, *, queue: str, n_rows: int, classes: Sequence[str]) -> None:
        self.path = path
        self.past: list[Line] = []
        header = _encoded({_KIND: _VERSION, "queue": queue, "rows": n_rows, "classes": list(classes)})
        there = path.read_bytes() if path.exists() else b""
        if header.startswith(there) and there != header:
            path.write_bytes(b"")
            self._append(header)
            sync_folder(path.parent)
            return
        # A last line without an end was being written when the machine stopped: nobody was told that it is kept.
        if there.startswith(_encoded({_KIND: _VERSION})[:-2]):
            os.truncate(path, there.rfind(b"\n") + 1)
        found, self.past = _read(open_text(GivenFile(path, "journal", "")))
        if found["queue"] != queue:
            raise Refused(f"{path}:1", "the journal is that of another queue", "move it away, or name the queue that it belongs to")

    def add(self, line: Line) -> None:
        """Write a line; it is on the disk when this returns."""
        self._append(_encoded({"n": len(self.past) + 1, **vars(line), "uid": marks.written_uid(line.uid)}))
        self.past.append(line)

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        before = os.fstat(descriptor).st_size
        try:
            with os.fdopen(os.dup(descriptor), "ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            # Half a line on a full disk would make the next one unreadable.
            os.ftruncate(descriptor, before)
            raise
        finally:
            os.close(descriptor)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _encoded(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def is_header(element: dict[str, Any]) -> bool:
    return _KIND in element


def decisions_in(text: TextFile) -> ReviewFile:
    """What stands at the end: skipped rows and those taken back are undecided."""
    header, past = _read(text)
    places: dict[tuple[str, str, str], tuple[int, Line]] = {}
    for number, line in enumerate(past, start=2):
        places[line.uid, line.reviewer, line.role] = (number, line)
    found = [
        Decision(line.uid, line.label, line.reviewer, f"{text.path}:{number}", line.role, line.at, line.data)
        for number, line in places.values()
        if line.action == DECIDE
    ]
    return ReviewFile(found, int(header["rows"]) - len({decision.uid for decision in found}))


def _read(text: TextFile) -> tuple[dict[str, Any], list[Line]]:
    header: dict[str, Any] = {}
    past: list[Line] = []
    for where, value in lines(text):
        if not header:
            if value.get(_KIND) != _VERSION or not isinstance(value.get("queue"), str) or not isinstance(value.get("rows"), int):
                raise Refused(where, "this is no journal of prepsweep review serve", "name the file that it wrote beside the queue")
            header = value
            continue
        if value.get("n") != len(past) + 1:
            what = f"line {value.get('n')!r} where {len(past) + 1} should be: lines are missing or out of order"
            raise Refused(where, what, "put back the journal as it was written")
        past.append(_line(where, value))
    if not header:
        raise Refused(f"{text.path}:1", "the journal has no first line", "name another file")
    return header, past


def _line(where: str, value: dict[str, Any]) -> Line:
    line = Line(**{name: string(value.get(name), where, name) for name in Line.__annotations__})
    uid = marks.read_uid(line.uid)
    if uid is None or not marks.is_data_mark(line.data):
        raise Refused(where, "'uid' or 'data' is not as it was written", "put back the journal as it was written")
    if line.action not in (DECIDE, SKIP, UNDO) or line.role not in (REVIEWER, ADJUDICATOR):
        raise Refused(where, f"no action {line.action!r} by a {line.role!r}", "put back the journal as it was written")
    return Line(**(vars(line) | {"uid": uid}))
