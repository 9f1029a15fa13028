"""What a terminal shows while a model is trained: one bar over all steps of the run, and one over each look at dev and test."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from prepsweep.best_model import BestModel
from prepsweep.module import FineTuning
from prepsweep.ranks import rank


class TrainingBars(pl.Callback):
    """Bars on stderr where it is a terminal, gone when done; of several processes the first has them.

    Lightning's own count the batches of an epoch, which in a run of so many steps has no number that means anything.
    Beside the steps stand the mean loss since the last look at dev, as the module has it, and what `best` knows of that look.
    """

    def __init__(self, best: BestModel, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self.progress = Progress(
            *columns, TextColumn("{task.fields[said]}"), console=console, transient=True, disable=not console.is_terminal or rank() > 0
        )
        self.best = best
        self.steps: TaskID
        self.rows: TaskID

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.steps = self._begin("training", trainer.max_steps, completed=trainer.global_step)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        assert isinstance(pl_module, FineTuning)
        looks = self.best.curve
        dev = f"  dev {self.best.monitor} {looks[-1][self.best.monitor]:.3f}" if looks else ""
        mean = pl_module.loss_sum / (pl_module.n_losses or 1)
        self.progress.update(self.steps, completed=trainer.global_step, said=f"loss {mean:.3f}{dev}")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end(self.steps)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.rows = self._begin("dev", sum(map(int, trainer.num_val_batches)))

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.rows = self._begin("test", sum(map(int, trainer.num_test_batches)))

    def on_validation_batch_end(self, *_: Any) -> None:
        self._advance()

    def on_test_batch_end(self, *_: Any) -> None:
        self._advance()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end(self.rows)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end(self.rows)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.progress.stop()

    def _begin(self, description: str, total: int, *, completed: int = 0) -> TaskID:
        self.progress.start()
        return self.progress.add_task(description, total=total, completed=completed, said="")

    def _advance(self) -> None:
        self.progress.advance(self.rows)

    def _end(self, task: TaskID) -> None:
        self.progress.remove_task(task)
        if not self.progress.tasks:
            self.progress.stop()
