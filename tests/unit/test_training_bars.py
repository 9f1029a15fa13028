"""What a terminal shows during training: all steps of the run, the last loss and dev score; nothing where it is no terminal."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from prepsweep.best_model import BestModel
from prepsweep.module import FineTuning
from prepsweep.tasks.losses import cross_entropy
from prepsweep.tasks.text_classification import TextClassification
from prepsweep.training_bars import TrainingBars


@pytest.fixture
def module(tiny_model: Path) -> FineTuning:
    task = TextClassification(["a", "b"], loss=cross_entropy)
    recipe = {"learning_rate": 0.1, "layer_decay": 1.0, "weight_decay": 0.0, "warmup_fraction": 0.1}
    return FineTuning(task.load_model(tiny_model), task, n_steps=7, **recipe)


def shown_by(module: FineTuning, *, is_terminal: bool) -> tuple[list[str], str]:
    """What stands in the bars after each event of a run of seven steps, and all that was written."""
    best = BestModel("macro_f1")
    written = io.StringIO()
    bars = TrainingBars(best, Console(file=written, force_terminal=is_terminal, width=120))
    trainer: Any = SimpleNamespace(max_steps=7, global_step=0, num_val_batches=[3], num_test_batches=[4])
    stand: list[str] = []

    def look() -> None:
        stand.append(" | ".join(f"{t.description} {t.completed:.0f}/{t.total:.0f} {t.fields['said']}".strip() for t in bars.progress.tasks))

    bars.on_train_start(trainer, module)
    look()
    trainer.global_step, module.loss_sum, module.n_losses = 3, 1.5, 3
    bars.on_train_batch_end(trainer, module, None, None, 0)
    look()
    bars.on_validation_start(trainer, module)
    bars.on_validation_batch_end()
    look()
    best.curve.append({"step": 3, "macro_f1": 0.8123})
    bars.on_validation_end(trainer, module)
    trainer.global_step, module.loss_sum, module.n_losses = 4, 0.25, 1
    bars.on_train_batch_end(trainer, module, None, None, 0)
    look()
    bars.on_train_end(trainer, module)
    look()
    bars.on_test_start(trainer, module)
    look()
    bars.on_test_end(trainer, module)
    assert not bars.progress.live.is_started
    return stand, written.getvalue()


def test_the_bars_count_the_steps_of_the_run_and_tell_loss_and_dev_score(module: FineTuning) -> None:
    stand, written = shown_by(module, is_terminal=True)
    assert stand == [
        "training 0/7",
        "training 3/7 loss 0.500",
        "training 3/7 loss 0.500 | dev 1/3",
        "training 4/7 loss 0.250  dev macro_f1 0.812",
        "",
        "test 0/4",
    ]
    assert "training" in written
    assert "7" in written


def test_where_there_is_no_terminal_nothing_is_written(module: FineTuning) -> None:
    assert shown_by(module, is_terminal=False)[1] == ""


def test_an_exception_takes_the_bars_away(module: FineTuning) -> None:
    bars = TrainingBars(BestModel("macro_f1"), Console(file=io.StringIO(), force_terminal=True))
    trainer: Any = SimpleNamespace(max_steps=7, global_step=0)
    bars.on_train_start(trainer, module)
    assert bars.progress.live.is_started
    bars.on_exception(trainer, module, KeyboardInterrupt())
    assert not bars.progress.live.is_started
