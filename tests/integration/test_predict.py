"""Predictions for a file are those that the run's own test gave its rows, whatever the format and the batches."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prepsweep.cli import main
from prepsweep.schema import source_uids
from prepsweep.training import train
from tests.conftest import compose, make_reviews
from tests.integration.test_multi_label import made_rows as label_sets
from tests.integration.test_token_classification import made_rows as tagged

ROWS = make_reviews(90)
# What only cleaning as in training makes the words that the model knows; and what is too long.
AWKWARD = [("<b>gr&eacute;at</b> dull@example.org \u2028 film", "fresh"), ("town " * 40, "plot"), ('=1+1 boring, "flat"', "rotten")]


def trained(folder: Path, rows: list[dict[str, Any]], model: Path, *overrides: str) -> Path:
    """A run on `rows`, of which the last 30 are its test file `test.jsonl` too."""
    for name, part in (("train", rows[:-30]), ("test", rows[-30:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
    options = (f"data.path={folder / 'train.jsonl'}", f"data.test_path={folder / 'test.jsonl'}", f"model.name={model}")
    fixed = ("data=jsonl", "trainer=cpu", "trainer.precision=32-true", "logger=none", "preprocess.tokenize.max_length=16", "budget=steps")
    train(compose(*fixed, *options, "budget.steps=3", "model.learning_rate=5e-3", *overrides), run_dir=folder / "run", choices={})
    return folder / "run"


def reviews() -> list[dict[str, Any]]:
    return [{"text": text, "label": label, "stars": 1.50} for text, label in [*ROWS, *AWKWARD]]


@pytest.fixture
def run_dir(tmp_path: Path, tiny_model: Path) -> Path:
    return trained(tmp_path, reviews(), tiny_model, "clean=[exact_dedup,html,pii]", "preprocess.tokenize.truncation=drop")


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize("method", ["adapter", "prompt"])
def test_a_model_with_parameters_of_its_own_predicts_as_in_its_run(method: str, tmp_path: Path, tiny_model: Path) -> None:
    run_dir = trained(tmp_path, reviews(), tiny_model, f"method={method}")
    assert main(["predict", str(run_dir), str(tmp_path / "test.jsonl"), "--device", "cpu", "--out", str(tmp_path / "out.parquet")]) == 0
    found, wanted = read(tmp_path / "out.parquet"), pq.read_table(run_dir / "predictions.parquet").to_pydict()
    assert [float(p) for p in found["p_fresh"]] == pytest.approx(wanted["p_fresh"], abs=1e-5)


def test_the_test_rows_get_the_predictions_of_the_run(run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = pq.read_table(run_dir / "predictions.parquet").to_pydict()
    rows = reviews()[-30:]
    assert wanted["uid"] == source_uids((row["text"], row["label"], "test") for row in rows)
    names = [name for name in wanted if name.startswith("p_")]
    with (tmp_path / "test.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *((row["text"], row["label"]) for row in rows)])
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress((tmp_path / "test.jsonl").read_bytes()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "test.parquet")
    for file, out, batch_size in [
        ("test.csv", None, "1"),
        ("test.csv", "a.parquet", "7"),
        ("test.jsonl", "a.csv", "64"),
        ("test.jsonl", None, "2"),
        ("packed.jsonl.gz", None, "32"),
        ("test.parquet", None, "3"),
        ("test.parquet", "b.jsonl", "3"),
    ]:
        target = tmp_path / (out or f"{file.partition('.')[0]}.predictions.{file.removesuffix('.gz').rpartition('.')[2]}")
        more = [] if out is None else ["--out", str(target)]
        assert main(["predict", str(run_dir), str(tmp_path / file), "--batch-size", batch_size, "--device", "cpu", *more]) == 0
        assert "30 rows" in (said := capsys.readouterr().out)
        assert "cut to 16 tokens" in said
        found = read(target)
        assert found["prediction"] == wanted["prediction"]
        for name in names:
            assert [float(value) for value in found[name]] == pytest.approx(wanted[name], abs=1e-5)
        texts = [row["text"] for row in rows]
        assert found["text"] == ([f"'{text}" if text.startswith("=") else text for text in texts] if target.suffix == ".csv" else texts)


def read(path: Path) -> dict[str, list[Any]]:
    if path.suffix == ".parquet":
        columns: dict[str, list[Any]] = pq.read_table(path).to_pydict()
        return columns
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_a_line_of_json_stays_as_it_was(run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = '{"text":"a great film","n": 12345678901234567890123, "x": 1.10 }'
    (tmp_path / "one.jsonl").write_text(line + "\n\n", encoding="utf-8")
    assert main(["predict", str(run_dir / "model"), str(tmp_path / "one.jsonl"), "--out", "-"]) == 0
    assert capsys.readouterr().out.startswith(line[:-2] + ', "prediction": ')


@pytest.mark.parametrize("batch_size", ["1", "16"])
def test_windows_are_averaged_as_in_evaluation(batch_size: str, tmp_path: Path, tiny_model: Path) -> None:
    windows = ("preprocess.tokenize.truncation=window", "preprocess.tokenize.stride=4")
    run_dir = trained(tmp_path, reviews(), tiny_model, *windows)
    assert main(["predict", str(run_dir), str(tmp_path / "test.jsonl"), "--batch-size", batch_size]) == 0
    found, wanted = read(tmp_path / "test.predictions.jsonl"), pq.read_table(run_dir / "predictions.parquet").to_pydict()
    assert found["p_plot"] == pytest.approx(wanted["p_plot"], abs=1e-5)


def test_pairs(tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"text": text, "other": text[::-1], "label": label} for text, label in ROWS]
    run_dir = trained(tmp_path, rows, tiny_model, "data.text_pair_column=other")
    call = ["predict", str(run_dir), str(tmp_path / "test.jsonl")]
    assert main(call) == 2
    assert "add --pair-column NAME" in capsys.readouterr().err
    assert main([*call, "--pair-column", "other"]) == 0
    found, wanted = read(tmp_path / "test.predictions.jsonl"), pq.read_table(run_dir / "predictions.parquet").to_pydict()
    assert found["p_plot"] == pytest.approx(wanted["p_plot"], abs=1e-5)


def test_sets_of_labels_by_the_threshold_of_dev(tmp_path: Path, tiny_model: Path) -> None:
    rows = [{"text": text, "label": labels} for text, labels in label_sets(120)]
    run_dir = trained(tmp_path, rows, tiny_model, "task=multi_label")
    assert main(["predict", str(run_dir), str(tmp_path / "test.jsonl")]) == 0
    found, wanted = read(tmp_path / "test.predictions.jsonl"), pq.read_table(run_dir / "predictions.parquet").to_pydict()
    assert found["prediction"] == [json.loads(cell) for cell in wanted["prediction"]]
    assert found["p_fresh"] == pytest.approx(wanted["p_fresh"], abs=1e-5)


def test_numbers_in_the_unit_of_the_labels(tmp_path: Path, tiny_model: Path) -> None:
    rows = [{"text": text, "label": str(1000 + 7 * len(text))} for text, _ in ROWS]
    run_dir = trained(tmp_path, rows, tiny_model, "task=regression")
    assert main(["predict", str(run_dir), str(tmp_path / "test.jsonl")]) == 0
    found, wanted = read(tmp_path / "test.predictions.jsonl"), pq.read_table(run_dir / "predictions.parquet").to_pydict()
    assert found["prediction"] == pytest.approx([float(cell) for cell in wanted["prediction"]], rel=1e-6)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_tag_for_each_word_even_where_the_text_was_cut(form: str, tmp_path: Path, tiny_model: Path) -> None:
    rows = [{"text": tokens, "label": tags} for tokens, tags in tagged(118)] + [{"text": ["town"] * 30, "label": ["O"] * 30}] * 2
    run_dir = trained(tmp_path, rows, tiny_model, "task=token_classification")
    file = tmp_path / "test.jsonl"
    if form == "csv":
        file = tmp_path / "cells.csv"
        with file.open("w", newline="", encoding="utf-8") as opened:
            csv.writer(opened).writerows([["text", "n"], *([json.dumps(row["text"]), n] for n, row in enumerate(rows[-30:]))])
    assert main(["predict", str(run_dir), str(file), "--batch-size", "4"]) == 0
    found = read(file.with_name(f"{file.stem}.predictions.{form}"))["prediction"]
    wanted = pq.read_table(run_dir / "predictions.parquet").to_pydict()["prediction"]
    assert [json.loads(cell) if form == "csv" else cell for cell in found] == [json.loads(cell) for cell in wanted]


def test_a_plain_folder_of_transformers_will_do(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "x.csv").write_text("words\na great film\n\n", encoding="utf-8")
    assert main(["predict", str(tiny_model), "x.csv", "--text-column", "words"]) == 0
    assert set(read(tmp_path / "x.predictions.csv")) == {"words", "prediction", "p_LABEL_0", "p_LABEL_1"}
    assert len(read(tmp_path / "x.predictions.csv")["words"]) == 2, "in a file of one column an empty line is an empty text"
