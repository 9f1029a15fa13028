"""Training on several devices: one fresh process each, started from the frozen configuration of the run.

Lightning's own starter runs the user's command line again, which fails under Hydra's `-m` (Lightning #11300). Here a
rank is told its number by the environment variables that Lightning reads, and its configuration by a file.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from prepsweep.cache import Cache
from prepsweep.monitors import monitored
from prepsweep.pipeline import prepare
from prepsweep.preemption import GRACE_SECONDS, PREEMPTED, Preempted, end_with_starter, preemptible
from prepsweep.record import RECORD_FILE, plain_config

_FROZEN = "ranks.json"
_LOOK_SECONDS = 0.05


def n_ranks(cfg: DictConfig) -> int:
    """Processes that `cfg.trainer` asks for: 1 unless its strategy is ddp and there is more than one device."""
    if cfg.trainer.strategy != "ddp":
        return 1
    if cfg.trainer.devices != "auto":
        return int(cfg.trainer.devices)
    import torch

    return max(1, torch.cuda.device_count())


def rank() -> int:
    """Number of this process among those of its run; 0 for a run in one process."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def train_on_ranks(cfg: DictConfig, *, run_dir: Path, choices: Mapping[str, Any], overrides: Sequence[str], n: int, n_parts: int) -> float:
    """Prepare once, train in `n` processes, and return the best validation score; the first that fails ends the others.

    Each computes its share of a batch in `n_parts`.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    prepare(cfg, Cache(Path(cfg.paths.cache_dir)))
    config = plain_config(cfg)
    config["trainer"]["devices"] = n
    frozen = run_dir / _FROZEN
    given = {"config": config, "choices": dict(choices), "overrides": list(overrides), "n_parts": n_parts}
    frozen.write_text(json.dumps(given), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(n), "NODE_RANK": "0"}
    command = [sys.executable, "-m", "prepsweep.ranks", str(run_dir)]
    # Nothing is written to the pipes: their end tells the processes that this one is gone.
    children = [subprocess.Popen(command, env=shared | {"LOCAL_RANK": str(i)}, stdin=subprocess.PIPE) for i in range(n)]  # noqa: S603
    try:
        codes = _ended(children)
    finally:
        _end(children)
        frozen.unlink(missing_ok=True)
    if PREEMPTED in codes:
        raise Preempted("a signal to one of its processes")
    record = json.loads((run_dir / RECORD_FILE).read_bytes())
    if any(codes):
        raise RuntimeError(
            f"a process of {n} ended with exit code {next(filter(None, codes))} ({record['error'] or 'see its message above'})"
        )
    return monitored(record, "val")[1]


def _ended(children: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Exit codes so far, once all have ended or one has failed: the others would wait for it in a collective call."""
    while True:
        codes = [child.poll() for child in children]
        if None not in codes or any(codes):
            return [code or 0 for code in codes]
        time.sleep(_LOOK_SECONDS)


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask what still runs to end, which lets it save where it is, and after a while make it."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()


def _run_rank(run_dir: Path) -> None:
    from prepsweep.training import train

    frozen = json.loads((run_dir / _FROZEN).read_bytes())
    cfg = OmegaConf.create(frozen["config"])
    train(cfg, run_dir=run_dir, choices=frozen["choices"], overrides=frozen["overrides"], n_parts=frozen["n_parts"])


if __name__ == "__main__":
    end_with_starter()
    with preemptible():
        _run_rank(Path(sys.argv[1]))
