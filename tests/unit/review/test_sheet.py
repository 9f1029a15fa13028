"""A queue in CSV comes back exactly from whatever a spreadsheet makes of it, or is refused where it does not."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prepsweep.csv_cells import neutralise
from prepsweep.errors import Refused
from prepsweep.review.sheet import decisions_in, read_sheet, written
from tests.conftest import rows_of
from tests.unit.review.conftest import CLASSES, LABELS, TEXTS, queue_table

Rows = list[dict[str, str]]


def edited(file: Path, change: Callable[[Rows], Rows], *, delimiter: str = ",", line_end: str = "\r\n", bom: bool = True) -> bytes:
    """The file as a spreadsheet saves it: read, changed, and written in the spreadsheet's own way."""
    rows = change(list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline=""))))
    # Python's writer does not quote a line feed where lines end in CR.
    quoting = csv.QUOTE_ALL if line_end == "\r" else csv.QUOTE_MINIMAL
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0], delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return (b"\xef\xbb\xbf" if bom else b"") + out.getvalue().encode()


def decide(rows: Rows) -> Rows:
    """Every row is given the class that it has, as the sheet shows it; the third is left blank."""
    return [row | {"decision": "" if place == 2 else row["label"], "reviewer": "ann"} for place, row in enumerate(rows)]


def shuffled(rows: Rows) -> Rows:
    """Rows sorted otherwise, columns moved, one of the expert's own put in front."""
    names = random.Random(0).sample(list(rows[0]), len(rows[0]))
    return [{"my notes": "x\ny;z"} | {name: row[name] for name in names} for row in random.Random(1).sample(rows, len(rows))]


def labels_of(file: Path, uids: list[str]) -> list[str | None]:
    found = {decision.uid: decision.label for decision in decisions_in(file, partial=False).decisions}
    return [found.get(uid) for uid in uids]


def test_the_queue_comes_back_as_it_was(queue: pa.Table, queue_file: Path) -> None:
    sheet = read_sheet(queue_file)
    assert [row.uid for row in sheet.rows] == queue.column("uid").to_pylist()
    for name in ("label", "suggested", "reason"):
        assert [row.cells[name] for row in sheet.rows] == queue.column(name).to_pylist()
    assert [row.cells["text"] for row in sheet.rows] == TEXTS
    assert (sheet.classes, sheet.n_rows) == (CLASSES, len(TEXTS))


def test_other_readers_keep_their_limit_of_a_cell(queue_file: Path) -> None:
    before = csv.field_size_limit()
    read_sheet(queue_file, partial=False)
    assert csv.field_size_limit() == before


def test_no_cell_can_be_taken_for_a_formula_or_a_number(queue_file: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(queue_file.read_text(encoding="utf-8-sig"), newline="")))
    assert all(cell == "" or cell[0] not in "=+-@\t\r\n" for row in rows for cell in row.values())
    assert all(row["uid"].startswith("u:") and row["data"].startswith("d:") for row in rows)


@pytest.mark.parametrize("bom", [True, False])
@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_spreadsheet_may_save_it_in_its_own_way(queue: pa.Table, queue_file: Path, delimiter: str, line_end: str, bom: bool) -> None:
    queue_file.write_bytes(edited(queue_file, lambda rows: shuffled(decide(rows)), delimiter=delimiter, line_end=line_end, bom=bom))
    expected: list[str | None] = [*LABELS]
    expected[2] = None
    assert labels_of(queue_file, queue.column("uid").to_pylist()) == expected
    assert decisions_in(queue_file, partial=False).n_undecided == 1


def test_the_file_names_the_reviewer_where_no_cell_does(queue_file: Path) -> None:
    queue_file.write_bytes(edited(queue_file, lambda rows: [row | {"reviewer": ""} for row in decide(rows)]))
    assert {decision.reviewer for decision in decisions_in(queue_file, partial=False).decisions} == {"queue"}


def last_is(name: str, rows: Rows) -> Rows:
    return [{**{each: row[each] for each in row if each != name}, name: row[name]} for row in rows]


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("last", ["data", "decision", "text", "choices"])
def test_a_file_cut_at_any_byte_is_read_exactly_or_refused(queue_file: Path, last: str, delimiter: str) -> None:
    whole = edited(queue_file, lambda rows: last_is(last, decide(rows)), delimiter=delimiter)
    file = queue_file.with_name("cut.csv")
    file.write_bytes(whole)
    expected = decided_in(file)
    assert len(expected) == len(TEXTS) - 1
    said, n_read = set(), 0
    for n_bytes in range(len(whole)):
        file.write_bytes(whole[:n_bytes])
        try:
            assert decided_in(file) == expected
            n_read += 1
        except Refused as error:
            said.add(str(error))
    assert all("\n" not in line and "cut.csv" in line for line in said)
    # What can be missed without a loss: the line end, and the end of the text beside the last decision.
    assert n_read <= 2 + (len(TEXTS[-1]) + 1 if last == "text" else 0)


def decided_in(file: Path) -> list[tuple[str, str, str]]:
    return [(each.uid, each.label, each.reviewer) for each in decisions_in(file, partial=False).decisions]


def changed(name: str, value: str, place: int = 3) -> Callable[[Rows], Rows]:
    return lambda rows: [row | {name: value} if at == place else row for at, row in enumerate(decide(rows))]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed("uid", "1,23E+45"), "is no uid"),
        (changed("uid", "u:00ff"), "is no uid"),
        (changed("data", "d:00ff"), "is no mark"),
        (changed("row", "Apr 08"), "not its place"),
        (changed("row", "1 of 8"), "there twice"),
        (changed("row", "4 of 9"), "one of 9 rows"),
        (changed("row", "9 of 8"), "not its place"),
        (lambda rows: decide(rows)[:-1], "1 of 8 rows are missing, the first is row 8"),
        (lambda rows: [{k: v for k, v in row.items() if k != "uid"} for row in decide(rows)], "no column 'uid'"),
        (lambda rows: [{k: v for k, v in row.items() if k != "decision"} for row in decide(rows)], "no column 'decision'"),
        (changed("choices", "[broken", 0), "no list"),
    ],
)
def test_what_was_edited_by_hand_is_refused_in_one_line(queue_file: Path, change: Callable[[Rows], Rows], said: str) -> None:
    queue_file.write_bytes(edited(queue_file, change))
    with pytest.raises(Refused, match=said) as caught:
        decisions_in(queue_file, partial=False)
    assert "\n" not in str(caught.value)


def test_partial_files_are_read_where_they_are_meant(queue_file: Path) -> None:
    queue_file.write_bytes(edited(queue_file, lambda rows: decide(rows)[:-1]))
    assert len(decisions_in(queue_file, partial=True).decisions) == len(TEXTS) - 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 workbook", "Excel"),
        ("uid,decision".encode("utf-16"), "UTF-16"),
        (b"a,b\n1,2\n", "no column 'uid'"),
        (b'row,uid,data,decision\n"1 of 1,u', "cut off"),
        (b"row,uid,data,decision\n", "no rows"),
        (b"row,uid,uid,data,decision\n", "names 2 columns 'uid'"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "other.csv"
    file.write_bytes(content)
    with pytest.raises(Refused, match=said):
        read_sheet(file)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40), min_size=1, max_size=6))
def test_any_text_and_any_class_comes_back(tmp_path: Path, texts: list[str]) -> None:
    rows = rows_of([(text, f"class {text} {place}") for place, text in enumerate(texts)])
    file = tmp_path / "any.csv"
    file.write_bytes(written(queue_table(rows), sorted(set(rows["label"]))))
    sheet = read_sheet(file)
    assert [(row.cells["text"], row.cells["label"]) for row in sheet.rows] == list(zip(rows["text"], rows["label"], strict=True))
    assert all(cell in (None, "") or cell[0] != "=" for cell in neutralise(pa.array(texts)).to_pylist())


def test_fifty_thousand_rows_are_read_in_a_second(tmp_path: Path) -> None:
    import time

    rows = rows_of([(f'a "quoted" text, number {n}', CLASSES[n % 3]) for n in range(50_000)])
    file = tmp_path / "large.csv"
    file.write_bytes(written(queue_table(rows), CLASSES))
    started = time.process_time()
    assert len(read_sheet(file).rows) == 50_000
    assert time.process_time() - started < 3, "about 0.6 s on an idle machine"
