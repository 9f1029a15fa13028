"""`prepsweep rows`: the rows after any stage, what left, and three ways to print them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from prepsweep.cache import Cache
from prepsweep.cli import main
from prepsweep.csv_cells import restore
from prepsweep.pipeline import prepare
from prepsweep.planning import planned_keys
from prepsweep.record import recorded
from prepsweep.schema import COLUMNS
from prepsweep.walk import walk
from tests.conftest import compose, make_reviews

AWKWARD = ["=cmd|'/C calc'!A0", "'=1", "-1", "@me", "\tx", "a\u2028b", "你好,世界", '👍 "q"', "two\nlines", "\x1b[31mred", "x" * 5000]


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    """30 rows, one of them there twice, and awkward texts."""
    path = tmp_path / "data.csv"
    reviews = [(text, label) for text, label in make_reviews(60) if label != "plot"]
    rows = [*reviews, reviews[0], *((text, "fresh") for text in AWKWARD), *((f"{text} b", "rotten") for text in AWKWARD)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return ["data=csv", f"data.path={path}", "clean=[exact_dedup]"]


def rows_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["rows", "--format=jsonl", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.split("\n")[:-1]]


def test_the_rows_after_a_stage_are_those_that_a_run_has_there(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert len(rows_of(capsys, *data, "--stage=data")) == 71
    cleaned = rows_of(capsys, *data, "--stage=clean.exact_dedup")
    assert len(cleaned) == 70
    assert {row["split"] for row in cleaned} == {""}
    end = rows_of(capsys, *data, "augment=duplicate")
    assert {row["split"] for row in end} == {"train", "dev", "test"}
    made = [row for row in end if row["origin"] == "duplicate"]
    assert len(made) == sum(row["split"] == "train" and row["origin"] == "source" for row in end)
    assert {row["uid"] for row in rows_of(capsys, *data, "augment=duplicate", "--stage=duplicate")} == {
        row["uid"] for row in end if row["split"] == "train"
    }


def test_what_left_has_its_reason_and_stage(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (left,) = rows_of(capsys, *data, "--dropped")
    assert (left["dropped"], left["stage"], left["text"]) == ("duplicate", "clean.exact_dedup", make_reviews(1)[0][0])
    assert rows_of(capsys, *data, "--reason=duplicate") == [left]
    assert rows_of(capsys, *data, "--dropped", "--stage=data") == []
    assert main(["rows", *data, "--reason=duplicat"]) == 2
    assert "did you mean 'duplicate'?" in capsys.readouterr().err


def test_a_csv_has_no_formula_and_its_cells_come_back(data: list[str], capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["rows", *data, "--stage=data", "--format=csv"]) == 0
    header, *rows = csv.reader(io.StringIO(capsysbinary.readouterr().out.decode(), newline=""))
    assert header == list(COLUMNS)
    assert not any(cell[:1] in tuple("=+-@\t\r\n") for row in rows for cell in row if cell)
    texts = restore(pa.array([row[1] for row in rows])).to_pylist()
    assert texts[-2 * len(AWKWARD) : -len(AWKWARD)] == AWKWARD


def test_a_table_shows_unseen_characters_as_codes(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rows", *data, "--limit=500"]) == 0
    shown = capsys.readouterr().out
    assert "⟨U+001B⟩[31mred" in shown
    assert "⟨U+2028⟩" in shown
    assert "\x1b[31m" not in shown
    assert "70 of 70 rows" in shown
    assert "x" * 201 not in shown.replace("\n", "")
    assert main(["rows", *data]) == 0
    assert "20 of 70 rows; --limit N shows more" in capsys.readouterr().out


def test_a_stage_goes_through_the_same_steps_as_a_run(data: list[str], tiny_model: Path) -> None:
    overrides = [*data, "data.limit=20", "augment=[duplicate]", "balance=oversample", f"model.name={tiny_model}"]
    assert [step.after.key for step in walk(overrides, until="preprocess.tokenize").steps] == planned_keys(compose(*overrides))


def test_evidence_is_refused_where_a_stage_kept_none(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rows", *data, "--evidence", "--stage=data"]) == 2
    assert "error: --evidence: data kept none" in capsys.readouterr().err


def test_lists_go_into_json_lines_and_not_into_csv(data: list[str], tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [*data, f"model.name={tiny_model}", "--stage=preprocess.tokenize"]
    rows = rows_of(capsys, *command)
    assert len(rows) == 70
    assert all(isinstance(row["input_ids"], list) for row in rows)
    assert main(["rows", *command, "--format=csv"]) == 2
    assert "use --format=jsonl" in capsys.readouterr().err


def finished_run(tmp_path: Path, data: list[str], tiny_model: Path) -> Path:
    """A run directory as training leaves it, as far as the preparation goes."""
    cfg = compose(*data, "augment=duplicate", f"model.name={tiny_model}")
    from prepsweep.record import plain_config

    with recorded(tmp_path / "run", plain_config(cfg), choices={}, overrides=[*data, "augment=duplicate"]) as record:
        record.values["data"] = {"stages": prepare(cfg, Cache(Path(cfg.paths.cache_dir))).stages}
    return tmp_path / "run"


def test_a_run_directory_gives_the_rows_of_that_run(
    data: list[str], tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = finished_run(tmp_path, data, tiny_model)
    asked = rows_of(capsys, *data, "augment=duplicate")
    Path(data[1].partition("=")[2]).write_text("text,label\nchanged,since\n")
    assert rows_of(capsys, str(run_dir)) == asked
    assert [row["dropped"] for row in rows_of(capsys, str(run_dir), "--dropped")] == ["duplicate"]
    assert main(["rows", str(run_dir), "seed=1"]) == 2
    assert "give one run directory, or overrides" in capsys.readouterr().err


def test_a_run_whose_rows_are_gone_says_how_to_get_them(
    data: list[str], tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = finished_run(tmp_path, data, tiny_model)
    (tmp_path / "cache").rename(tmp_path / "elsewhere")
    assert main(["rows", str(run_dir)]) == 2
    error = capsys.readouterr().err
    assert "holds no data of this run any more" in error
    assert "augment=duplicate" in error
