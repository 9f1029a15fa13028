"""The command line: one line and exit code 2 for what cannot be used, with nothing written; runs and sweeps for what can."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from omegaconf import DictConfig

from prepsweep import training
from prepsweep.cli import train
from prepsweep.preprocess import tokenize
from tests.records import SCHEMA, record_of

QUICK = ["trainer=cpu", "budget=steps", "budget.steps=2", "preprocess.tokenize.max_length=32"]


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


REFUSED = {
    "no such option": (["augment=synonim"], "error: augment: no option 'synonim'. fix: did you mean 'synonym'?"),
    "no such group": (["augmentt=none"], "error: augmentt: unknown option. fix: did you mean 'augment'?"),
    "no such key": (["model.learnin_rate=1"], "error: model.learnin_rate: unknown option. fix: did you mean 'learning_rate'?"),
    "an added key": (["+model.lr=1"], "error: model.lr: unknown option."),
    "an added stage key": (["augment=duplicate", "+augment.duplicate.n=1"], "augment.duplicate.n: unknown option. fix: did you"),
    "null": (["augment=null"], "error: augment: null is not an option. fix: use augment=none"),
    "no experiment": (["experiment=null"], "error: experiment: null is not an option. fix: leave it out"),
    "several values": (["augment=none,eda"], "error: augment: has several values. fix: add -m to run a sweep"),
    "grammar": (["augment=[eda"], "error: command line: "),
    "a bad number": (["model.learning_rate=-1"], "error: model.learning_rate: must be above 0, got -1"),
    "a bad seed": (["seed=x"], "error: seed: must be a whole number"),
    "a bad budget": (["budget.epochs=0"], "error: budget.epochs: must be a whole number of at least 1, got 0"),
    "a bad precision": (["trainer.precision=bf16"], "error: trainer.precision: unknown precision 'bf16'. fix: did you mean 'bf16-mixed'?"),
    "fractions": (["split.stratified.test_fraction=0.95"], "error: split.stratified: dev_fraction + test_fraction is 1.05"),
    "a foreign target": (["augment=duplicate", "augment.duplicate._target_=os.system"], "_target_ 'os.system' is not in a trusted"),
    "a missing file": (["data.path=reviws.csv"], "no such file"),
    "an empty file": (["data.path=empty.csv"], "error: empty.csv:1: "),
    "a wrong column": (["data.text_column=txt"], "did you mean 'text'?"),
    "one class": (["data.path=one_class.csv"], "error: data: only one class, 'a'"),
    "a small class": (["data.path=small_class.csv"], "error: split: class 'b' has 2 rows to share among train, test, dev"),
    "cleaned away": (["clean=drop_short", "clean.drop_short.min_words=50"], "error: "),
    "no model": (["model.name=./nowhere"], "error: model.name: no model in nowhere"),
    "not set": (["data=jsonl", "~data.path"], "error: "),
    "a wrong strategy": (["balance=oversample", "balance.oversample.sampling_strategy=most"], "unknown strategy 'most'"),
    "no such key of an option": (["balance=focal", "task.loss.gama=1"], "task.loss.gama: unknown option. fix: did you mean 'gamma'?"),
    "two losses": (["balance=[focal,logit_adjust]"], "error: task.loss.gamma: the loss logit_adjust has no such option (one loss a run)"),
    "texts too long": (
        ["preprocess.tokenize.max_length=8", "preprocess.tokenize.truncation=error"],
        "rows are longer than 8 tokens, the longest has",
    ),
    "no WordNet": (["augment=synonym", "augment.synonym.wordnet_dir=none"], "apt-get install wordnet-base"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line_with_nothing_written(
    name: str, tmp_path: Path, reviews_csv: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "one_class.csv").write_text("text,label\n" + "good,a\n" * 9)
    (tmp_path / "small_class.csv").write_text("text,label\n" + "".join(f"good {i},a\n" for i in range(30)) + "bad 1,b\nbad 2,b\n")
    overrides, message = REFUSED[name]
    before = written(tmp_path)
    code = train(["data=csv", f"data.path={reviews_csv.name}", f"model.name={tiny_model}", *overrides])
    lines = capsys.readouterr().err.strip().splitlines()
    assert code == 2
    assert len(lines) == 1
    assert message in lines[0]
    assert ". fix: " in lines[0]
    assert written(tmp_path) == before


def test_a_missing_translator_names_the_package_and_the_alternative(
    reviews_csv: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    before = written(tmp_path)
    assert train(["data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "augment=backtranslate"]) == 2
    error = capsys.readouterr().err
    assert "apt-get install apertium-eng-spa" in error
    assert "augment=" in error
    assert written(tmp_path) == before


def test_a_run_leaves_what_the_contract_says(
    tmp_path: Path, reviews_csv: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = train(
        ["data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "balance=oversample", "logger=[csv,tensorboard]", *QUICK]
    )
    assert code == 0
    (run_json,) = tmp_path.glob("outputs/*/*/run.json")
    record = record_of(run_json.parent)
    assert run_json.parent.name.endswith(record["run_id"])
    assert record["choices"]["balance"] == "oversample"
    assert record["study"] is None
    assert {path.name for path in run_json.parent.iterdir()} >= {
        ".hydra",
        "train.log",
        "model",
        "predictions.parquet",
        "csv",
        "tensorboard",
    }
    shown = capsys.readouterr().out
    for part in ("Row flow", "balance=oversample", "Rows per class", "macro avg", "Time and cost", str(run_json.relative_to(tmp_path))):
        assert part in shown


def test_a_sweep_runs_each_combination_in_its_own_folder_and_wandb_run(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    code = train(
        ["-m", "data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "balance=none,class_weights", "study=pair", *QUICK]
    )
    assert code == 0
    records = [json.loads(path.read_text()) for path in tmp_path.glob("multirun/pair/*/run.json")]
    assert {record["choices"]["balance"] for record in records} == {"none", "class_weights"}
    assert {record["study"] for record in records} == {"pair"}
    assert {path.parent.name for path in tmp_path.glob("multirun/pair/*/run.json")} == {record["run_id"] for record in records}
    assert len(list(tmp_path.glob("multirun/pair/*/wandb/offline-run-*/run-*.wandb"))) == 2


def test_a_finished_run_of_a_study_is_not_run_again_unless_its_data_changed(
    tmp_path: Path, reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [
        "-m",
        "data=csv",
        f"data.path={reviews_csv}",
        f"model.name={tiny_model}",
        "balance=none",
        "study=again",
        "logger=none",
        *QUICK,
    ]
    started = []
    for _ in range(2):
        assert train(command) == 0
        (path,) = tmp_path.glob("multirun/again/*/run.json")
        started.append(json.loads(path.read_text())["started"])
    assert started[0] == started[1]
    # Nothing of a finished run is read again, so that a second start is quick however many runs and rows there are.
    with monkeypatch.context() as patch:
        patch.setattr("prepsweep.preflight.split_rows", None)
        assert train(command) == 0
    reviews_csv.write_text(reviews_csv.read_text() + "one more good film,fresh\n")
    assert train(command) == 0
    assert json.loads(path.read_text())["started"] != started[0]


def test_rows_that_must_be_read_to_be_refused_are_read_once(reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = tokenize.cut
    monkeypatch.setattr(tokenize, "cut", lambda tokenizer, table, length: read.append(len(table)) or original(tokenizer, table, length))
    command = ["data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "logger=none", *QUICK]
    assert train([*command, "preprocess.tokenize.truncation=error"]) == 0
    assert sorted(read) == [12, 24, 84]


def test_a_run_that_is_out_of_memory_is_tried_with_less_of_a_batch_at_a_time(
    tmp_path: Path, reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, room = training.train, 2
    asked: list[int] = []

    def cramped(cfg: DictConfig, *, n_parts: int, **given: Any) -> float:
        asked.append(n_parts)
        if cfg.model.batch_size // n_parts > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return whole(cfg, n_parts=n_parts, **given)

    monkeypatch.setattr(training, "train", cramped)
    command = ["data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "logger=none", *QUICK]
    assert train([*command, "model.batch_size=8"]) == 0
    assert asked == [1, 2, 4]
    (record,) = tmp_path.glob("outputs/**/run.json")
    assert json.loads(record.read_text())["status"] == "finished"
    assert "out of memory, again with 1/4 of the batch at a time" in capsys.readouterr().err
    assert train([*command, "model.batch_size=64"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: model.batch_size: the device has no room for 1/8 of a batch. fix: choose a smaller")


FAILING = """
import os, signal
def failing(dataset, *, seed):
    if seed == 1:
        raise ValueError("no good")
    if seed == 2:
        raise SystemExit(7)
    if seed > 2:
        os.kill(os.getpid(), {3: signal.SIGKILL, 4: signal.SIGSEGV}[seed])
    return dataset
"""


def test_a_sweep_with_failing_runs_finishes_the_others(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    sweep = ["-m", "data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "seed=range(5)", "study=torn", "logger=none", *QUICK]
    stage = "+augment.failing={_target_:failing.failing,_partial_:true}"
    environment = os.environ | {"PREPSWEEP_PACKAGES": "failing", "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", "import sys; from prepsweep.cli import train; sys.exit(train())", *sweep, stage]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 3, ended.stderr
    records = {path.parent.name: json.loads(path.read_text()) for path in tmp_path.glob("multirun/torn/*/run.json")}
    by_seed = {record["seeds"]["data"]: record for record in records.values()}
    assert {seed: record["status"] for seed, record in by_seed.items()} == {0: "finished"} | dict.fromkeys(range(1, 5), "failed")
    said = {seed: by_seed[seed]["error"] for seed in range(1, 5)}
    assert said[1] == {"type": "ValueError", "message": "no good"}
    assert said[2] == {"type": "SystemExit", "message": "7"}
    assert [said[seed]["message"] for seed in (3, 4)] == ["killed by SIGKILL", "killed by SIGSEGV"]
    assert "ValueError: no good" in (tmp_path / "multirun" / "torn" / by_seed[1]["run_id"] / "train.log").read_text()
    assert "1 of 5 runs finished" in ended.stderr
    for record in records.values():
        jsonschema.validate(record, SCHEMA)


def test_help_config_and_refusals_do_not_import_torch() -> None:
    code = (
        "import sys; from prepsweep.cli import train\n"
        "try: rc = train(sys.argv[1:])\nexcept SystemExit as stop: rc = stop.code\n"
        "heavy = [m for m in ('torch', 'transformers', 'pytorch_lightning', 'wandb') if m in sys.modules]\n"
        "assert not heavy, heavy\nsys.exit(rc)"
    )
    for arguments, expected in ((["--help"], 0), (["--cfg", "job"], 0), (["augment=synonim"], 2), (["model.batch_size=0"], 2)):
        ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert ran.returncode == expected, ran.stderr
