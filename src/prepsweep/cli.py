"""The commands: each checks first, imports what it needs last, and turns an error into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from prepsweep.cache import Cache
from prepsweep.choices import choices_of
from prepsweep.commands import descriptions
from prepsweep.errors import Refused, nearest
from prepsweep.preflight import Checked, check, register_resolvers

OK, FAILED, REFUSED, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


def train(argv: list[str] | None = None) -> int:
    """Run one training, or with `-m` a sweep, and return the exit code (docs/architecture.md lists them)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    register_resolvers()
    checked = Checked([], {})
    try:
        asked = get_args_parser().parse_args(arguments)
        only_shows = asked.help or asked.hydra_help or asked.cfg or asked.info or asked.shell_completion
        if not only_shows:
            if asked.multirun and not any(override.startswith("study=") for override in asked.overrides):
                arguments.append(f"study={datetime.now():%Y-%m-%d_%H-%M-%S}")
                asked.overrides.append(arguments[-1])
            checked = check(asked.overrides, multirun=asked.multirun)
        return _run_hydra(arguments, checked, sweep=asked.multirun)
    except Refused as error:
        return _say(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _run_hydra(arguments: list[str], checked: Checked, *, sweep: bool) -> int:
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    errors: list[Exception | SystemExit] = []

    @hydra.main(version_base="1.3", config_path="pkg://prepsweep.conf", config_name="config")
    def task(cfg: DictConfig) -> Any:
        try:
            return train_one(cfg, checked.caches[cfg.paths.cache_dir], choices_of(HydraConfig.get().overrides.task))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - recorded in run.json; a sweep goes on with its other runs
            errors.append(error)
            return None

    sys.argv[1:] = arguments
    task()
    if sweep and checked.runs:
        return _sweep_code(checked.runs)
    if errors and (wants_traceback or not isinstance(errors[0], Refused)):
        raise errors[0]
    for error in errors:
        _say(error)
    return REFUSED if errors else OK


def _sweep_code(runs: list[DictConfig]) -> int:
    """Exit code of a sweep by the records of its runs, whatever launched them; says which failed and why."""
    from prepsweep.record import plain_config, read_record, run_id

    study_dir = Path(runs[0].paths.multirun_dir) / str(runs[0].study)
    records = {name: read_record(study_dir / name) for name in dict.fromkeys(run_id(plain_config(cfg)) for cfg in runs)}
    ended = [record for record in records.values() if record]
    failed = [record for record in ended if record["status"] == "failed"]
    for record in failed:
        error = record["error"]
        print(f"failed: {study_dir / record['run_id']}: {error['type']}: {error['message']}", file=sys.stderr)
    print(f"{sum(record['status'] == 'finished' for record in ended)} of {len(records)} runs finished: {study_dir}", file=sys.stderr)
    return SOME_FAILED if failed else OK


def train_one(
    cfg: DictConfig, cache: Cache, choices: Mapping[str, Any], *, n_parts: int = 1, on_step: Callable[[int, int], None] | None = None
) -> float | None:
    """The run that Hydra has composed, see `training.train`; one of a study that is finished is not run again."""
    from prepsweep.planning import planned_keys
    from prepsweep.record import finished_before

    ran = HydraConfig.get()
    if cfg.study is not None and finished_before(Path(ran.runtime.output_dir), planned_keys(cfg)):
        print(f"finished before: {ran.runtime.output_dir}", file=sys.stderr)
        return None
    from prepsweep.ranks import n_ranks, train_on_ranks

    run_dir, overrides = Path(ran.runtime.output_dir), list(ran.overrides.task)
    if (n := n_ranks(cfg)) > 1:
        return train_on_ranks(cfg, run_dir=run_dir, choices=choices, overrides=overrides, n=n)
    from prepsweep.training import train as train_run

    return train_run(cfg, run_dir=run_dir, choices=choices, overrides=overrides, cache=cache, n_parts=n_parts, on_step=on_step)


def _say(error: BaseException) -> int:
    print(f"error: {error}" if isinstance(error, Refused) else f"error: {type(error).__name__}: {error}", file=sys.stderr)
    return REFUSED


def main(argv: list[str] | None = None) -> int:
    """The installed command `prepsweep COMMAND …`; only the command that is asked for is imported."""
    name, *arguments = list(sys.argv[1:] if argv is None else argv) or [""]
    known = descriptions()
    if name in ("", "-h", "--help"):
        lines = [f"  {command:10} {description}" for command, description in known.items()]
        usage = ["usage: prepsweep COMMAND …", "", *lines, "", "prepsweep COMMAND --help tells more."]
        print("\n".join(usage), file=sys.stdout if name else sys.stderr)
        return OK if name else REFUSED
    try:
        if name not in known:
            raise Refused("command line", f"no command {name!r}", nearest(name, known))
        code: int = importlib.import_module(f"prepsweep.commands.{name}").main(arguments)
        sys.stdout.flush()
        return code
    except Refused as error:
        return _say(error)
    except BrokenPipeError:
        # Whoever read the rows (`| head`) has enough; without this Python complains again while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
