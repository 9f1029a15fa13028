"""Decisions of people become labels by the rule that was asked for; what does not fit the data is refused and named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from prepsweep.annotate.origins import PROPOSED, PROPOSED_ORIGIN, adopt
from prepsweep.annotate.reviewed import check, reviewed
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from prepsweep.review.decisions import ADJUDICATOR, Decision, agreement, by_row, verdict
from prepsweep.review.journal import beside
from prepsweep.review.session import opened
from prepsweep.review.sheet import written
from tests.conftest import make_reviews, rows_of
from tests.unit.review.conftest import CLASSES, queue_table
from tests.unit.review.test_sheet import decide, edited

ARGUMENTS: dict[str, Any] = {"rule": "majority", "partial": False, "on_other_data": "refuse", "on_abstain": "keep"}


def told(rows: Dataset, file: Path, **arguments: Any) -> Result:
    return reviewed(rows, review_file=str(file), **(ARGUMENTS | arguments))


def proposals(result: Result) -> list[str | None]:
    return table_of(result.rows).column(PROPOSED).to_pylist()


def votes(file: Path, *said: tuple[str, str, Sequence[int | None]]) -> Path:
    """A journal in which each (name, role, classes by number) decides on the first rows."""
    people = [(name, role) for name, role, _ in said]
    reviewers = [name for name, role in people if role == "reviewer"]
    with opened(file, reviewers=reviewers, adjudicator=next((name for name, role in people if role == ADJUDICATOR), None)) as session:
        for person, (_, _, classes) in zip(sorted(session.people, key=lambda p: people.index((p.name, p.role))), said, strict=True):
            for row, code in zip(session.sheet.rows, classes, strict=False):
                if code is not None:
                    session.decide(person, row.uid, "decide", CLASSES[code])
    return beside(file)


@pytest.mark.parametrize(
    ("rule", "expected", "n_tied"),
    [("majority", [0, 1, 2, None], 1), ("unanimous", [0, None, None, None], 3), ("adjudicated", [0, 2, 2, None], 1)],
)
def test_the_rule_decides_and_ties_stay_as_they_were(
    rows: Dataset, queue_file: Path, rule: str, expected: list[int | None], n_tied: int
) -> None:
    file = votes(
        queue_file,
        ("ann", "reviewer", [0, 1, 2, 0]),
        ("bob", "reviewer", [0, 1, 1, 1]),
        ("cy", "reviewer", [0, 2 if rule != "unanimous" else 0, 2]),
        ("eve", ADJUDICATOR, [None, 2 if rule == "adjudicated" else None, 2 if rule == "adjudicated" else None]),
    )
    result = told(rows, file, rule=rule)
    assert proposals(result) == [CLASSES[code] if code is not None else None for code in [*expected, None, None, None, None]]
    assert result.facts["rows_tied"] == n_tied
    assert result.facts["rows_reviewed"] == 4
    assert result.facts["rows_undecided"] == 4
    assert result.facts["decisions_by"]["ann"] == 4
    assert table_of(result.rows).column("label").to_pylist() == rows["label"], "before the split every row keeps its label"


def test_train_rows_take_the_decision_and_test_rows_keep_theirs(queue_file: Path, tmp_path: Path) -> None:
    rows = rows_of([("one", "fresh"), ("two", "-1"), ("three", "fresh")], ["train", "test", "train"])
    queue_file.write_bytes(written(queue_table(rows), CLASSES))
    file = votes(queue_file, ("ann", "reviewer", [0, 1, None]))
    found = table_of(adopt(told(rows, file).rows).rows)
    assert found.column("label").to_pylist() == ["-1", "-1", "fresh"]
    assert found.column("label_origin").to_pylist() == ["reviewed", "gold", "gold"]
    assert found.column(PROPOSED_ORIGIN).to_pylist() == ["reviewed", "reviewed", None]


def test_two_sheets_in_a_folder_are_merged_and_their_agreement_is_told(rows: Dataset, queue_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "reviews"
    folder.mkdir()
    (folder / "ann.csv").write_bytes(edited(queue_file, lambda r: [row | {"reviewer": ""} for row in decide(r)]))
    (folder / "bob.csv").write_bytes(
        edited(queue_file, lambda r: [row | {"decision": "fresh", "reviewer": " "} for row in decide(r)], delimiter=";")
    )
    result = told(rows, folder)
    assert result.facts["decisions_by"] == {"ann": 7, "bob": 8}
    assert result.facts["agreement"]["rows_shared"] == 7
    assert result.facts["agreement"]["rows_agreed"] == 3
    assert result.facts["agreement"]["cohen_kappa"] == pytest.approx(0.0)
    assert result.facts["agreement"]["krippendorff_alpha"] < 0.1
    assert result.evidence is not None
    assert len(result.evidence) == 15
    assert set(result.evidence.column("reviewer").to_pylist()) == {"ann", "bob"}


def test_who_decided_what_and_when_is_kept(rows: Dataset, queue_file: Path) -> None:
    result = told(rows, votes(queue_file, ("ann", "reviewer", [1])))
    assert result.evidence is not None
    (line,) = result.evidence.to_pylist()
    assert (line["uid"], line["label"], line["decision"], line["reviewer"]) == (rows["uid"][0], "fresh", CLASSES[1], "ann")
    assert line["decided_at"] > "2020"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: {"decision": "frsh"}, r"queue.csv:\d+: 'frsh' is not one of the classes. fix: did you mean 'fresh'"),
        (lambda row: {"uid": "u:" + "0" * 24}, r"queue.csv:\d+: no row u:0000.* here \(7 of 8"),
        (lambda row: {"data": "d:" + "0" * 12}, "had another text"),
        (lambda row: {"text": "another text"}, "is not that row's"),
    ],
)
def test_what_does_not_fit_is_named(rows: Dataset, queue_file: Path, change: Any, said: str) -> None:
    def edit(found: list[dict[str, str]]) -> list[dict[str, str]]:
        return [row | {"decision": row["label"]} | (change(row) if place == 3 else {}) for place, row in enumerate(found)]

    queue_file.write_bytes(edited(queue_file, edit))
    with pytest.raises(Refused, match=said) as caught:
        told(rows, queue_file)
    assert "\n" not in str(caught.value)


def test_decisions_on_other_data_are_counted_where_that_is_asked_for(rows: Dataset, queue_file: Path) -> None:
    queue_file.write_bytes(edited(queue_file, decide))
    here = rows.select(range(4, 8))
    with pytest.raises(Refused, match="4 of 7 decisions are on rows of this data"):
        told(here, queue_file)
    found = told(here, queue_file, on_other_data="skip")
    assert found.facts["decisions_on_other_data"] == 3
    assert proposals(found) == here["label"]


def test_a_queue_that_nobody_has_touched_is_refused(rows: Dataset, queue_file: Path) -> None:
    with pytest.raises(Refused, match="nobody has decided"):
        told(rows, queue_file)


def test_rows_without_labels_get_them(tmp_path: Path) -> None:
    rows = rows_of([(text, "") for text, _ in make_reviews(4)])
    file = tmp_path / "queue.csv"
    file.write_bytes(written(queue_table(rows), ["fresh", "rotten"]))
    file.write_bytes(edited(file, lambda found: [row | {"decision": ["fresh", "rotten", "fresh", ""][i]} for i, row in enumerate(found)]))
    assert told(rows, file).rows["label"] == ["fresh", "rotten", "fresh", ""]
    dropped = table_of(told(rows, file, on_abstain="drop").rows).column("dropped").to_pylist()
    assert dropped == [None, None, None, "abstained"]


def decision(label: str, reviewer: str = "ann", at: str | None = None, where: str = "f:1") -> Decision:
    return Decision("a" * 24, label, reviewer, where, decided_at=at)


def test_the_later_of_two_decisions_of_one_person_counts() -> None:
    found = by_row([decision("x", at="2026-01-02"), decision("y", at="2026-01-01")])
    assert [each.label for each in found["a" * 24]] == ["x"]
    with pytest.raises(Refused, match="no time tells"):
        by_row([decision("x"), decision("y", where="g:1")])
    assert len(by_row([decision("x"), decision("x", where="g:1")])["a" * 24]) == 1


def test_unanimous_and_empty_verdicts() -> None:
    assert verdict([decision("x"), decision("x", "bob")], "unanimous") == "x"
    assert verdict([decision("x"), decision("y", "bob")], "majority") is None
    assert agreement({"u": [decision("x")]}, ["x"]) == {"rows_shared": 0}
    same = agreement({"u": [decision("x"), decision("x", "bob")]}, ["x", "y"])
    assert (same["rows_agreed"], same["cohen_kappa"]) == (1, None), "all votes for one class: no agreement beyond chance can be told"


@pytest.mark.parametrize(("name", "value"), [("rule", "majorty"), ("on_other_data", "keep"), ("on_abstain", "no")])
def test_unknown_values_are_refused(name: str, value: str) -> None:
    with pytest.raises(Refused, match=name):
        check(**(ARGUMENTS | {name: value}))
