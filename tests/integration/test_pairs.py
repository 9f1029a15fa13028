"""Pairs of texts from a file to the predictions: what only both texts can tell is learned, and a row stays one row."""

from __future__ import annotations

import csv
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from prepsweep.cli import main
from prepsweep.training import train
from tests.conftest import FILLER, GOOD, compose

N_ROWS = 240


@pytest.fixture
def pairs_csv(tmp_path: Path) -> Path:
    """Premises and hypotheses, `same` where they share a word: one of three in each text, beside a filler of its own."""
    rng = random.Random(0)
    rows: dict[tuple[str, str], str] = {}
    while len(rows) < N_ROWS:
        label = ("same", "other")[len(rows) % 2]
        word = GOOD[len(rows) // 2 % 3]
        second = word if label == "same" else rng.choice([found for found in GOOD[:3] if found != word])
        rows.setdefault((f"{word} {rng.choice(FILLER[:8])}", f"{rng.choice(FILLER[8:])} {second}"), label)
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("premise", "hypothesis", "label"), *((*texts, label) for texts, label in rows.items())])
    return path


@pytest.fixture
def quick_model(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model with larger weights and without dropout: it compares two words after some fifty steps."""
    from transformers import BertConfig, BertForSequenceClassification

    folder = shutil.copytree(tiny_model, tmp_path / "quick_model")
    wide = {"initializer_range": 0.2, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    torch.manual_seed(0)
    BertForSequenceClassification(BertConfig.from_pretrained(tiny_model, **wide)).save_pretrained(folder)
    return folder


def run(folder: Path, data: Path, model: Path, *overrides: str, pair: str = "hypothesis") -> dict[str, Any]:
    columns = ["data.text_column=premise", f"data.text_pair_column={pair}"]
    budget = ["budget.epochs=15", "model.learning_rate=3e-3", "preprocess.tokenize.max_length=32"]
    cfg = compose("data=csv", f"data.path={data}", *columns, f"model.name={model}", "trainer=cpu", "logger=none", *budget, *overrides)
    train(cfg, run_dir=folder, choices={})
    record: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return record


def test_what_only_the_pair_can_tell_is_learned(pairs_csv: Path, quick_model: Path, tmp_path: Path) -> None:
    record = run(tmp_path / "pairs", pairs_csv, quick_model)
    assert record["metrics"]["test"]["macro_f1"] > 0.9
    alone = run(tmp_path / "alone", pairs_csv, quick_model, "budget.epochs=5", pair="null")
    assert alone["metrics"]["test"]["macro_f1"] < 0.7
    predictions = pq.read_table(tmp_path / "pairs" / "predictions.parquet")
    assert len(predictions) == record["data"]["splits"]["test"]["rows"] == N_ROWS // 5
    assert len(set(predictions.column("uid").to_pylist())) == len(predictions)


def test_mixup_learns_in_as_many_steps_and_the_same_from_the_same_seed(reviews_csv: Path, tiny_model: Path, tmp_path: Path) -> None:
    def reviews(name: str, *overrides: str) -> dict[str, Any]:
        return run(tmp_path / name, reviews_csv, tiny_model, "data.text_column=text", *overrides, pair="null")

    assert reviews("learns", "augment=mixup", "budget.epochs=60", "model.learning_rate=5e-3")["metrics"]["test"]["macro_f1"] > 0.9
    one, again, plain = (reviews(str(i), f"augment={option}", "budget.epochs=1") for i, option in enumerate(("mixup", "mixup", "none")))
    assert one["metrics"] == again["metrics"] != plain["metrics"]
    computed = ("tokens_computed", "real_token_fraction")
    assert {**one["budget"], **dict.fromkeys(computed)} == {**plain["budget"], **dict.fromkeys(computed)}, "as many steps as without it"
    assert one["budget"]["tokens_computed"] > plain["budget"]["tokens_computed"], "batches are mixed whole"
    assert one["data"]["splits"] == plain["data"]["splits"]


def test_a_pair_goes_through_mixup_too(pairs_csv: Path, quick_model: Path, tmp_path: Path) -> None:
    record = run(tmp_path / "mixed", pairs_csv, quick_model, "augment=[eda,mixup]", "balance=focal", "budget.epochs=1")
    assert record["status"] == "finished"
    assert next(stage for stage in record["data"]["stages"] if stage["name"] == "eda")["rows_added"] > 0


def test_windows_of_pairs_are_refused_before_anything_is_written(
    pairs_csv: Path, quick_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path for path in Path.cwd().rglob("*") if path.is_file()}
    columns = ["data.text_column=premise", "data.text_pair_column=hypothesis", f"model.name={quick_model}"]
    assert main(["train", "data=csv", f"data.path={pairs_csv}", *columns, "preprocess.tokenize.truncation=window"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("error: preprocess.tokenize.truncation: texts are not read in windows where they are pairs")
    assert {path for path in Path.cwd().rglob("*") if path.is_file()} == before
