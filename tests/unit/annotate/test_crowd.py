"""Several annotators a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prepsweep.annotate.crowd import crowd
from prepsweep.annotate.origins import PROPOSED
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from tests.conftest import rows_of

OPTIONS: dict[str, Any] = {
    "column": "labels",
    "annotators_column": "who",
    "annotations_file": None,
    "key_column": "text",
    "consensus": "majority",
    "level": "nominal",
    "order": None,
    "soft": True,
    "rows": "all",
    "on_abstain": "drop",
}
LABELS = [["1", "1", "2"], ["2", "2"], [], ["3", "3", None], ["1", "2"]]
WHO = [["ann", "bo", "陈"], ["bo", "ann"], [], ["ann", "bo", "陈"], ["ann", "陈"]]
TEXTS = ['a "quoted", text', "two\nlines", "nobody", "四", "tie"]
GOLD = ["1", "2", "1", "3", "2"]
FILE = 'key,annotator,label\n"a ""quoted"", text",ann,1\n"a ""quoted"", text",bo,1\n"a ""quoted"", text",陈,2\n"two\nlines",bo,2\n'
FILE += '"two\nlines",ann,2\n四,ann,3\n四,bo,3\n四,陈,\ntie,ann,1\ntie,陈,2\n'


def run(**changes: Any) -> Result:
    told = {"labels": [json.dumps(row) for row in LABELS], "who": [json.dumps(row) for row in WHO]}
    rows = rows_of(list(zip(TEXTS, GOLD, strict=True)), "", **(told | changes.pop("told", {})))
    return crowd(rows, **(OPTIONS | changes))


def test_the_consensus_and_what_is_told_about_it() -> None:
    result = run()
    assert table_of(result.rows)[PROPOSED].to_pylist() == ["1", "2", None, "3", None]
    assert result.facts["n_ties"] == 1
    assert result.facts["annotators"]["陈"] == {"n_labels": 2, "agrees": 0.0, "accuracy": 0.5}
    assert result.facts["annotators"]["ann"] == {"n_labels": 4, "agrees": 1.0, "accuracy": 0.75}
    alpha = result.facts["agreement"]["Krippendorff alpha (nominal)"]
    assert alpha["n_rows"] == 4
    assert alpha["low"] <= alpha["value"] <= alpha["high"]
    assert "Fleiss kappa" not in result.facts["agreement"], "rows have two or three labels"


def test_a_file_of_labels_says_the_same_as_lists(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(FILE, encoding="utf-8")
    given = {"column": None, "annotators_column": None, "annotations_file": str(path)}
    result = run(**given)
    assert result.facts == run().facts
    assert table_of(result.rows).equals(table_of(run().rows))
    path.write_text(FILE + "gone,ann,1\n", encoding="utf-8")
    with pytest.raises(Refused, match=r"labels\.csv: 1 labels are of no row, such as those of 'gone'"):
        run(**given)
    path.write_text("key,who,label\ntie,ann,1\n", encoding="utf-8")
    with pytest.raises(Refused, match=r"labels\.csv:1: the header has no column 'annotator'"):
        run(**given)


def test_the_same_number_of_labels_for_all_gives_fleiss_and_shared_rows_give_cohen() -> None:
    rows = [(f"text {n}", "a") for n in range(30)]
    labels = [["a", "a", "b"] if n % 3 else ["b", "b", "b"] for n in range(30)]
    table = rows_of(rows, "", labels=[json.dumps(row) for row in labels])
    facts = crowd(table, **(OPTIONS | {"annotators_column": None, "consensus": "dawid_skene"})).facts["agreement"]
    assert facts["Cohen kappa 0 / 1"]["value"] == 1.0
    # Two thirds of the rows a a b, one third b b b: 5 of 9 pairs agree, and so do 41 of 81 by chance.
    assert facts["Fleiss kappa"]["value"] == pytest.approx((5 / 9 - 41 / 81) / (1 - 41 / 81), abs=1e-4)
    assert facts["Cohen kappa 0 / 2"]["value"] == 0.0


def test_of_two_labels_by_one_annotator_the_first_counts() -> None:
    who = [["ann", "bo", "ann"], *WHO[1:]]
    result = run(told={"who": [json.dumps(row) for row in who]})
    assert result.facts["n_repeated"] == 1
    assert result.facts["annotators"]["ann"]["n_labels"] == 4


def test_ordinal_needs_an_order_or_numbers() -> None:
    assert "Krippendorff alpha (ordinal)" in run(level="ordinal").facts["agreement"]
    words = {"labels": [json.dumps([{"1": "bad", "2": "fair", "3": "good"}.get(x, x) for x in row]) for row in LABELS]}
    with pytest.raises(Refused, match=r"^annotate\.crowd\.order: level=interval needs an order"):
        run(told=words, level="interval")
    with pytest.raises(Refused, match=r"the class 'good' has no place in it"):
        run(told=words, level="interval", order=["bad", "fair"])
    assert run(told=words, level="interval", order=["bad", "fair", "good"]).facts["agreement"].keys() == {"Krippendorff alpha (interval)"}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"column": None}, "no labels are named"),
        ({"annotations_file": "x.csv"}, "labels are named in two places"),
        ({"consensus": "generative"}, "no consensus 'generative'"),
        ({"level": "ratio"}, "no level 'ratio'"),
        ({"column": "text", "annotators_column": None}, "holds no lists"),
        ({"told": {"who": ['["ann"]'] * 5}}, "has 3 labels by another number of annotators"),
        ({"told": {"labels": ["[]"] * 5, "who": ["[]"] * 5}}, "nobody labelled a row"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(Refused, match=match):
        run(**changes)
