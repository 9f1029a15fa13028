"""One number a text, from a file to the record, for every augmentation; what has no meaning for numbers is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import pearsonr, spearmanr

from prepsweep.cli import main
from prepsweep.errors import Refused
from prepsweep.planning import built_stages
from prepsweep.tasks.regression import Numbers, Regression
from prepsweep.training import train
from tests.conftest import FILLER, GOOD, compose
from tests.contract.stage_options import is_stage, options_of, tiny_values
from tests.records import record_of

REFUSED = {"keep_if", "mixup", "span_replace", "to_balance"}


@pytest.fixture
def stars_csv(tmp_path: Path) -> Path:
    """Texts whose number is 1000.50 and 250 more for each good word of four in them."""
    rng = random.Random(0)
    path = tmp_path / "stars.csv"
    lines = []
    for number in range(200):
        n_good = number % 5
        words = [rng.choice(FILLER) for _ in range(8 - n_good)] + [rng.choice(GOOD) for _ in range(n_good)]
        rng.shuffle(words)
        lines.append(f"{' '.join(words)} {number},{1000.5 + 250 * n_good:.2f}\n")
    path.write_text("text,label\n" + "".join(lines), encoding="utf-8")
    return path


def run(run_dir: Path, data: Path, model: Path, *overrides: str) -> dict[str, Any]:
    options = ("task=regression", "data=csv", f"data.path={data}", f"model.name={model}", "preprocess.tokenize.max_length=32")
    best = train(compose(*options, "trainer=cpu", "logger=none", *overrides), run_dir=run_dir, choices={})
    record = record_of(run_dir)
    assert best == record["metrics"]["val"]["r2"]
    return record


def test_a_run_learns_numbers_of_any_size(tmp_path: Path, stars_csv: Path, tiny_model: Path) -> None:
    record = run(tmp_path / "run", stars_csv, tiny_model, "budget.epochs=30", "model.learning_rate=5e-3")
    test = record["metrics"]["test"]
    assert test["r2"] > 0.7
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pydict()
    labels, predictions = ([float(cell) for cell in rows[name]] for name in ("label", "prediction"))
    assert test["pearson"] == pytest.approx(pearsonr(labels, predictions)[0])
    assert test["spearman"] == pytest.approx(spearmanr(labels, predictions)[0])
    assert test["mae"] == pytest.approx(sum(abs(a - b) for a, b in zip(labels, predictions, strict=True)) / len(labels))
    assert set(rows["label"]) <= {"1000.50", "1250.50", "1500.50", "1750.50", "2000.50"}, "as they are written"
    kept = json.loads((tmp_path / "run" / "model" / "preparation.json").read_text(encoding="utf-8"))
    assert kept["decision"] == {name: test[name] for name in ("label_mean", "label_deviation")}


def test_equal_numbers_have_no_spread_whatever_rounding_makes_of_them() -> None:
    labels = pa.chunked_array([["0.1"] * 3])
    task = Regression([], labels=Numbers(1), train_labels=labels)
    assert task.decision["label_deviation"] == 1
    targets = task.targets(labels)
    assert targets.dtype == np.float32, "Apple's GPUs have no other"
    scores = task.scores(np.array([[0.5], [0.0], [0.0]], dtype=np.float32), targets)
    assert (scores["r2"], scores["pearson"]) == (0, 0)
    assert scores["loss"] == pytest.approx(0.25 / 3)


@pytest.mark.parametrize("augment", [option for option in options_of("augment") if option not in REFUSED])
def test_every_augment_that_may_be(augment: str, tmp_path: Path, stars_csv: Path, tiny_model: Path, request: pytest.FixtureRequest) -> None:
    values = tiny_values("augment", augment, request)
    record = run(tmp_path / "run", stars_csv, tiny_model, f"augment={augment}", *values, "budget=steps", "budget.steps=1")
    stages = {stage["name"]: stage for stage in record["data"]["stages"]}
    assert not is_stage("augment", augment) or stages[augment]["rows_added"] > 0
    ranges = [set(split["per_class"]) for split in record["data"]["splits"].values()]
    assert ranges[0] == ranges[1] == ranges[2], "each range of numbers is in each split"
    assert len(ranges[0]) > 1


@pytest.mark.parametrize("option", [option for option in options_of("balance") if is_stage("balance", option)])
def test_numbers_are_not_balanced(option: str, stars_csv: Path) -> None:
    cfg = compose("task=regression", "data=csv", f"data.path={stars_csv}", f"balance={option}")
    with pytest.raises(Refused) as error:
        built_stages(cfg)
    assert str(error.value) == f"balance.{option}: does not work on numbers. fix: use balance=none"


@pytest.mark.parametrize("cell", ["four", "nan", "1_000", "١٢", "1e999", " 3", "3,5", "0x10"])
def test_what_is_no_number_is_refused_with_its_line(cell: str, stars_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = stars_csv.read_text(encoding="utf-8").splitlines()
    lines[7] = f'"a text","{cell}"'
    stars_csv.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["train", "task=regression", "data=csv", f"data.path={stars_csv}"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith(f"error: {stars_csv}:8: label {cell!r} is no number. fix: "), said
