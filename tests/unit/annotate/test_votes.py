"""Votes that the data brings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prepsweep.annotate.origins import PROPOSED, SOFT_LABEL
from prepsweep.annotate.votes import check, votes
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from tests.conftest import rows_of

OPTIONS: dict[str, Any] = {
    "columns": ["votes"],
    "names": None,
    "classes": {0: "ham", 1: "spam"},
    "abstain": [-1],
    "label_model": "majority",
    "soft": True,
    "rows": "all",
    "on_abstain": "drop",
}
VOTES = ["[1, 1, 0]", "[0, -1, 0]", "[-1, -1, null]", "[1, 0, -1]", "[-1, -1, 1]"]
TEXTS = ["看看我的频道", "", "so good 👍", "line\u2028end", "x " * 5000]
LABELS = ["spam", "ham", "ham", "spam", "ham"]


def run(told: dict[str, list[Any]], labels: list[str] | None = None, splits: list[str] | None = None, **changes: Any) -> Result:
    rows = rows_of(list(zip(TEXTS, labels or LABELS, strict=True)), splits or "", **told)
    return votes(rows, **(OPTIONS | changes))


def test_lists_of_votes_become_labels_and_soft_labels() -> None:
    result = run({"votes": VOTES})
    table = table_of(result.rows)
    assert table[PROPOSED].to_pylist() == ["spam", "ham", None, None, "spam"]
    assert table["label"].to_pylist() == LABELS, "gold stays until the split"
    assert json.loads(table[SOFT_LABEL][0].as_py()) == {"ham": 0.3333, "spam": 0.6667}
    facts = dict(result.facts)
    assert list(facts["voters"]) == ["votes[0]", "votes[1]", "votes[2]"]
    assert {name: facts[name] for name in ("n_labelled", "n_abstained", "n_ties", "accuracy", "n_gold")} == {
        "n_labelled": 3,
        "n_abstained": 2,
        "n_ties": 1,
        "accuracy": 0.6667,
        "n_gold": 3,
    }
    assert result.evidence is not None
    assert result.evidence["confidence"].to_pylist() == sorted(result.evidence["confidence"].to_pylist()), "the least sure come first"


def test_a_column_for_each_voter_and_names_for_classes_do_as_well() -> None:
    one = [None, "ham", "", "spam", "spam"]
    other = ["spam", "ham", "none", "spam", "spam"]
    result = run({"one": one, "other": other}, columns=["one", "other"], classes=None, abstain=["none"], soft=False)
    assert table_of(result.rows)[PROPOSED].to_pylist() == ["spam", "ham", None, "spam", "spam"]
    assert table_of(result.rows)[SOFT_LABEL].null_count == 5


def test_gold_labels_of_a_given_test_file_judge_nobody() -> None:
    splits = ["train", "train", "train", "test", "test"]
    result = run({"votes": VOTES}, splits=splits)
    assert result.facts["n_gold"] == 2
    worst = run({"votes": VOTES}, labels=["spam", "ham", "ham", "ham", "spam"], splits=splits)
    assert worst.facts == result.facts, "whatever the test labels are"


def test_the_label_model_learns_nothing_from_rows_of_a_given_test_file() -> None:
    told = {"votes": ["[1, 1, 0]", "[0, 0, 0]", "[1, 1, 1]", "[0, 1, 1]", "[1, 0, 1]"]}
    splits = ["train", "train", "train", "train", "test"]
    found = table_of(run(told, splits=splits, label_model="generative").rows)[SOFT_LABEL].to_pylist()
    told["votes"][4] = "[1, 1, 1]"
    changed = table_of(run(told, splits=splits, label_model="generative").rows)[SOFT_LABEL].to_pylist()
    assert found[:4] == changed[:4]
    assert found[4] != changed[4]


@pytest.mark.parametrize(
    ("told", "changes", "match"),
    [
        (
            {"votes": VOTES},
            {"columns": ["vote"]},
            r"^annotate\.votes\.columns: .* no column 'vote'.*carry_columns=\[vote\].*'votes'",
        ),
        ({"votes": VOTES}, {"columns": []}, r"^annotate\.votes\.columns: no column"),
        ({"votes": ["[1]", "[1, 0]", "[1]", "[1]", "[0]"]}, {}, r"lists of 1, 2 votes.*annotate=crowd"),
        ({"votes": ["[1]", "1", "[1]", "[1]", "[0]"]}, {}, r"^data\.carry_columns: a cell is '1', where others are JSON lists"),
        ({"votes": ["[2]"] * 5}, {}, r"^annotate\.votes\.classes: a vote is '2', which names no class"),
        ({"votes": VOTES}, {"names": ["a", "b"]}, r"names 2 voters, and a row has 3 votes"),
        ({"votes": VOTES}, {"names": ["a", "a", "b"]}, r"two voters have one name"),
        ({"votes": VOTES}, {"label_model": "majorty"}, r"did you mean 'majority'"),
        ({"votes": VOTES}, {"rows": "some"}, r"^annotate\.votes\.rows: must be one of all"),
        ({"votes": VOTES}, {"on_abstain": "no"}, r"^annotate\.votes\.on_abstain: must be one of drop, keep"),
        ({"votes": VOTES}, {"classes": "0:ham"}, r"must map votes to classes"),
    ],
)
def test_what_cannot_be_meant_is_refused(told: dict[str, list[Any]], changes: dict[str, Any], match: str) -> None:
    with pytest.raises(Refused, match=match):
        run(told, **changes)


def test_check_passes_what_is_well() -> None:
    check(**OPTIONS)
