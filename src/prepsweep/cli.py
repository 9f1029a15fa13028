"""The commands: each checks first, imports what it needs last, and turns an error into one line and an exit code."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig

from prepsweep.cache import Cache
from prepsweep.errors import Refused
from prepsweep.preflight import check, register_resolvers

OK, FAILED, REFUSED, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


def train(argv: list[str] | None = None) -> int:
    """Run one training, or with `-m` a sweep, and return the exit code (docs/architecture.md lists them)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    register_resolvers()
    caches: dict[str, Cache] = {}
    try:
        asked = get_args_parser().parse_args(arguments)
        only_shows = asked.help or asked.hydra_help or asked.cfg or asked.info or asked.shell_completion
        if not only_shows:
            if asked.multirun and not any(override.startswith("study=") for override in asked.overrides):
                arguments.append(f"study={datetime.now():%Y-%m-%d_%H-%M-%S}")
                asked.overrides.append(arguments[-1])
            caches = check(asked.overrides, multirun=asked.multirun)
        return _run_hydra(arguments, caches, sweep=asked.multirun)
    except Refused as error:
        return _say(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _run_hydra(arguments: list[str], caches: dict[str, Cache], *, sweep: bool) -> int:
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    errors: list[Exception | SystemExit] = []

    @hydra.main(version_base="1.3", config_path="pkg://prepsweep.conf", config_name="config")
    def task(cfg: DictConfig) -> Any:
        try:
            return _train_one(cfg, caches[cfg.paths.cache_dir])
        except (Exception, SystemExit) as error:  # noqa: BLE001 - recorded in run.json; a sweep goes on with its other runs
            errors.append(error)
            return None

    sys.argv[1:] = arguments
    task()
    if errors and (wants_traceback or not isinstance(errors[0], Refused)) and not sweep:
        raise errors[0]
    for error in errors:
        _say(error)
    if not errors:
        return OK
    return SOME_FAILED if sweep else REFUSED


def _train_one(cfg: DictConfig, cache: Cache) -> float | None:
    from hydra.core.hydra_config import HydraConfig

    from prepsweep.pipeline import planned_keys
    from prepsweep.record import finished_before

    ran = HydraConfig.get()
    if cfg.study is not None and finished_before(Path(ran.runtime.output_dir), planned_keys(cfg)):
        print(f"finished before: {ran.runtime.output_dir}", file=sys.stderr)
        return None
    from prepsweep.ranks import n_ranks, train_on_ranks

    choices = {group: option for group, option in ran.runtime.choices.items() if not group.startswith("hydra") and option is not None}
    run_dir, overrides = Path(ran.runtime.output_dir), list(ran.overrides.task)
    if (n := n_ranks(cfg)) > 1:
        return train_on_ranks(cfg, run_dir=run_dir, choices=choices, overrides=overrides, n=n)
    from prepsweep.training import train as train_run

    return train_run(cfg, run_dir=run_dir, choices=choices, overrides=overrides, cache=cache)


def _say(error: BaseException) -> int:
    print(f"error: {error}" if isinstance(error, Refused) else f"error: {type(error).__name__}: {error}", file=sys.stderr)
    return REFUSED


def main() -> int:
    """The installed command `prepsweep COMMAND …`."""
    commands = {"train": train}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        print(f"usage: prepsweep {{{','.join(commands)}}} …", file=sys.stderr)
        return REFUSED
    return commands[sys.argv[1]](sys.argv[2:])
