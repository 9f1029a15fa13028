"""From a file to a record, for every augmentation with every balance, on a model and data that the test made."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import f1_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from prepsweep.training import train
from tests.conftest import compose
from tests.contract.stage_options import options_of, tiny_values

SCHEMA = json.loads(files("prepsweep").joinpath("run.schema.json").read_text(encoding="utf-8"))
PAIRS = [(augment, balance) for augment in options_of("augment") for balance in options_of("balance")]


def test_the_pairs_are_all_there() -> None:
    assert len(PAIRS) == 6 * 4


def run(tmp_path: Path, data: Path, model: Path, *overrides: str) -> dict[str, Any]:
    cfg = compose("data=csv", f"data.path={data}", f"model.name={model}", "preprocess.tokenize.max_length=32", "trainer=cpu", *overrides)
    run_dir = tmp_path / "run"
    best = train(cfg, run_dir=run_dir, choices={"augment": "x"}, overrides=list(overrides))
    record: dict[str, Any] = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    jsonschema.validate(record, SCHEMA)
    assert record["status"] == "finished"
    assert best == record["metrics"]["val"]["macro_f1"]
    return record


@pytest.mark.parametrize(("augment", "balance"), PAIRS)
def test_every_augment_with_every_balance(
    augment: str, balance: str, tmp_path: Path, reviews_csv: Path, tiny_model: Path, request: pytest.FixtureRequest
) -> None:
    values = tiny_values("augment", augment, request)
    record = run(
        tmp_path,
        reviews_csv,
        tiny_model,
        f"augment={augment}",
        f"balance={balance}",
        *values,
        "budget=steps",
        "budget.steps=2",
        "logger=none",
    )
    stages = {stage["name"]: stage for stage in record["data"]["stages"]}
    assert (augment == "none") or stages[augment]["rows_added"] > 0
    for stage in stages.values():
        assert stage["rows_in"] + stage["rows_added"] == stage["rows_out"] + sum(stage["dropped"].values())
        if stage["group"] in ("augment", "balance"):
            assert list(stage["per_class"]) == ["train"], "dev and test are never augmented or resampled"
    predictions = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pydict()
    assert len(predictions["uid"]) == record["data"]["splits"]["test"]["rows"] == 24
    assert f1_score(predictions["label"], predictions["prediction"], average="macro") == pytest.approx(
        record["metrics"]["test"]["macro_f1"]
    )
    assert record["budget"]["steps"] == 2


def test_a_run_learns_and_its_model_loads_as_plain_transformers(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    record = run(tmp_path, reviews_csv, tiny_model, "budget.epochs=30", "model.learning_rate=5e-3", "logger=csv")
    assert record["metrics"]["test"]["macro_f1"] > 0.9
    folder = tmp_path / "run" / "model"
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(["a great lovely film", "a dull boring film"], return_tensors="pt")
    assert [model.config.id2label[i] for i in model(**batch).logits.argmax(dim=1).tolist()] == ["fresh", "rotten"]
    assert set(json.loads((folder / "preparation.json").read_text())) == {"clean", "preprocess"}
    assert (tmp_path / "run" / "csv" / "metrics.csv").is_file()


def test_equal_steps_for_arms_of_different_size(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    arms = [("none", "none"), ("duplicate", "oversample"), ("none", "undersample")]
    records = [
        run(
            tmp_path / f"{a}-{b}",
            reviews_csv,
            tiny_model,
            f"augment={a}",
            f"balance={b}",
            "budget.epochs=1",
            "logger=none",
            "model.batch_size=8",
        )
        for a, b in arms
    ]
    assert {record["budget"]["steps"] for record in records} == {11}
    assert len({record["data"]["splits"]["train"]["rows"] for record in records}) == 3
    tests = {record["data"]["splits"]["test"]["content_hash"] for record in records}
    assert len(tests) == 1, "every arm is tested on the same rows"


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    options = ("augment=eda", "balance=oversample", "budget.epochs=1", "logger=none")
    records = [run(tmp_path / str(i), reviews_csv, tiny_model, *options, f"seed={seed}") for i, seed in enumerate((1, 1, 2))]
    first, again, other = ({"metrics": r["metrics"], "splits": r["data"]["splits"]} for r in records)
    assert first == again
    assert first != other
    assert records[0]["run_id"] == records[1]["run_id"] != records[2]["run_id"]


def test_a_second_run_prepares_nothing_again(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    options = ("augment=synonym", "balance=oversample", "budget=steps", "budget.steps=1", "logger=none")
    first, second = (run(tmp_path / str(i), reviews_csv, tiny_model, *options) for i in range(2))
    assert not any(stage["cached"] for stage in first["data"]["stages"])
    assert all(stage["cached"] for stage in second["data"]["stages"])
    other = run(tmp_path / "2", reviews_csv, tiny_model, "augment=eda", *options[1:])
    fresh = [(stage["group"], stage["split"]) for stage in other["data"]["stages"] if not stage["cached"]]
    assert fresh == [("augment", "train"), ("balance", "train"), ("preprocess", "train")], "what arms share is shared"


def test_rows_of_given_files_keep_their_place_and_their_number(tmp_path: Path, tiny_model: Path) -> None:
    for name, n_rows in (("train", 60), ("dev", 20), ("test", 30)):
        from tests.conftest import make_reviews

        lines = [f'"{text}",{label}\n' for text, label in make_reviews(n_rows, seed=n_rows)]
        extra = lines[:1] if name == "test" else []
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "".join(lines + extra), encoding="utf-8")
    paths = [f"data.dev_path={tmp_path}/dev.csv", f"data.test_path={tmp_path}/test.csv"]
    record = run(tmp_path, tmp_path / "train.csv", tiny_model, *paths, "split=predefined", "budget=steps", "budget.steps=1", "logger=none")
    assert {name: facts["rows"] for name, facts in record["data"]["splits"].items()} == {"train": 60, "dev": 20, "test": 31}
    dedup = next(stage for stage in record["data"]["stages"] if stage["name"] == "exact_dedup")
    assert dedup["reported"] == {"duplicate": 1}, "a row of a given test file is reported, never dropped"


def test_a_failed_run_says_so_in_its_record(tmp_path: Path, reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr("prepsweep.training.prepare", fail)
    cfg = compose("data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "logger=none")
    with pytest.raises(RuntimeError, match="no such luck"):
        train(cfg, run_dir=tmp_path / "run", choices={})
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    jsonschema.validate(record, SCHEMA)
    assert (record["status"], record["error"]) == ("failed", {"type": "RuntimeError", "message": "no such luck"})
