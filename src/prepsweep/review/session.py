"""A queue while people go through it: who decided what, and what each of them may see."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import Timeout

from prepsweep.errors import Refused
from prepsweep.locks import locked
from prepsweep.review.decisions import ADJUDICATOR, REVIEWER
from prepsweep.review.journal import DECIDE, SKIP, UNDO, Journal, Line, beside, now, queue_mark
from prepsweep.review.sheet import Sheet, SheetRow, read_sheet
from prepsweep.schema import TEXT_PAIR
from prepsweep.visible import visible

_MAX_CHARACTERS = 20_000
_MAX_ROWS = 100


@dataclass(frozen=True)
class Person:
    """Somebody who decides, as a reviewer or between reviewers."""

    name: str
    role: str


@dataclass
class Session:
    """The rows, the journal, and what stands now: person → uid → the last line that says something."""

    sheet: Sheet
    people: list[Person]
    journal: Journal
    said: dict[Person, dict[str, Line]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._rows = {row.uid: row for row in self.sheet.rows}
        for line in self.journal.past:
            self._keep(line)

    def state(self, person: Person) -> dict[str, Any]:
        """What the page shows above the row: how far this person is, and where to go on."""
        rows, said = self._of(person), self.said.get(person, {})
        done = [said[row.uid].action for row in rows if row.uid in said]
        begin = next((place for place, row in enumerate(rows) if row.uid not in said), 0)
        return {
            "name": visible(person.name),
            "role": person.role,
            "classes": self.sheet.classes,
            "n_rows": len(rows),
            "n_decided": done.count(DECIDE),
            "n_skipped": done.count(SKIP),
            "next": begin,
        }

    def rows(self, person: Person, start: int, n_rows: int) -> list[dict[str, Any]]:
        """Some rows as this person may see them: an adjudicator sees the reviewers' classes without their names."""
        rows, said = self._of(person), self.said.get(person, {})
        return [
            self._shown(row, place, person, said.get(row.uid))
            for place, row in enumerate(rows[start : start + min(n_rows, _MAX_ROWS)], start=start)
        ]

    def decide(self, person: Person, uid: str, action: str, label: str) -> None:
        """Write down what somebody did; refused where there is no such row or class."""
        row = self._rows.get(uid)
        if row is None:
            raise Refused("uid", f"no row {uid!r} in the queue", "load the page again")
        if action not in (DECIDE, SKIP, UNDO) or (action == DECIDE) != (label in self.sheet.classes):
            raise Refused("label", f"no class {label!r}, or no action {action!r}", "load the page again")
        line = Line(uid, row.data, action, label, person.name, person.role, now())
        with self.lock:
            self.journal.add(line)
            self._keep(line)

    def _keep(self, line: Line) -> None:
        of_person = self.said.setdefault(Person(line.reviewer, line.role), {})
        if line.action == UNDO:
            of_person.pop(line.uid, None)
        else:
            of_person[line.uid] = line

    def _of(self, person: Person) -> list[SheetRow]:
        """The rows that are this person's: all, or for an adjudicator those that two reviewers gave different classes."""
        if person.role == REVIEWER:
            return self.sheet.rows
        return [row for row in self.sheet.rows if len(self._votes(row)) > 1]

    def _votes(self, row: SheetRow) -> Counter[str]:
        lines = [said[row.uid] for person, said in list(self.said.items()) if person.role == REVIEWER and row.uid in said]
        return Counter(line.label for line in lines if line.action == DECIDE)

    def _shown(self, row: SheetRow, place: int, person: Person, line: Line | None) -> dict[str, Any]:
        texts = [row.cells[name] for name in ("text", TEXT_PAIR) if name in row.cells]
        votes = self._votes(row) if person.role == ADJUDICATOR else Counter()
        return {
            "place": place,
            "uid": row.uid,
            "texts": [_readable(text) for text in texts],
            "given": row.cells.get("label", ""),
            "suggested": row.cells.get("suggested", ""),
            "reason": visible(row.cells.get("reason", "")),
            "votes": [[label, votes[label]] for label in sorted(votes)],
            "action": line.action if line else "",
            "label": line.label if line else "",
        }


@contextmanager
def opened(file: Path, *, reviewers: Sequence[str], adjudicator: str | None) -> Iterator[Session]:
    """The session of a queue file, with what its journal holds; one process at a time."""
    if len(set(reviewers)) < len(reviewers) or not all(name.strip() and name.isprintable() for name in reviewers):
        raise Refused("--reviewer", f"a name is blank, unprintable or there twice: {', '.join(map(repr, reviewers))}", "give each a name")
    sheet = read_sheet(file)
    if len(sheet.classes) < 2:
        raise Refused(
            str(file), "the queue names fewer than two classes", "name them in data.classes at the export, or put back the cell 'choices'"
        )
    people = [Person(name, REVIEWER) for name in reviewers] + ([Person(adjudicator, ADJUDICATOR)] if adjudicator else [])
    journal = beside(file)
    try:
        with locked(journal.with_name(f".{journal.name}.lock"), timeout_seconds=0):
            queue = queue_mark(row.data for row in sheet.rows)
            yield Session(sheet, people, Journal(journal, queue=queue, n_rows=sheet.n_rows, classes=sheet.classes))
    except Timeout as error:
        raise Refused(str(file), "another prepsweep review serve has it open", "use that one: --reviewer may be given twice") from error


def _readable(text: str) -> str:
    """`text` with its lines, and codes for what cannot be seen."""
    shown = "\n".join(visible(line) for line in text[:_MAX_CHARACTERS].splitlines())
    return shown if len(text) <= _MAX_CHARACTERS else f"{shown}… ({len(text) - _MAX_CHARACTERS:,} more characters)"
