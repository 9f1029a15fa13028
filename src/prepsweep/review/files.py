"""The files that carry a queue out and decisions back, each told by what stands in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.review import argilla, journal, label_studio, sheet
from prepsweep.review.decisions import Decision, ReviewFile
from prepsweep.review.json_file import elements, lines
from prepsweep.sources.files import GivenFile, TextFile, open_text


def written(queue: pa.Table, classes: Sequence[str], *, form: str) -> bytes:
    """The queue as a file of one of the three forms."""
    if form == "csv":
        return sheet.written(queue, classes)
    return label_studio.written(queue) if form == "label_studio" else argilla.written(queue)


def read_review(path: Path, *, partial: bool) -> ReviewFile:
    """The decisions of a file, or of all files of a folder; `partial` accepts a CSV or JSON lines file that lacks rows."""
    if path.is_dir():
        files = [read_review(file, partial=partial) for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".")]
        if not files:
            raise Refused(str(path), "the folder holds no files", "name a file with decisions, or a folder of them")
        return ReviewFile([each for file in files for each in file.decisions], sum(file.n_undecided for file in files))
    text = open_text(GivenFile(path, "review file", ""))
    head = text.data[text.start : text.start + 100].lstrip()
    if head.startswith(b"["):
        return _counted(_of_elements(elements(text)))
    if not head.startswith(b"{"):
        return sheet.decisions_in(path, partial=partial)
    first = next(lines(TextFile(path, text.data[: text.data.find(b"\n") + 1] or text.data, text.start, text.end)))[1]
    if journal.is_header(first):
        return journal.decisions_in(text)
    return _counted(_of_elements(_all_there(text, partial=partial)))


def _of_elements(found: Iterator[tuple[str, dict[str, object]]]) -> Iterator[list[Decision]]:
    for where, element in found:
        if label_studio.is_task(element):
            yield list(label_studio.decisions_of(where, element))
        elif argilla.is_record(element):
            yield list(argilla.decisions_of(where, element))
        else:
            what = "is neither a task of Label Studio nor a record of Argilla that came from prepsweep review export"
            raise Refused(where, what, "export as JSON (not JSON-MIN) from the project that the queue was imported into")


def _counted(rows: Iterator[list[Decision]]) -> ReviewFile:
    found = list(rows)
    return ReviewFile([each for row in found for each in row], sum(not row for row in found))


def _all_there(text: TextFile, *, partial: bool) -> Iterator[tuple[str, dict[str, object]]]:
    """The lines of a file of records; one that lost its end at a line end lacks rows of those that it speaks of."""
    seen, n_rows = set(), 0
    for where, element in lines(text):
        yield where, element
        place = argilla.place_of(element)
        if place is None and not partial:
            raise Refused(where, "does not say which row of how many it is ('row')", "export with the metadata, or set partial=true")
        if place is not None:
            seen.add(place[0])
            n_rows = place[1]
    if len(seen) < n_rows and not partial:
        what = f"{n_rows - len(seen):,} of {n_rows:,} records are missing"
        raise Refused(str(text.path), what, "export them all, or take those that are there with annotate.reviewed.partial=true")
