"""From a file to a record, for every augmentation and every balance, on a model and data that the test made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sklearn.metrics import f1_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from prepsweep.training import train
from tests.conftest import compose, make_reviews
from tests.contract.stage_options import is_of_texts, is_stage, options_of, tiny_values
from tests.records import record_of

AUGMENT, BALANCE = [option for option in options_of("augment") if is_of_texts(option)], options_of("balance")
# Each option of both groups, in turn with the options of the other; the whole grid is run by `pytest -m slow`.
IN_TURN = {(augment, BALANCE[i % len(BALANCE)]) for i, augment in enumerate(AUGMENT)} | {("none", balance) for balance in BALANCE}
# Points between states are refused where mixup mixes what the encoder is given (tests/unit/balance).
GRID = [
    pytest.param(augment, balance, marks=[] if (augment, balance) in IN_TURN else pytest.mark.slow)
    for augment in AUGMENT
    for balance in BALANCE
    if (augment, balance) != ("mixup", "embedding_smote")
]


def test_every_option_is_run() -> None:
    assert len(GRID) >= 16 * 9
    assert {augment for augment, _ in IN_TURN} == set(AUGMENT)
    assert {balance for _, balance in IN_TURN} == set(BALANCE)


def run(tmp_path: Path, data: Path, model: Path, *overrides: str) -> dict[str, Any]:
    cfg = compose("data=csv", f"data.path={data}", f"model.name={model}", "preprocess.tokenize.max_length=32", "trainer=cpu", *overrides)
    run_dir = tmp_path / "run"
    best = train(cfg, run_dir=run_dir, choices={"augment": "x"}, overrides=list(overrides))
    record = record_of(run_dir)
    assert record["status"] == "finished"
    assert best == record["metrics"]["val"]["macro_f1"]
    assert all(point["train_loss"] > 0 for point in record["metrics"]["val_curve"])
    return record


@pytest.mark.parametrize(("augment", "balance"), GRID)
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
        *(["method=head"] if balance == "embedding_smote" else []),
        "budget=steps",
        "budget.steps=2",
        "logger=none",
    )
    stages = {stage["name"]: stage for stage in record["data"]["stages"]}
    assert not is_stage("augment", augment) or stages[augment]["rows_added"] > 0
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
    assert set(json.loads((folder / "preparation.json").read_text())) == {"clean", "preprocess", "pairs", "precision"}
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
        lines = [f'"{text}",{label}\n' for text, label in make_reviews(n_rows, seed=n_rows)]
        extra = lines[:1] if name == "test" else []
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "".join(lines + extra), encoding="utf-8")
    paths = [f"data.dev_path={tmp_path}/dev.csv", f"data.test_path={tmp_path}/test.csv"]
    record = run(tmp_path, tmp_path / "train.csv", tiny_model, *paths, "split=predefined", "budget=steps", "budget.steps=1", "logger=none")
    assert {name: facts["rows"] for name, facts in record["data"]["splits"].items()} == {"train": 60, "dev": 20, "test": 31}
    dedup = next(stage for stage in record["data"]["stages"] if stage["name"] == "exact_dedup")
    assert dedup["reported"] == {"duplicate": 1}, "a row of a given test file is reported, never dropped"


def test_a_loss_beside_a_stage(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    options = ("budget.epochs=1", "logger=none", "model.batch_size=8")
    plain = run(tmp_path / "0", reviews_csv, tiny_model, "balance=oversample", *options)
    focal = run(tmp_path / "1", reviews_csv, tiny_model, "balance=[oversample,focal]", *options)
    assert focal["config"]["task"]["loss"] == {"_target_": "prepsweep.tasks.losses.focal", "_partial_": True, "gamma": 2.0}
    assert [stage["name"] for stage in focal["data"]["stages"]] == [stage["name"] for stage in plain["data"]["stages"]]
    assert focal["data"]["splits"] == plain["data"]["splits"]
    assert focal["budget"]["steps"] == plain["budget"]["steps"] == 11
    assert focal["metrics"]["val"]["loss"] != plain["metrics"]["val"]["loss"], "the loss was used"
    flat = run(tmp_path / "2", reviews_csv, tiny_model, "balance=[oversample,focal]", "task.loss.gamma=0", *options)
    assert flat["metrics"]["val"]["loss"] == pytest.approx(plain["metrics"]["val"]["loss"], rel=1e-4)


def test_logit_adjust_is_given_the_shares_of_the_train_rows(
    tmp_path: Path, reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prepsweep.tasks import losses

    given: list[Any] = []

    def spy(logits: Any, labels: Any, *, priors: Any, tau: float) -> Any:
        given.append(list(priors))
        return losses.cross_entropy(logits, labels)

    monkeypatch.setattr(losses, "logit_adjust", spy)
    record = run(tmp_path, reviews_csv, tiny_model, "balance=logit_adjust", "budget=steps", "budget.steps=1", "logger=none")
    rows = record["data"]["splits"]["train"]
    assert given == [pytest.approx([rows["per_class"][label] / rows["rows"] for label in record["data"]["classes"]])]
    assert len(set(given[0])) == 3


def test_weighted_draws_take_the_steps_and_rows_of_a_plain_run(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    options = ("budget.epochs=2", "logger=none", "model.batch_size=8")
    plain = run(tmp_path / "0", reviews_csv, tiny_model, *options)
    drawn, again = (run(tmp_path / str(i), reviews_csv, tiny_model, "balance=weighted_sampler", *options) for i in (1, 2))
    for name in ("steps", "examples_seen", "epochs"):
        assert drawn["budget"][name] == plain["budget"][name]
    assert {name: facts["rows"] for name, facts in drawn["data"]["splits"].items()} == {
        name: facts["rows"] for name, facts in plain["data"]["splits"].items()
    }
    assert drawn["metrics"] == again["metrics"] != plain["metrics"]


def test_windows_take_the_steps_of_a_plain_run_and_give_a_prediction_a_row(tmp_path: Path, tiny_model: Path) -> None:
    lines = [f'"{" ".join([text] * (1 + place % 4))}",{label}\n' for place, (text, label) in enumerate(make_reviews(120))]
    data = tmp_path / "long.csv"
    data.write_text("text,label\n" + "".join(lines), encoding="utf-8")
    options = ("preprocess.tokenize.stride=4", "budget.epochs=2", "logger=none", "model.batch_size=8")
    records = {
        policy: run(tmp_path / policy, data, tiny_model, f"preprocess.tokenize.truncation={policy}", *options)
        for policy in ("truncate", "window", "drop")
    }
    assert {record["budget"]["steps"] for record in records.values()} == {22}
    stages = {policy: record["data"]["stages"][-3:] for policy, record in records.items()}
    assert [stage["split"] for stage in stages["window"]] == ["train", "dev", "test"]
    n_long = {policy: [sum(stage["truncated"].values()) for stage in found] for policy, found in stages.items()}
    assert all(n_long["truncate"])
    assert n_long["window"] == [0, 0, 0]
    assert n_long["drop"] == [0, *n_long["truncate"][1:]]
    assert [sum(stage["facts"]["rows_in_windows"].values()) for stage in stages["window"]] == n_long["truncate"]
    assert [stage["dropped"] for stage in stages["drop"]] == [{"too_long": n_long["truncate"][0]}, {}, {}]
    sizes = {policy: record["data"]["splits"]["train"]["rows"] for policy, record in records.items()}
    assert sizes == {"truncate": 84, "window": 84, "drop": 84 - n_long["truncate"][0]}
    predictions = pq.read_table(tmp_path / "window" / "run" / "predictions.parquet").to_pydict()
    assert len(predictions["uid"]) == len(set(predictions["uid"])) == 24
    cut = pq.read_table(tmp_path / "truncate" / "run" / "predictions.parquet").to_pydict()
    assert max(cut["length"]) == 32 < max(predictions["length"]), "windows are read whole"
    assert min(cut["length"]) == min(predictions["length"]) > 2
    score = f1_score(predictions["label"], predictions["prediction"], average="macro")
    assert score == pytest.approx(records["window"]["metrics"]["test"]["macro_f1"])


def test_a_failed_run_says_so_in_its_record(tmp_path: Path, reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr("prepsweep.training.prepare", fail)
    cfg = compose("data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "logger=none")
    with pytest.raises(RuntimeError, match="no such luck"):
        train(cfg, run_dir=tmp_path / "run", choices={})
    record = record_of(tmp_path / "run")
    assert (record["status"], record["error"]) == ("failed", {"type": "RuntimeError", "message": "no such luck"})
