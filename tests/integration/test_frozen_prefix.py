"""Runs with frozen layers: states are computed by the first alone, and scores are those of a run without them."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from prepsweep import training
from tests.conftest import compose
from tests.integration.test_resume import cut, facts
from tests.integration.test_train import run

QUICK = ["trainer.precision=32-true", "logger=none", "budget=epochs", "budget.epochs=2", "model.batch_size=8", "model.learning_rate=3e-3"]
LAST = ["method=last_layers", "method.n_layers=1"]


def outcome(tmp_path: Path, *given: Any) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """The record of a run, its predictions and the weights that it saved."""
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    record = run(tmp_path, *given, *QUICK)
    predictions = pq.read_table(tmp_path / "run" / "predictions.parquet").drop_columns(["prediction"])
    return record, predictions, load_file(tmp_path / "run" / "model" / "model.safetensors")


@pytest.mark.parametrize("method", [LAST, ["method=head"]], ids=["last_layers", "head"])
def test_the_second_run_computes_no_state_and_both_score_as_without_any(
    method: list[str], tmp_path: Path, reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (outcome(tmp_path, reviews_csv, tiny_model, *method) for _ in range(2))
    made, found = (one[0]["cost"]["frozen_prefix"] for one in (first, second))
    assert made["computed"] == made["windows"] > 100
    assert found["computed"] == 0
    assert (first[0]["metrics"], first[1]) == (second[0]["metrics"], second[1])
    assert all(torch.equal(first[2][name], tensor) for name, tensor in second[2].items())
    other_seed = outcome(tmp_path, reviews_csv, tiny_model, *method, "seeds.model=1")
    assert other_seed[0]["cost"]["frozen_prefix"]["computed"] == 0

    monkeypatch.setattr(training, "read_states", lambda *_, **__: {})
    record, predictions, weights = outcome(tmp_path, reviews_csv, tiny_model, *method)
    assert "frozen_prefix" not in record["cost"]
    assert record["budget"] == first[0]["budget"]
    for name, tensor in weights.items():
        torch.testing.assert_close(first[2][name], tensor, rtol=0.05, atol=3e-3)
    for name in [name for name in predictions.column_names if name.startswith("p_")]:
        ours, expected = (torch.tensor(one.column(name).to_pylist()) for one in (first[1], predictions))
        torch.testing.assert_close(ours, expected, rtol=0, atol=0.01)


def test_what_is_saved_is_the_whole_model_with_its_frozen_weights(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    _, _, weights = outcome(tmp_path, reviews_csv, tiny_model, *LAST)
    start = load_file(tiny_model / "model.safetensors")
    assert weights.keys() == start.keys()
    same = {name for name, tensor in weights.items() if torch.equal(tensor, start[name])}
    assert {name for name in start if "embeddings" in name or "layer.0." in name} == same
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "model")


def test_mixup_computes_the_frozen_layers(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    record, _, _ = outcome(tmp_path, reviews_csv, tiny_model, *LAST, "augment=mixup")
    assert "frozen_prefix" not in record["cost"]


def test_windows_of_long_texts_have_states(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> None:
    windows = ["preprocess.tokenize.max_length=16", "preprocess.tokenize.truncation=window", "preprocess.tokenize.stride=4"]
    record, _, _ = outcome(tmp_path, reviews_csv, tiny_model, *LAST, *windows)
    assert record["cost"]["frozen_prefix"]["windows"] > 120


def test_a_run_that_was_cut_off_goes_on_from_stored_states_bit_by_bit(
    tmp_path: Path, reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = compose("data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "trainer=cpu", *QUICK, *LAST)
    training.train(cfg, run_dir=tmp_path / "whole", choices={})
    with monkeypatch.context() as patch:
        cut(patch, "training_step", call=5, number=signal.SIGTERM)
        with pytest.raises(SystemExit):
            training.train(cfg, run_dir=tmp_path / "cut", choices={})
    training.train(cfg, run_dir=tmp_path / "cut", choices={})
    assert facts(tmp_path / "cut") == facts(tmp_path / "whole")


def test_the_probe_freezes_all_layers_and_leaves_other_methods_their_say() -> None:
    probe = compose("model=minilm_probe")
    assert probe.method._target_ == "prepsweep.methods.freezing.head"
    assert probe.model.name == compose().model.name
    assert compose("model=minilm_probe", "method=last_layers").method.n_layers == 2
    assert compose("method=head").model.learning_rate < probe.model.learning_rate
