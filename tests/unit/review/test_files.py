"""Label Studio and Argilla: what is written can be imported, what they export is read, and a broken file is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from datasets import Dataset

from prepsweep.annotate.reviewed import reviewed
from prepsweep.errors import Refused
from prepsweep.review.files import read_review, written
from prepsweep.review.label_studio import interface
from tests.unit.review.conftest import CLASSES, LABELS, TEXTS

Json = list[dict[str, Any]]
EXPORTED = Path(__file__).parent / "exports"
PROGRAMS = ("label_studio", "argilla_flat", "argilla_nested", "argilla_dataset")


def choice(label: str) -> dict[str, Any]:
    return {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [label]}}


def annotated(tasks: Json) -> Json:
    """As Label Studio exports: ids or objects for people, skipped tasks, an annotation without a choice."""
    for number, (task, label) in enumerate(zip(tasks, LABELS, strict=True)):
        task |= {"id": number, "total_annotations": 1, "predictions": task.get("predictions", [])}
        at = f"2026-11-24T10:00:0{number}.000000Z"
        person: Any = {"id": 7, "email": "a@b.example"} if number % 2 else 3
        task["annotations"] = [{"id": number, "completed_by": person, "created_at": at, "was_cancelled": False, "result": [choice(label)]}]
    tasks[0]["annotations"].append({"completed_by": 9, "was_cancelled": True, "result": [choice("-1")]})
    tasks[1]["annotations"][0]["result"] = []
    return tasks


def responded(records: Json) -> Json:
    """As Argilla's `to_datasets` has them: columns of lists."""
    for number, (record, label) in enumerate(zip(records, LABELS, strict=True)):
        record |= {"label.responses": [label], "label.responses.users": [f"user-{number % 2}"], "label.responses.status": ["submitted"]}
    records[0]["label.responses.status"] = ["draft"]
    records[1] |= {"label.responses": None, "label.responses.users": None, "label.responses.status": None}
    return records


def nested(records: Json) -> Json:
    """As Argilla's `to_json` has them: a draft looks like any response, but its record is not completed."""
    found = []
    for number, record in enumerate(responded(records)):
        said = zip(record["label.responses"] or [], record["label.responses.users"] or [], strict=True)
        found.append(
            {
                "id": record["id"],
                "status": "completed" if number > 1 else "pending",
                "fields": {"text": record["text"]},
                "metadata": {name: record[name] for name in ("row", "data")},
                "responses": {"label": [{"value": value, "user_id": user} for value, user in said]},
            }
        )
    return found


EXPORTS = [("label_studio", annotated), ("argilla", responded), ("argilla", nested)]


def exported(queue: pa.Table, form: str, change: Callable[[Json], Json]) -> Json:
    return change(json.loads(written(queue, CLASSES, form=form)))


@pytest.mark.parametrize(("form", "change"), EXPORTS)
def test_decisions_come_back(queue: pa.Table, tmp_path: Path, form: str, change: Callable[[Json], Json]) -> None:
    file = tmp_path / "export.json"
    file.write_text(json.dumps(exported(queue, form, change)), encoding="utf-8")
    found = read_review(file, partial=False)
    left_out = {1} if form == "label_studio" else {0, 1}
    uids = queue.column("uid").to_pylist()
    expected = {uids[place]: label for place, label in enumerate(LABELS) if place not in left_out}
    assert {each.uid: each.label for each in found.decisions} == expected
    assert found.n_undecided == len(left_out)
    people = {"3", "7"} if form == "label_studio" else {"user-0", "user-1"}
    assert {each.reviewer for each in found.decisions} == people
    assert all((each.decided_at is not None) == (form == "label_studio") for each in found.decisions)
    assert [each.text for each in found.decisions] == [text for place, text in enumerate(TEXTS) if place not in left_out]


@pytest.mark.parametrize("file", [next(EXPORTED.glob(f"{name}.json*")) for name in PROGRAMS], ids=PROGRAMS)
def test_what_the_programs_themselves_write_is_read(rows: Dataset, file: Path) -> None:
    """Files of the queue of `conftest`, made by Label Studio's and Argilla's own code, see `exports/README.md`."""
    result = reviewed(rows, review_file=str(file), rule="majority", partial=False, on_other_data="refuse", on_abstain="keep")
    undecided = {1} if file.name.startswith("label_studio") else {0, 1}
    decided = [label for place, label in enumerate(LABELS) if place not in undecided]
    assert result.evidence is not None
    assert sorted(result.evidence.column("decision").to_pylist()) == sorted(decided)
    facts = result.facts
    assert (facts["rows_reviewed"], facts["rows_undecided"], facts["rows_changed"]) == (len(decided), len(undecided), 0)
    assert len(facts["decisions_by"]) == 2


def test_an_export_that_hides_drafts_is_refused(queue: pa.Table, tmp_path: Path) -> None:
    def two_people(records: Json) -> Json:
        found = nested(records)
        found[4]["responses"]["label"].append({"value": "fresh", "user_id": "user-9"})
        return found

    file = tmp_path / "export.json"
    file.write_text(json.dumps(exported(queue, "argilla", two_people)), encoding="utf-8")
    with pytest.raises(Refused, match=r"element 5: 2 responses without their status.*to_list\(flatten=True\)"):
        read_review(file, partial=False)


def test_the_question_of_the_queue_alone_decides(queue: pa.Table, tmp_path: Path) -> None:
    def with_more(tasks: Json) -> Json:
        found = annotated(tasks)
        found[2]["annotations"][0]["result"] += [choice("surely") | {"from_name": "how_sure"}, {"type": "relation", "direction": "right"}]
        return found

    file = tmp_path / "export.json"
    file.write_text(json.dumps(exported(queue, "label_studio", with_more)), encoding="utf-8")
    assert read_review(file, partial=False).decisions[1].label == LABELS[2]


@pytest.mark.parametrize(("form", "change"), EXPORTS)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_file_cut_at_any_byte_is_read_exactly_or_refused(
    queue: pa.Table, tmp_path: Path, form: str, change: Callable[[Json], Json], indent: int | None
) -> None:
    file = tmp_path / "cut.json"
    whole = json.dumps(exported(queue, form, change), ensure_ascii=False, indent=indent).encode() + b"\n"
    for n_bytes in range(0, len(whole) - 1):
        file.write_bytes(whole[:n_bytes])
        with pytest.raises(Refused, match="cut.json") as caught:
            read_review(file, partial=False)
        assert "\n" not in str(caught.value)
    file.write_bytes(whole[:-1])
    assert len(read_review(file, partial=False).decisions) >= 6


def test_records_in_lines_that_lack_some_are_refused(queue: pa.Table, tmp_path: Path) -> None:
    lines = [json.dumps(record) + "\n" for record in exported(queue, "argilla", responded)]
    file = tmp_path / "records.jsonl"
    file.write_text("".join(lines), encoding="utf-8")
    whole = read_review(file, partial=False)
    assert len(whole.decisions) == len(TEXTS) - 2
    file.write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(Refused, match="1 of 8 records are missing"):
        read_review(file, partial=False)
    assert read_review(file, partial=True).decisions == whole.decisions[:-1]


def task_with(**change: Any) -> Callable[[Json], Json]:
    def changed(tasks: Json) -> Json:
        tasks[4] |= change
        return tasks

    return changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (task_with(annotations=[{"completed_by": 1, "result": [choice("a"), choice("b")]}]), "element 5, annotation 1: 2 classes"),
        (task_with(annotations="none"), "element 5: 'annotations' is no list"),
        (task_with(annotations=[{"completed_by": 1, "result": [{"type": "choices", "value": {"choices": [3]}}]}]), "not text"),
        (task_with(data={"text": "x"}), "element 5: 'data.uid' is 'None', not text"),
        (task_with(data={"uid": "u:1", "text": "x"}), "element 5: data.uid is 'u:1'"),
        (task_with(data=None), "element 5: is neither"),
        (lambda tasks: [*tasks[:2], 5, *tasks[2:]], "element 3: '5' is no object"),
    ],
)
def test_what_is_broken_is_named(queue: pa.Table, tmp_path: Path, change: Callable[[Json], Json], said: str) -> None:
    file = tmp_path / "export.json"
    file.write_text(json.dumps(change(exported(queue, "label_studio", annotated))), encoding="utf-8")
    with pytest.raises(Refused, match=said):
        read_review(file, partial=False)


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '[{"a": ' * 50_000, '[{"a": 1, "a": 2}]', "[{}]]", "[{},]", "[{} {}]", "[1]", "{}", "{}\n"]
)
def test_no_other_json_is_read(tmp_path: Path, content: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(Refused):
        read_review(file, partial=False)


def test_the_interface_names_every_class(queue: pa.Table) -> None:
    classes = ['a "quoted" <class> & more', "我"]
    view = ElementTree.fromstring(interface(queue, classes))
    assert [choice.get("value") for choice in view.iter("Choice")] == classes


def test_a_folder_is_read_file_by_file(queue: pa.Table, tmp_path: Path) -> None:
    for name, form, change in [("a.json", *EXPORTS[0]), ("b.json", *EXPORTS[1])]:
        (tmp_path / name).write_text(json.dumps(exported(queue, form, change)), encoding="utf-8")
    assert len(read_review(tmp_path, partial=False).decisions) == 13
