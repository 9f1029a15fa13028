"""One run in two processes: the same rows, each once, and the scores that one process computes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from prepsweep.cache import Cache
from prepsweep.cli import train, train_in
from prepsweep.ranks import _ended, _run_rank
from prepsweep.schema import source_uids
from tests.conftest import compose, make_reviews


def test_two_processes_train_one_model_and_score_each_test_row_once(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "logger=[wandb,csv]", "budget=epochs", "budget.epochs=1"]
    code = train(["data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "preprocess.tokenize.max_length=32", *ddp])
    assert code == 0
    (run_dir,) = (path.parent for path in tmp_path.glob("outputs/*/*/run.json"))
    record = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    assert (record["status"], record["cost"]["n_devices"]) == ("finished", 2)
    assert record["budget"]["examples_seen"] >= record["data"]["splits"]["train"]["rows"]
    assert len(list(tmp_path.glob("**/offline-run-*"))) == 1, "one W&B run, whatever the number of processes"

    predictions = pq.read_table(run_dir / "predictions.parquet").to_pydict()
    assert len(set(predictions["uid"])) == len(predictions["uid"]) == record["data"]["splits"]["test"]["rows"]
    right = np.mean(np.array(predictions["prediction"]) == np.array(predictions["label"]))
    assert record["metrics"]["test"]["accuracy"] == right

    model = AutoModelForSequenceClassification.from_pretrained(run_dir / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(run_dir / "model")
    row = int(np.argmin(predictions["p_fresh"]))
    text = next(text for text in _texts(reviews_csv) if _uid_of(text) == predictions["uid"][row])
    with torch.no_grad():
        p = model(**tokenizer(text, truncation=True, max_length=32, return_tensors="pt")).logits.softmax(-1)[0]
    assert abs(float(p[model.config.label2id["fresh"]]) - predictions["p_fresh"][row]) < 1e-5


def test_draws_and_windows_in_two_processes(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "logger=none", "budget.epochs=1", "model.batch_size=8"]
    windows = ["preprocess.tokenize.max_length=16", "preprocess.tokenize.truncation=window", "preprocess.tokenize.stride=4"]
    overrides = ["data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "balance=[weighted_sampler,focal]", *windows, *ddp]
    assert train(overrides) == 0
    (run_dir,) = (path.parent for path in tmp_path.glob("outputs/*/*/run.json"))
    record = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    assert record["choices"]["balance"] == ["weighted_sampler", "focal"]
    rows = record["data"]["splits"]["train"]["rows"]
    assert record["budget"]["examples_seen"] == rows == 84, "an epoch of draws is as large as one of rows, in all processes together"
    assert record["data"]["stages"][-1]["facts"]["n_windows"] > record["data"]["stages"][-1]["rows_out"]
    predictions = pq.read_table(run_dir / "predictions.parquet").to_pydict()
    assert len(set(predictions["uid"])) == len(predictions["uid"]) == record["data"]["splits"]["test"]["rows"]
    right = np.mean(np.array(predictions["prediction"]) == np.array(predictions["label"]))
    assert record["metrics"]["test"]["accuracy"] == right


def test_each_process_is_told_in_how_many_parts_to_compute_its_share(
    tmp_path: Path, reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    def here(command: list[str], **_: object) -> object:
        _run_rank(Path(command[-1]))
        raise InterruptedError("told")

    monkeypatch.setattr("prepsweep.ranks.subprocess.Popen", here)
    monkeypatch.setattr("prepsweep.training.train", lambda _, *, n_parts, **given: told.append(n_parts))
    cfg = compose("data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "trainer=ddp", "trainer.devices=2")
    with pytest.raises(InterruptedError):
        train_in(tmp_path / "run", cfg, Cache(tmp_path / "cache"), {}, overrides=[], n_parts=4)
    assert told == [4]


def test_a_process_that_fails_is_not_waited_for_by_the_others() -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    failing = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    started = time.monotonic()
    try:
        assert _ended([sleeper, failing]) == [0, 7]
        assert time.monotonic() - started < 30
    finally:
        sleeper.kill()
        sleeper.wait()


def _texts(path: Path) -> list[str]:
    return [line.rpartition(",")[0].strip('"') for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def _uid_of(text: str) -> str:

    labels = dict(make_reviews(120))
    (uid,) = source_uids([(text, labels[text], "")])
    return uid
