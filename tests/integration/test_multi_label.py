"""Several labels a text, from a file to the record, for every augmentation and every balance that may be."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import f1_score

from prepsweep.errors import Refused
from prepsweep.planning import built_stages
from prepsweep.tasks.options import check_task
from prepsweep.training import train
from tests.conftest import FILLER, WORDS, compose
from tests.contract.stage_options import is_stage, options_of, tiny_values
from tests.records import record_of

REFUSED = {"augment": {"keep_if", "mixup", "span_replace", "to_balance"}, "balance": {"embedding_smote", "focal", "logit_adjust"}}
ALLOWED = {group: [option for option in options_of(group) if option not in REFUSED[group]] for group in REFUSED}
# Each option of both groups in turn with the options of the other.
IN_TURN = sorted(
    {(augment, ALLOWED["balance"][i % len(ALLOWED["balance"])]) for i, augment in enumerate(ALLOWED["augment"])}
    | {("none", balance) for balance in ALLOWED["balance"]}
)


def made_rows(n_rows: int) -> list[tuple[str, list[str]]]:
    """Texts with one word of each of their labels: none, one or two of three."""
    rng = random.Random(0)
    rows = []
    for number in range(n_rows):
        labels = sorted(rng.sample(sorted(WORDS), number % 3))
        words = [rng.choice(FILLER) for _ in range(4)] + [rng.choice(WORDS[label]) for label in labels for _ in range(3)]
        rng.shuffle(words)
        rows.append((f"{' '.join(words)} {number}", labels))
    return rows


@pytest.fixture
def sets_csv(tmp_path: Path) -> Path:
    path = tmp_path / "sets.csv"
    path.write_text("text,label\n" + "".join(f'"{text}",{"|".join(labels)}\n' for text, labels in made_rows(210)), encoding="utf-8")
    return path


def run(run_dir: Path, data: Path, model: Path, *overrides: str) -> dict[str, Any]:
    options = ("task=multi_label", f"data.path={data}", f"model.name={model}", "preprocess.tokenize.max_length=32", "trainer=cpu")
    cfg = compose(*(["data=csv"] if data.suffix == ".csv" else ["data=jsonl"]), *options, "logger=none", *overrides)
    best = train(cfg, run_dir=run_dir, choices={})
    record = record_of(run_dir)
    assert best == record["metrics"]["val"]["macro_f1"]
    return record


@pytest.mark.parametrize(("augment", "balance"), IN_TURN)
def test_every_augment_and_balance_that_may_be(
    augment: str, balance: str, tmp_path: Path, sets_csv: Path, tiny_model: Path, request: pytest.FixtureRequest
) -> None:
    values = tiny_values("augment", augment, request)
    steps = ("budget=steps", "budget.steps=2")
    record = run(tmp_path / "run", sets_csv, tiny_model, f"augment={augment}", f"balance={balance}", *values, *steps)
    stages = {stage["name"]: stage for stage in record["data"]["stages"]}
    assert not is_stage("augment", augment) or stages[augment]["rows_added"] > 0
    for stage in record["data"]["stages"]:
        assert stage["rows_in"] + stage["rows_added"] == stage["rows_out"] + sum(stage["dropped"].values())
        assert sum(stage["rows_per_split"].values()) == stage["rows_out"]


@pytest.mark.parametrize(("group", "option"), [(group, option) for group, options in sorted(REFUSED.items()) for option in sorted(options)])
def test_what_may_not_be_is_refused_in_one_line(group: str, option: str, sets_csv: Path, request: pytest.FixtureRequest) -> None:
    values = tiny_values(group, option, request)
    cfg = compose("task=multi_label", "data=csv", f"data.path={sets_csv}", f"{group}={option}", *values)
    if is_stage(group, option):
        with pytest.raises(Refused, match="does not work on label sets"):
            built_stages(cfg)
    else:
        with pytest.raises(Refused, match="^task"):
            check_task(cfg.task)


def test_a_run_learns_and_keeps_its_threshold(tmp_path: Path, sets_csv: Path, tiny_model: Path) -> None:
    record = run(tmp_path / "run", sets_csv, tiny_model, "budget.epochs=30", "model.learning_rate=5e-3")
    test = record["metrics"]["test"]
    assert test["macro_f1"] > 0.85
    assert test["lrap"] > 0.85
    threshold = record["metrics"]["val"]["threshold"]
    assert test["threshold"] == threshold
    kept = json.loads((tmp_path / "run" / "model" / "preparation.json").read_text(encoding="utf-8"))
    assert kept["decision"] == {"threshold": threshold}
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    classes = record["data"]["classes"]
    true, said = (np.array([[name in json.loads(row[column]) for name in classes] for row in rows]) for column in ("label", "prediction"))
    assert f1_score(true, said, average="macro", zero_division=0) == pytest.approx(test["macro_f1"])
    assert [[row[f"p_{name}"] >= threshold for name in classes] for row in rows] == said.tolist()
    assert record["data"]["classes"] == ["fresh", "plot", "rotten"]
    assert any(json.loads(row["label"]) == [] for row in rows), "a text may have no label"


def test_lists_and_separated_labels_are_the_same_rows(tmp_path: Path, sets_csv: Path, tiny_model: Path) -> None:
    lists = tmp_path / "sets.jsonl"
    lists.write_text("".join(json.dumps({"text": text, "label": labels[::-1]}) + "\n" for text, labels in made_rows(210)), encoding="utf-8")
    steps = ("budget=steps", "budget.steps=1")
    one, two = (run(tmp_path / str(i), data, tiny_model, *steps) for i, data in enumerate((sets_csv, lists)))
    assert one["data"]["splits"] == two["data"]["splits"]
    assert one["metrics"] == two["metrics"]
