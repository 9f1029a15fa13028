"""One spelling for each class, and the classes of a run as they are after cleaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from prepsweep.cache import Cache
from prepsweep.clean.fix_labels import check, fix_labels
from prepsweep.errors import Refused
from prepsweep.lineage import settle, table_of
from prepsweep.pipeline import split_rows
from tests.conftest import compose, make_reviews, rows_of


def labels(spelled: list[str], mapping: dict[str, str] | None = None) -> list[str]:
    found: list[str] = table_of(fix_labels(rows_of([("text", name) for name in spelled]), mapping=mapping).rows).column("label").to_pylist()
    return found


def test_one_spelling_each() -> None:
    assert labels(["Pos", "pos", " pos ", "POS", "neg", "Neg"]) == ["pos"] * 4 + ["Neg"] * 2, "the most frequent; of a tie the first"
    assert labels(["no  news", "no\u00a0news", "no\nnews"]) == ["no news"] * 3
    assert labels(["e\u0301te\u0301", "été", "Été"]) == ["été"] * 3
    assert labels(["正面", "负面", "Straße", "STRASSE"]) == ["正面", "负面", "STRASSE", "STRASSE"]
    assert labels(["1.0", "1", "1", "2.0", "1.10", "1.1"]) == ["1", "1", "1", "2.0", "1.10", "1.1"]
    assert labels(["pos", "p\u200bos", "👨\u200d👩\u200d👧"]) == ["pos", "pos", "👨\u200d👩\u200d👧"]
    assert labels(["NA", "None", "007"]) == ["NA", "None", "007"]


def test_mapping_comes_after_and_facts_count_each_spelling() -> None:
    rows = rows_of([("a", "neg"), ("b", "NEG "), ("c", "neg"), ("d", "pos")], ["train", "test", "dev", ""])
    found = fix_labels(rows, mapping={"neg": "negative"})
    assert table_of(found.rows).column("label").to_pylist() == ["negative", "negative", "negative", "pos"]
    assert found.facts == {"relabelled": {"NEG  -> negative": 1, "neg -> negative": 2}}
    assert fix_labels(rows_of([("a", "x")]), mapping=None).facts == {}
    counts = settle(rows, found.rows, stage="fix_labels", group="clean", given_splits=["test", "dev"]).counts
    assert counts["dropped"] == {}
    assert counts["per_class"]["test"]["NEG "]["dropped"] == {"relabelled": 1}


def test_a_key_that_no_row_has_is_refused_with_the_nearest() -> None:
    with pytest.raises(Refused, match="no row has the label 'negativ'. fix: did you mean 'negative'"):
        labels(["negative", "positive"], {"negativ": "bad"})


@pytest.mark.parametrize("mapping", [{"a": " "}, {"a": None}, {1: "b"}, ["a"], {"a": "b", "b": "c"}])
def test_refuses_a_mapping_that_cannot_be_meant(mapping: dict[str, str]) -> None:
    with pytest.raises(Refused, match="clean.fix_labels.mapping"):
        check(mapping=mapping)


def messy_csv(path: Path) -> Path:
    spelled = {"fresh": ["fresh", "Fresh", "fresh"], "rotten": ["rotten", "ROTTEN"], "plot": ["plot"]}
    rows = [(text, spelled[label][at % len(spelled[label])]) for at, (text, label) in enumerate(make_reviews(120))]
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    return path


def classes_of(*overrides: str) -> list[str]:
    return split_rows(compose("data=csv", *overrides), Cache(Path("cache"), deferred=True), [])[1]


def test_classes_of_a_run_are_those_after_cleaning(tmp_path: Path) -> None:
    path = f"data.path={messy_csv(tmp_path / 'messy.csv')}"
    with pytest.raises(Refused, match="only in case. fix: make them one .data.classes=any with clean=fix_labels"):
        classes_of(path)
    fixed = [path, "data.classes=any", "clean=[fix_labels]"]
    assert classes_of(*fixed) in (["fresh", "plot", "rotten"], ["ROTTEN", "fresh", "plot"])
    assert classes_of(*fixed, "clean.fix_labels.mapping={plot:fresh}")[-1] != "plot"
    with pytest.raises(Refused, match="only one class, 'fresh'"):
        classes_of(*fixed, "clean.fix_labels.mapping={plot:fresh,ROTTEN:fresh}")


def test_a_class_that_cleaning_empties_is_still_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("text,label\n" + "".join(f'"{t}",{label}\n' for t, label in make_reviews(120)) + "one,tiny\n" * 9, encoding="utf-8")
    with pytest.raises(Refused, match="class 'tiny' has no rows left for train after clean=drop_short"):
        classes_of(f"data.path={path}", "clean=[drop_short]")


def test_a_list_of_classes_is_checked_after_cleaning(tmp_path: Path) -> None:
    path = tmp_path / "clean.csv"
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in make_reviews(120)), encoding="utf-8")
    given = [f"data.path={path}", "data.classes=[rotten,fresh,plot]"]
    assert classes_of(*given) == ["rotten", "fresh", "plot"]
    with pytest.raises(Refused, match="data.classes: label 'story', as cleaning has it, is not one of them"):
        classes_of(*given, "clean=[fix_labels]", "clean.fix_labels.mapping={plot:story}")
