"""A run that is cut off anywhere goes on by the same command and ends as if nothing had happened, bit by bit."""

from __future__ import annotations

import csv
import multiprocessing
import os
import random
import signal
import threading
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from prepsweep.cli import train as train_command
from prepsweep.module import FineTuning
from prepsweep.training import train
from tests.conftest import compose
from tests.records import record_of

pytestmark = pytest.mark.usefixtures("one_thread")
# An epoch is 11 batches: the first of two validations is in the middle of one, the last step too.
QUICK = ["trainer=cpu", "trainer.precision=32-true", "budget=steps", "budget.steps=16", "budget.evaluations=2", "model.batch_size=8"]
QUICK += ["preprocess.tokenize.max_length=32", "logger=none", "data=csv", "balance=weighted_sampler", "model.learning_rate=1e-3"]


def facts(run_dir: Path) -> dict[str, Any]:
    """What must not depend on whether a run was cut off, nor on what ran beside it."""
    record = record_of(run_dir)
    assert record["status"] == "finished"
    assert not list(run_dir.glob("*checkpoint.pt*")), "a finished run needs no checkpoint"
    weights = {name: tensor.numpy().tobytes() for name, tensor in load_file(run_dir / "model" / "model.safetensors").items()}
    predictions = pq.read_table(run_dir / "predictions.parquet").to_pydict()
    return {"metrics": record["metrics"], "budget": record["budget"], "weights": weights, "predictions": predictions}


@pytest.fixture
def command(reviews_csv: Path, tiny_model: Path) -> list[str]:
    return [*QUICK, f"data.path={reviews_csv}", f"model.name={tiny_model}"]


def logged_steps(file: Path) -> list[int]:
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    return [int(row["step"]) for row in rows if row["train/loss"]]


def cut(monkeypatch: pytest.MonkeyPatch, hook: str, *, call: int, number: int) -> None:
    """Send this process a signal in a call of a hook of the module."""
    original, calls = getattr(FineTuning, hook), iter(range(1, 10**6))

    def hooked(module: FineTuning, *arguments: Any) -> Any:
        if next(calls) == call:
            os.kill(os.getpid(), number)
        return original(module, *arguments)

    monkeypatch.setattr(FineTuning, hook, hooked)


# By the number of parts of a batch: in two parts an epoch is 21 of them, and a step may be half done.
PLACES = {
    1: [
        ("training_step", 1, signal.SIGTERM),
        ("training_step", 5, signal.SIGUSR1),
        ("training_step", 8, signal.SIGTERM),  # a validation follows
        ("validation_step", 1, signal.SIGTERM),
        ("training_step", 11, signal.SIGUSR2),  # the last of an epoch
        ("training_step", 16, signal.SIGTERM),  # the last of all
        ("validation_step", 2, signal.SIGTERM),
        ("test_step", 1, signal.SIGTERM),
    ],
    2: [
        ("training_step", 1, signal.SIGTERM),
        ("training_step", 16, signal.SIGTERM),
        ("training_step", 20, signal.SIGTERM),
        ("training_step", 21, signal.SIGTERM),
    ],
}


@pytest.mark.parametrize("n_parts", PLACES)
def test_a_signal_anywhere_leaves_a_checkpoint_that_the_run_goes_on_from(
    n_parts: int, tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = compose(*command)
    train(cfg, run_dir=tmp_path / "whole", choices={}, n_parts=n_parts)
    whole = facts(tmp_path / "whole")
    for place in PLACES[n_parts]:
        hook, call, number = place
        run_dir = tmp_path / f"{hook}-{call}"
        before = signal.getsignal(number)
        with monkeypatch.context() as patch:
            cut(patch, hook, call=call, number=number)
            with pytest.raises(SystemExit) as stopped:
                train(cfg, run_dir=run_dir, choices={}, n_parts=n_parts)
        assert (stopped.value.code, record_of(run_dir)["status"]) == (75, "preempted"), place
        assert (run_dir / "checkpoint.pt").exists(), place
        assert signal.getsignal(number) == before, "the handlers of whoever called are back"
        train(cfg, run_dir=run_dir, choices={}, n_parts=n_parts)
        assert facts(run_dir) == whole, place
        assert record_of(run_dir)["cost"]["n_starts"] == 2


def test_the_same_seed_gives_the_same_weights_whatever_is_looked_at_in_between(tmp_path: Path, command: list[str]) -> None:
    found = []
    for name, more in (("often", ["budget.evaluations=16"]), ("again", ["budget.evaluations=16"]), ("seldom", ["budget.evaluations=1"])):
        train(compose(*command, *more), run_dir=tmp_path / name, choices={})
        found.append(facts(tmp_path / name))
    assert found[0] == found[1]
    often, _, seldom = (run["metrics"]["val_curve"] for run in found)
    assert fmean([look.pop("train_loss") for look in often]) == pytest.approx(seldom[-1].pop("train_loss"))
    assert often[-1] == seldom[-1], "a validation draws nothing that training draws"


def test_a_checkpoint_of_other_data_or_a_damaged_one_is_not_used(
    tmp_path: Path, command: list[str], reviews_csv: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    for reason in ("another data", "it is damaged"):
        with monkeypatch.context() as patch:
            cut(patch, "training_step", call=5, number=signal.SIGTERM)
            with pytest.raises(SystemExit):
                train(compose(*command), run_dir=run_dir, choices={})
        if reason == "another data":
            reviews_csv.write_text(reviews_csv.read_text() + "one more good film,fresh\n")
        else:
            (run_dir / "checkpoint.pt").write_bytes((run_dir / "checkpoint.pt").read_bytes()[:9999])
        train(compose(*command), run_dir=run_dir, choices={})
        assert f"checkpoint not used, the run starts anew: {run_dir / 'checkpoint.pt'}: {reason}" in capfd.readouterr().err
        assert record_of(run_dir)["cost"]["n_starts"] == 1


def test_the_same_command_goes_on_in_the_folder_of_the_run_that_was_cut_off(
    tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["logger=csv" if one == "logger=none" else one for one in command]
    with monkeypatch.context() as patch:
        cut(patch, "training_step", call=5, number=signal.SIGTERM)
        assert train_command(command) == 75
    (run_dir,) = (path.parent for path in tmp_path.glob("outputs/*/*/run.json"))
    assert record_of(run_dir)["status"] == "preempted"
    assert "preempted by SIGTERM; the same command goes on" in capfd.readouterr().err
    assert train_command([*command, "model.learning_rate=1e-4"]) == 0
    assert record_of(run_dir)["status"] == "preempted", "another run is no continuation"
    assert train_command(command) == 0
    error = capfd.readouterr().err
    assert f"continues the run that was cut off: {run_dir.relative_to(tmp_path)}" in error
    assert "continues after step 5: " in error
    assert record_of(run_dir)["status"] == "finished"
    before, after = (logged_steps(run_dir / folder / "metrics.csv") for folder in ("csv", "csv-2"))
    assert max(before) < 5 <= min(after), "what was logged before is still there, and the steps are counted on"
    assert train_command(command) == 0
    assert len(list(tmp_path.glob("outputs/*/*/run.json"))) == 3, "a finished run is begun anew"


def test_ctrl_c_ends_with_130_and_says_so_in_the_record(tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        cut(patch, "training_step", call=5, number=signal.SIGINT)
        assert train_command(command) == 130
    (run_dir,) = (path.parent for path in tmp_path.glob("outputs/*/*/run.json"))
    record = record_of(run_dir)
    assert (record["status"], record["error"]) == ("failed", {"type": "KeyboardInterrupt", "message": "interrupted by Ctrl-C"})


def test_a_loss_that_is_no_number_ends_the_run_within_the_step(
    tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    original = FineTuning.training_step
    given: list[list[int]] = []

    def poisoned(module: FineTuning, batch: Any, index: int) -> Any:
        given.append(batch["rows"].tolist())
        if len(given) == 10:
            batch["weights"] = batch["weights"] * float("nan")
        return original(module, batch, index)

    monkeypatch.setattr(FineTuning, "training_step", poisoned)
    assert train_command(command) == 1
    (run_dir,) = (path.parent for path in tmp_path.glob("outputs/*/*/run.json"))
    record = record_of(run_dir)
    assert (record["status"], record["error"]["type"], len(given)) == ("failed", "NotFinite", 10)
    message = record["error"]["message"]
    assert message.startswith("the loss of step 10 is nan, of the rows ")
    uids = message.partition(" rows ")[2].partition(". fix")[0].split(", ")
    assert len(uids) == len(given[-1])
    assert all(len(uid) == 24 for uid in uids)
    assert not (run_dir / "model").exists()
    assert capfd.readouterr().err.splitlines()[-1] == f"error: NotFinite: {message}"


def test_weights_that_are_no_numbers_are_never_the_best_model(tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from prepsweep.health import NotFinite

    original = FineTuning.on_train_batch_end

    def break_weights(module: FineTuning, *_: Any) -> None:
        if module.global_step == 16:
            next(module.parameters()).data.fill_(float("nan"))
        original(module, *_)

    monkeypatch.setattr(FineTuning, "on_train_batch_end", break_weights)
    with pytest.raises(
        NotFinite, match=r"after step 16 the model gives no finite logits for 12 rows of dev: \w{24}, .* and 2 more\. fix: "
    ):
        train(compose(*command), run_dir=tmp_path / "run", choices={})
    assert not (tmp_path / "run" / "model").exists()


def killed_at_random(overrides: list[str], folder: Path, run_dir: Path, after_steps: int, seconds: float) -> None:
    """Train in this process, which is killed `seconds` after it has begun so many steps."""
    os.chdir(folder)
    torch.set_num_threads(1)
    original, steps = FineTuning.training_step, iter(range(10**6))

    def counted(module: FineTuning, *arguments: Any) -> Any:
        if next(steps) == after_steps:
            threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return original(module, *arguments)

    FineTuning.training_step = counted  # type: ignore[method-assign]
    train(compose(*overrides), run_dir=run_dir, choices={})


@pytest.mark.parametrize("n_kills", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_kill_9_loses_only_what_came_after_the_last_checkpoint(n_kills: int, tmp_path: Path, command: list[str]) -> None:
    command = [*command, f"budget.steps={15 * n_kills}", f"budget.evaluations={n_kills}"]
    train(compose(*command), run_dir=tmp_path / "whole", choices={})
    command.append("trainer.checkpoint_seconds=1e-6")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["prepsweep.launch.preloaded"])
    rng, run_dir = random.Random(0), tmp_path / "run"
    for kill in range(n_kills + 1):
        # Within a step, a validation or the writing of a checkpoint; the last start is left alone.
        after_steps = rng.randrange(2, 12) if kill < n_kills else -1
        process = context.Process(target=killed_at_random, args=(command, tmp_path, run_dir, after_steps, rng.uniform(0, 0.02)))
        process.start()
        process.join()
        assert process.exitcode == (-signal.SIGKILL if kill < n_kills else 0)
    assert facts(run_dir) == facts(tmp_path / "whole")
    assert record_of(run_dir)["cost"]["n_starts"] == n_kills + 1


@pytest.mark.slow
def test_two_processes_stop_at_one_step_and_go_on(tmp_path: Path, command: list[str]) -> None:
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.precision=32-true", "trainer.checkpoint_seconds=0.2"]
    command = [*(one for one in command if not one.startswith("trainer")), *ddp, "budget.steps=300", "budget.evaluations=10"]

    def stop() -> None:
        while not list(tmp_path.glob("outputs/*/*/checkpoint.pt")):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    assert train_command(command) == 0
    (whole,) = (path.parent for path in tmp_path.glob("outputs/*/*/run.json"))
    threading.Thread(target=stop).start()
    assert train_command(command) == 75
    (run_dir,) = (path.parent for path in tmp_path.glob("outputs/*/*/checkpoint.pt"))
    assert record_of(run_dir)["status"] == "preempted"
    assert train_command(command) == 0
    assert facts(run_dir) == facts(whole)
