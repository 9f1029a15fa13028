"""A run under a launcher of others (joblib, Ray, Slurm): in a fresh process of its own, whatever that launcher reuses.

joblib and Ray give one worker process many jobs, and what a run leaves in it (a CUDA context, an open W&B run, seeds)
would be the next one's. So a worker only starts the process of a run, from its frozen configuration, and waits for it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from prepsweep.cache import Cache
from prepsweep.choices import choices_of
from prepsweep.continuing import mark_ended
from prepsweep.launch.child import OUT_OF_MEMORY, exit_with
from prepsweep.launch.scheduler import MOST_ATTEMPTS, Outcome
from prepsweep.monitors import monitored
from prepsweep.preemption import GRACE_SECONDS, SIGNALS, end_with_starter, preemptible
from prepsweep.preflight.resolvers import register_resolvers
from prepsweep.record import plain_config, read_record

if TYPE_CHECKING:
    from torch import Tensor

_FROZEN = "frozen.json"
LOSSES_FILE = "losses.json"


class FreshProcess:
    """Hydra's task function: the validation score of the run, trained in a process of its own; NaN for one that failed."""

    def __init__(self) -> None:
        self.folder = str(Path.cwd())

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A worker unpickles this before it composes: `${run_id:}` must be known there, and paths mean what they meant here.
        self.__dict__.update(state)
        os.chdir(self.folder)
        register_resolvers()

    def __call__(self, cfg: DictConfig) -> float:
        from prepsweep.cli import said_finished_before

        run_dir, overrides = Path(HydraConfig.get().runtime.output_dir), list(HydraConfig.get().overrides.task)
        if not said_finished_before(cfg, run_dir):
            run_apart(run_dir, plain_config(cfg), choices=choices_of(overrides), overrides=overrides)
        return score_of(run_dir)


def run_apart(
    run_dir: Path,
    config: dict[str, Any],
    *,
    choices: Mapping[str, Any],
    overrides: list[str],
    environment: Mapping[str, str] | None = None,
    keep_losses: bool = False,
) -> None:
    """Run `config` in `run_dir`, in a fresh process; its record tells how it ended, whatever happens.

    `environment` is set besides what is set here. With `keep_losses` the loss of each step is left in `LOSSES_FILE`.
    """
    frozen = run_dir / _FROZEN
    values = {"config": config, "choices": choices, "overrides": overrides, "keep_losses": keep_losses}
    frozen.write_text(json.dumps(values), encoding="utf-8")
    earlier = read_record(run_dir)
    try:
        outcome = _run(run_dir, {**os.environ, **(environment or {})})
    finally:
        frozen.unlink(missing_ok=True)
    if outcome.failed:
        mark_ended(run_dir, config, earlier=earlier, choices=choices, overrides=overrides, reason=str(outcome))


def score_of(run_dir: Path) -> float:
    """Validation score of a finished run, NaN for any other: a sweeper that searches takes that as no score."""
    record = read_record(run_dir)
    return monitored(record, "val")[1] if record and record["status"] == "finished" else float("nan")


def _run(run_dir: Path, environment: dict[str, str]) -> Outcome:
    """How the process of a run ended; one that found too little GPU memory is started again with half of a batch at a time."""
    started, outcome = time.monotonic(), Outcome(OUT_OF_MEMORY, 0.0)
    for attempt in range(MOST_ATTEMPTS):
        if outcome.code == OUT_OF_MEMORY:
            outcome = Outcome(_code_of(run_dir, environment, attempt), time.monotonic() - started)
    return outcome


def _code_of(run_dir: Path, environment: dict[str, str], attempt: int) -> int:
    command = [sys.executable, "-m", "prepsweep.launch.fresh", str(run_dir), str(attempt)]
    with (run_dir / "train.log").open("ab") as log:
        # The pipe is never written to: its end tells the process that the worker is gone.
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": log, "stderr": log}
        child = subprocess.Popen(command, env=environment, **pipes)  # noqa: S603 - this interpreter, our module
    try:
        with _signals_passed_on(child):
            return child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        assert child.stdin is not None
        child.stdin.close()


@contextmanager
def _signals_passed_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ask the run to save and end when a signal comes; only then does whoever listened before (submitit, to requeue) hear of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def ask(number: int, _: object) -> None:
        came.append(number)
        child.terminate()

    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield
    finally:
        for listened, handler in before.items():
            signal.signal(listened, handler)
    if came:
        signal.raise_signal(came[0])


def _train(run_dir: Path, *, attempt: int) -> None:
    from prepsweep.cli import train_in

    frozen = json.loads((run_dir / _FROZEN).read_bytes())
    cfg = OmegaConf.create(frozen["config"])
    register_resolvers()
    losses: list[Tensor] = []

    def keep(_done: int, _total: int, loss: Tensor) -> None:
        losses.append(loss)

    train_in(
        run_dir,
        cfg,
        Cache(Path(cfg.paths.cache_dir)),
        frozen["choices"],
        overrides=frozen["overrides"],
        n_parts=2**attempt,
        on_step=keep if frozen["keep_losses"] else None,
    )
    if frozen["keep_losses"]:
        (run_dir / LOSSES_FILE).write_text(json.dumps([float(loss) for loss in losses]), encoding="utf-8")


def _main(run_dir: str, attempt: str) -> None:
    # As in `child.run_child`: the worker answers Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_starter()
    try:
        with preemptible():
            _train(Path(run_dir), attempt=int(attempt))
    except BaseException as error:  # noqa: BLE001 - the process ends here, and says how in its log and exit code
        exit_with(error)


if __name__ == "__main__":
    _main(*sys.argv[1:])
