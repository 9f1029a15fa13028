"""Averaged weights, early stopping, R-Drop and adapters in whole runs: what they change, what they record, and being cut off."""

from __future__ import annotations

import signal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from prepsweep.averaging import WeightAverage
from prepsweep.best_model import BestModel
from prepsweep.errors import Refused
from prepsweep.methods.saved import load_model
from prepsweep.module import FineTuning
from prepsweep.preflight.values import check_values
from prepsweep.terminal import show_run
from prepsweep.training import train
from tests.conftest import compose
from tests.integration.test_resume import QUICK, cut
from tests.records import record_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def command(reviews_csv: Path, tiny_model: Path) -> list[str]:
    return [*QUICK, f"data.path={reviews_csv}", f"model.name={tiny_model}", "budget.evaluations=8"]


def run(run_dir: Path, command: list[str], *overrides: str) -> dict[str, Any]:
    train(compose(*command, *overrides), run_dir=run_dir, choices={})
    return record_of(run_dir)


def looks_score(monkeypatch: pytest.MonkeyPatch, scores: list[float]) -> None:
    """Have each validation in turn score so, whatever the model."""
    original = FineTuning.on_validation_epoch_end

    def scored(module: FineTuning) -> None:
        original(module)
        n_looks = next(c for c in module.trainer.callbacks if isinstance(c, BestModel)).curve  # type: ignore[attr-defined]
        module.scores["macro_f1"] = scores[len(n_looks)]

    monkeypatch.setattr(FineTuning, "on_validation_epoch_end", scored)


def test_patience_ends_a_run_after_so_many_looks_without_a_better_score(
    tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks_score(monkeypatch, [0.5, 0.6, 0.6, 0.4, 0.7, 0.8, 0.9, 0.95])
    record = run(tmp_path / "two", command, "budget.patience=2")
    assert (record["budget"]["steps"], record["budget"]["planned_steps"]) == (8, 16), "a score that is equal is no better"
    assert [look["step"] for look in record["metrics"]["val_curve"]] == [2, 4, 6, 8]
    assert record["metrics"]["val"]["step"] == 4
    assert record["budget"]["examples_seen"] == 64
    shown = StringIO()
    show_run(record, report="", run_dir=tmp_path, console=Console(file=shown, width=200))
    assert "8 steps" in shown.getvalue()
    assert "stopped early of 16 steps" in shown.getvalue()
    record = run(tmp_path / "three", command, "budget.patience=3")
    assert (record["budget"]["steps"], record["metrics"]["val"]["step"]) == (16, 16)


def test_a_run_that_is_cut_off_at_the_look_that_ends_it_ends_there(
    tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks_score(monkeypatch, [0.6, 0.5, 0.4, 0.9, 0.9, 0.9, 0.9, 0.9])
    original = BestModel.on_validation_end

    def signalled(best: BestModel, *arguments: Any) -> None:
        original(best, *arguments)
        if len(best.curve) == 3:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(BestModel, "on_validation_end", signalled)
        with pytest.raises(SystemExit):
            run(tmp_path / "run", command, "budget.patience=2")
    assert run(tmp_path / "run", command, "budget.patience=2")["budget"]["steps"] == 6


def test_the_mean_is_of_the_last_looks_and_taken_only_where_it_is_better(
    tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[dict[str, Any]] = []
    original = FineTuning.on_validation_epoch_end

    def kept(module: FineTuning) -> None:
        original(module)
        module.scores["macro_f1"] = scores[len(states)]
        states.append({name: tensor.clone() for name, tensor in module.model.state_dict().items()})

    monkeypatch.setattr(FineTuning, "on_validation_epoch_end", kept)
    for name, of_mean, is_taken in (("better", 0.9, True), ("equal", 0.8, False)):
        states.clear()
        scores = [0.5, 0.8, 0.6, 0.7, 0.7, 0.7, 0.7, 0.7, of_mean]
        record = run(tmp_path / name, command, "model.average_last=3")
        assert len(states) == 9
        assert len(record["metrics"]["val_curve"]) == 8, "the mean is no point of the curve"
        assert record["metrics"]["val"].get("n_averaged") == (3 if is_taken else None)
        assert record["metrics"]["val"]["step"] == (16 if is_taken else 4)
        saved = load_model(tmp_path / name / "model").state_dict()
        for key, tensor in saved.items():
            mean = torch.stack([state[key].float() for state in states[5:8]]).mean(dim=0)
            torch.testing.assert_close(states[8][key].float(), mean)
            torch.testing.assert_close(tensor, states[8][key] if is_taken else states[1][key])


def test_averaging_goes_on_where_it_was_cut_off(tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    options = [*command, "model.average_last=3"]
    whole = run(tmp_path / "whole", options)
    weights = load_model(tmp_path / "whole" / "model").state_dict()
    n_dev_batches = 1
    # In the seventh of eight looks, and in the look at the mean.
    for call in (7 * n_dev_batches, 9 * n_dev_batches):
        run_dir = tmp_path / str(call)
        with monkeypatch.context() as patch:
            cut(patch, "validation_step", call=call, number=signal.SIGTERM)
            with pytest.raises(SystemExit):
                run(run_dir, options)
        again = run(run_dir, options)
        assert (again["metrics"], again["budget"]) == (whole["metrics"], whole["budget"])
        for name, tensor in load_model(run_dir / "model").state_dict().items():
            assert torch.equal(tensor, weights[name]), name


def test_nothing_is_kept_where_nothing_is_averaged(tiny_model: Path) -> None:
    average = WeightAverage(BestModel("macro_f1"), 1)
    average.on_validation_end(None, None)  # type: ignore[arg-type]
    assert average.looks == []


@pytest.mark.parametrize("n_parts", [1, 2])
def test_bfloat16_learns_what_float32_learns(n_parts: int, tmp_path: Path, command: list[str]) -> None:
    """What `trainer.precision=auto` takes on every GPU, gradients clipped as by default."""
    looks = {}
    for precision in ("32-true", "bf16-mixed"):
        run_dir = tmp_path / precision
        train(compose(*command, f"trainer.precision={precision}"), run_dir=run_dir, choices={}, n_parts=n_parts)
        record = record_of(run_dir)
        assert record["cost"]["precision"] == precision
        looks[precision] = [look["train_loss"] for look in record["metrics"]["val_curve"]]
    assert looks["bf16-mixed"] == pytest.approx(looks["32-true"], rel=0.05)
    assert looks["bf16-mixed"] != looks["32-true"]


def test_rows_of_more_tokens_than_the_model_has_places_for_are_refused(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("text,label\n" + "".join(f"{'dull ' * (70 if row == 9 else row)}{row},{'ab'[row % 2]}\n" for row in range(40)))
    options = [*QUICK, f"data.path={path}", f"model.name={tiny_model}"]
    expected = r"max_length: .* reads at most 64 tokens at once, and there are rows of 7\d. fix: set preprocess.tokenize.max_length=64"
    with pytest.raises(Refused, match=expected):
        run(tmp_path / "whole", options, "preprocess.tokenize.max_length=80")
    run(tmp_path / "cut", options, "preprocess.tokenize.max_length=64")


def test_r_drop_counts_both_passes_and_changes_what_is_learned(tmp_path: Path, command: list[str]) -> None:
    plain, dropped = (run(tmp_path / str(r_drop), command, f"task.r_drop={r_drop}") for r_drop in (0, 5))
    assert dropped["budget"]["tokens_computed"] == 2 * plain["budget"]["tokens_computed"]
    for name in ("steps", "examples_seen", "tokens_seen", "real_token_fraction"):
        assert dropped["budget"][name] == plain["budget"][name]
    assert dropped["metrics"]["test"]["loss"] != plain["metrics"]["test"]["loss"]


def test_adapters_train_few_parameters_and_their_folder_predicts_as_the_run_did(tmp_path: Path, command: list[str]) -> None:
    record = run(tmp_path, command, "method=adapter", "method.size=4", "model.average_last=2")
    trained, all_ = (record["budget"][name] for name in ("trained_parameters", "parameters"))
    model = load_model(tmp_path / "model")
    assert trained < all_ == sum(parameter.numel() for parameter in model.parameters())
    assert set(model.config.id2label.values()) == set(record["data"]["classes"])
    shown = StringIO()
    show_run(record, report="", run_dir=tmp_path, console=Console(file=shown, width=200))
    assert f"{trained / all_:.2%} of {all_:,} parameters trained" in shown.getvalue()


@pytest.mark.parametrize(
    "override",
    [
        "budget.patience=0",
        "budget.patience=1.5",
        "model.average_last=0",
        "model.average_last=null",
        "model.average_last=3",
        "model.layer_decay=1.01",
    ],
)
def test_values_that_cannot_be_meant_are_refused(override: str) -> None:
    with pytest.raises(Refused) as refused:
        check_values(compose(override))
    assert refused.value.where == override.partition("=")[0]


def test_the_stable_recipe_is_that_of_the_paper() -> None:
    cfg = compose("experiment=stable_finetune")
    assert (cfg.model.learning_rate, cfg.model.warmup_fraction, cfg.budget.epochs, cfg.model.batch_size) == (2e-5, 0.1, 20, 16)
    check_values(cfg)
