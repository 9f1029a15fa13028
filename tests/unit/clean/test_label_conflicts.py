"""Equal texts under different labels."""

from __future__ import annotations

import pytest
from datasets import Dataset

from prepsweep.clean.label_conflicts import label_conflicts
from prepsweep.errors import Refused
from prepsweep.lineage import Result, settle, table_of
from tests.conftest import rows_of

PAIRS = [("a", "x"), ("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("c", "x"), ("c", "x"), ("", "y"), ("", "x"), ("我", "y")]


def columns(result: Result) -> list[tuple[str, str | None]]:
    table = table_of(result.rows)
    return list(zip(table.column("label").to_pylist(), table.column("dropped").to_pylist(), strict=True))


def run(rows: Dataset, action: str, equal: str = "exact") -> Result:
    return label_conflicts(rows, action=action, equal=equal)


def test_drop_takes_all_rows_of_a_conflict() -> None:
    out = "label_conflict"
    found = run(rows_of(PAIRS), "drop")
    assert [reason for _, reason in columns(found)] == [out, out, out, out, out, None, None, out, out, None]
    assert found.facts == {"texts": 3, "rows": 7, "rows_of_ties": 4, "texts_of_dev_or_test": 0, "relabelled": 0}


def test_majority_relabels_and_ties_leave() -> None:
    found = run(rows_of(PAIRS), "majority")
    assert columns(found)[:5] == [("x", None), ("x", None), ("x", None), ("x", "label_conflict"), ("y", "label_conflict")]
    assert columns(found)[5:] == [("x", None), ("x", None), ("y", "label_conflict"), ("x", "label_conflict"), ("y", None)]
    assert found.facts["relabelled"] == 1
    counts = settle(rows_of(PAIRS), found.rows, stage="label_conflicts", group="clean").counts
    assert counts["per_class"]["all"]["y"]["dropped"] == {"label_conflict": 2, "relabelled": 1}


def test_two_labels_that_lead_are_a_tie() -> None:
    found = run(rows_of([("a", "x"), ("a", "x"), ("a", "y"), ("a", "y"), ("a", "z")]), "majority")
    assert [reason for _, reason in columns(found)] == ["label_conflict"] * 5


def test_report_changes_nothing_and_names_the_rows() -> None:
    rows = rows_of(PAIRS)
    found = run(rows, "report")
    assert table_of(found.rows).equals(table_of(rows))
    assert found.evidence is not None
    evidence = found.evidence.select(["text", "label", "majority"]).to_pylist()
    assert len(evidence) == 7
    assert {"text": "a", "label": "y", "majority": "x"} in evidence
    assert {"text": "b", "label": "y", "majority": None} in evidence


@pytest.mark.parametrize("action", ["drop", "majority", "report"])
def test_rows_of_dev_and_test_are_not_changed_and_have_no_say(action: str) -> None:
    rows = rows_of([("a", "x"), ("a", "y"), ("a", "y"), ("b", "x"), ("b", "y")], ["train", "test", "dev", "test", "test"])
    found = run(rows, action)
    assert columns(found) == [("x", None), ("y", None), ("y", None), ("x", None), ("y", None)]
    assert (found.facts["texts"], found.facts["texts_of_dev_or_test"]) == (0, 2)
    assert [reason for _, reason in columns(run(rows_of([("a", "x"), ("a", "y")], ["train", "train"]), "drop"))] == ["label_conflict"] * 2


def test_equal_may_ignore_case_and_space() -> None:
    rows = rows_of([("Très  bien", "x"), (" tre\u0300s\u3000bien\n", "y"), ("très-bien", "y")])
    assert run(rows, "drop").facts["texts"] == 0
    found = run(rows, "drop", "ignore_case_and_space")
    assert [reason for _, reason in columns(found)] == ["label_conflict", "label_conflict", None]


@pytest.mark.parametrize("action", ["drop", "majority", "report"])
def test_rows_without_a_conflict_stay(action: str) -> None:
    for pairs in ([], [("a", "x"), ("b", "y")]):
        assert columns(run(rows_of(pairs), action)) == [(label, None) for _, label in pairs]


def test_refuses_unknown_values() -> None:
    with pytest.raises(Refused, match="label_conflicts.action: unknown value 'majorty'.*did you mean 'majority'"):
        run(rows_of(PAIRS), "majorty")
    with pytest.raises(Refused, match="label_conflicts.equal: unknown value"):
        run(rows_of(PAIRS), "drop", "fuzzy")
