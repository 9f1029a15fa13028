"""`prepsweep why`: where a row was read, what befell it, and where it is now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prepsweep.cli import main
from prepsweep.story import story_of
from prepsweep.walk import Walk, walk
from tests.conftest import make_reviews

REVIEWS = [(text, label) for text, label in make_reviews(60) if label != "plot"]
ROWS = [("two\nlines, <b>one</b> row", "fresh"), ("你好,世界", "rotten"), *REVIEWS, ("你好,世界", "rotten")]


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    quoted = "".join(f'"{text}",{label}\n' for text, label in ROWS)
    (tmp_path / "data.csv").write_text(f"text,label\n{quoted}", encoding="utf-8")
    return ["data=csv", "data.path=data.csv"]


def story(walked: Walk, text: str, stage: str = "data", which: int = 0) -> dict[str, Any]:
    """Story of the row with this text after a stage, the `which`-th of them."""
    rows = [row for row in walked.of(stage)[0].after.dataset.to_list() if row["text"] == text]
    return story_of(walked, rows[which]["uid"])


def test_a_row_is_followed_from_its_line_to_its_split_and_children(data: list[str]) -> None:
    walked = walk([*data, "clean=[strip_markup,exact_dedup]", "augment=duplicate", "balance=class_weights"])
    found = story(walked, ROWS[0][0])
    assert found["place"] == "data.csv:2"
    assert (found["origin"], found["parent"]) == ("source", None)
    first, changed, split, *_ = found["events"]
    assert first == {"stage": "data", "what": "read", "parent": None, "text": ROWS[0][0], "label": "fresh"}
    assert changed == {
        "stage": "clean.strip_markup",
        "what": "changed",
        "column": "text",
        "before": ROWS[0][0],
        "after": "two\nlines, one row",
    }
    assert (split["column"], split["before"], split["after"]) == ("split", "", found["now"]["split"])
    if found["now"]["split"] == "train":
        assert [child["stage"] for child in found["children"]] == ["augment.duplicate"]


def test_lines_count_as_an_editor_shows_them(data: list[str]) -> None:
    walked = walk(data)
    assert story(walked, "你好,世界")["place"] == "data.csv:4"
    assert story(walked, REVIEWS[0][0])["place"] == "data.csv:5"


def test_why_a_copy_left(data: list[str]) -> None:
    found = story(walk(data), "你好,世界", which=1)
    assert found["place"] == f"data.csv:{len(ROWS) + 2}"
    assert found["events"][-1] == {"stage": "clean.exact_dedup", "what": "left", "reason": "duplicate"}
    assert found["now"] is None


def test_a_made_row_names_its_parent(data: list[str]) -> None:
    walked = walk([*data, "augment=duplicate"])
    child = next(row for row in walked.of("augment.duplicate")[0].after.dataset if row["parent_uid"])
    found = story_of(walked, child["uid"])
    assert found["place"] is None
    assert (found["origin"], found["parent"]) == ("augment.duplicate", child["parent_uid"])
    assert child["uid"] in [made["uid"] for made in story_of(walked, child["parent_uid"])["children"]]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_places_in_other_files_and_given_splits(kind: str, tmp_path: Path) -> None:
    for name, rows in (("train", REVIEWS[:20]), ("test", REVIEWS[20:])):
        if kind == "jsonl":
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": t, "label": c}) + "\n" for t, c in rows))
        else:
            texts, labels = zip(*rows, strict=True)
            pq.write_table(pa.table({"text": list(texts), "label": list(labels)}), tmp_path / f"{name}.parquet")
    walked = walk([f"data={kind}", f"data.path=train.{kind}", f"data.test_path=test.{kind}"])
    assert story(walked, REVIEWS[3][0])["place"] == f"train.{kind}:4"
    assert story(walked, REVIEWS[25][0])["place"] == f"test.{kind}:6"


def test_no_line_is_named_of_a_file_that_has_changed(data: list[str], tmp_path: Path) -> None:
    walked = walk(data)
    (tmp_path / "data.csv").write_text("text,label\nother,fresh\n")
    place = story(walked, REVIEWS[0][0])["place"]
    assert place.startswith("data.csv, row 3 (")
    assert "changed since" in place
    (tmp_path / "data.csv").unlink()
    assert story(walked, REVIEWS[0][0])["place"] == place


def test_the_first_digits_are_enough_where_they_are_of_one_row(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    uid = walk(data).steps[0].after.dataset[0]["uid"]
    assert main(["why", uid[:6].upper(), *data, "clean=strip_markup"]) == 0
    shown = capsys.readouterr().out
    assert f"row {uid}" in shown
    assert "read from  data.csv:2" in shown
    assert "[-<b>-]one[-</b>-]" in shown.replace("\n", "")


def test_digits_of_two_rows_are_refused(data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from prepsweep import story as module

    uids = [row["uid"] for row in walk(data).steps[0].after.dataset]
    # More rows than hex digits: two begin alike.
    shared = next(digit for digit in "0123456789abcdef" if sum(uid.startswith(digit) for uid in uids) > 1)
    monkeypatch.setattr(module, "MIN_DIGITS", 1)
    assert main(["why", shared, *data]) == 2
    error = capsys.readouterr().err
    assert f"{shared!r} begins " in error
    assert "give more digits" in error


def test_a_run_adds_what_its_model_said(data: list[str], tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.unit.commands.test_rows import finished_run

    run_dir = finished_run(tmp_path, data, tiny_model)
    row = next(row for row in walk([str(run_dir)]).prepared()[2].dataset)
    said = pa.table({"uid": [row["uid"]], "label": [row["label"]], "prediction": ["other"], "p_other": pa.array([0.75], pa.float32())})
    pq.write_table(said, run_dir / "predictions.parquet")
    assert main(["why", row["uid"], str(run_dir)]) == 0
    assert "predicted  other (wrong, p = 0.750)" in capsys.readouterr().out
