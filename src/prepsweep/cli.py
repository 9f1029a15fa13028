"""The commands: each checks first, imports what it needs last, and turns an error into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from prepsweep.cache import Cache
from prepsweep.choices import choices_of
from prepsweep.commands import descriptions
from prepsweep.determinism import CHECK_DETERMINISM, is_deterministic
from prepsweep.errors import Refused, nearest
from prepsweep.health import NotFinite
from prepsweep.launch.fresh import FreshProcess
from prepsweep.launch.memory import within_memory
from prepsweep.preemption import PREEMPTED, Preempted, preemptible
from prepsweep.preflight import Checked, check, check_configurations
from prepsweep.preflight.collected import further_errors
from prepsweep.preflight.compose import check_shown, study_in_files
from prepsweep.preflight.doors import overrides_of
from prepsweep.preflight.help import help_text
from prepsweep.preflight.resolvers import register_resolvers
from prepsweep.preflight.runs import handed_over, study_dir
from prepsweep.progress import waiting

if TYPE_CHECKING:
    from prepsweep.step_count import OnStep

OK, FAILED, REFUSED, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130
PLAN, _PLAN_ONLY = "--plan", "hydra.launcher.plan_only=true"


def train(argv: list[str] | None = None) -> int:
    """Run one training, or with `-m` a sweep, and return the exit code (docs/architecture.md lists them)."""
    try:
        with preemptible():
            return _train(list(sys.argv[1:] if argv is None else argv))
    except Preempted as stop:
        print(f"{stop}; the same command goes on", file=sys.stderr)
        return PREEMPTED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _train(arguments: list[str]) -> int:
    register_resolvers()
    checked = Checked([], {})
    try:
        parser = get_args_parser()
        parser.add_argument(CHECK_DETERMINISM, action="store_true")
        parser.add_argument(PLAN, action="store_true")
        asked, unknown = parser.parse_known_args(arguments)
        if unknown:
            raise Refused("command line", f"unknown argument {unknown[0]}", "options of Hydra go first, then overrides as key=value")
        overrides = overrides_of(asked)
        if asked.check_determinism and asked.multirun:
            raise Refused(CHECK_DETERMINISM, "checks one run, not a sweep", "leave -m out")
        if asked.plan:
            if not asked.multirun:
                raise Refused(PLAN, "prints the plan of a sweep, and this is one run", "add -m, or see --cfg job for its values")
            arguments, overrides = [one for one in arguments if one != PLAN] + [_PLAN_ONLY], [*overrides, _PLAN_ONLY]
        if asked.help:
            print(help_text(overrides, multirun=asked.multirun), flush=True)
            return OK
        if asked.hydra_help or asked.cfg or asked.info or asked.shell_completion:
            if overrides and not asked.shell_completion:
                check_shown(overrides)
        else:
            try:
                named = _study_of_now(overrides) if asked.multirun else []
                arguments, overrides = arguments + named, overrides + named
                checked = check(overrides, multirun=asked.multirun, keep=not asked.check_determinism)
            except Refused as error:
                return _say(*further_errors(error, overrides, partial(check_configurations, multirun=asked.multirun)))
            if asked.check_determinism:
                return OK if is_deterministic(checked.runs[0].config) else FAILED
            if not asked.multirun:
                arguments += _folder_to_continue(overrides, checked)
        return _run_hydra(arguments, checked, sweep=asked.multirun)
    except Refused as error:
        return _say(error)
    except BrokenPipeError:
        if not asked.help:
            raise
        return _read_enough()


def _study_of_now(overrides: list[str]) -> list[str]:
    """The override that calls a sweep by the time; none where the command line or an experiment names its study."""
    if any(re.match(r"\+*study=(?!null$)", override) for override in overrides) or study_in_files(overrides) is not None:
        return []
    return [f"study={datetime.now():%Y-%m-%d_%H-%M-%S}"]


def _folder_to_continue(overrides: list[str], checked: Checked) -> list[str]:
    """The override that makes a single run go on in the folder of one that was cut off; none where there is none such."""
    from prepsweep.continuing import run_to_continue

    if any(override.startswith("hydra.run.dir=") for override in overrides):
        return []
    run = checked.runs[0]
    run_dir = run_to_continue(Path(run.config["paths"]["output_dir"]), run.run_id)
    if run_dir is None:
        return []
    print(f"continues the run that was cut off: {run_dir}", file=sys.stderr)
    quoted = str(run_dir).replace("'", r"\'")
    return [f"hydra.run.dir='{quoted}'"]


def _run_hydra(arguments: list[str], checked: Checked, *, sweep: bool) -> int:
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    errors: list[Exception | SystemExit] = []

    def task(cfg: DictConfig) -> Any:
        try:
            choices = choices_of(HydraConfig.get().overrides.task)
            return within_memory(lambda n: train_one(cfg, checked.caches[cfg.paths.cache_dir], choices, n_parts=n))
        except Preempted:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - recorded in run.json and told below
            errors.append(error)
            return None

    if sweep and not checked.searches:
        arguments = [*arguments, "hydra/sweeper=checked"]
    sys.argv[1:] = arguments
    start = hydra.main(version_base="1.3", config_path="pkg://prepsweep.conf", config_name="config")
    if sweep and checked.runs:
        return _sweep(start(FreshProcess()), checked, plans=_PLAN_ONLY in arguments)
    start(task)()
    if errors and (wants_traceback or not isinstance(errors[0], (Refused, NotFinite))):
        raise errors[0]
    for error in errors:
        _say(error)
    return OK if not errors else FAILED if isinstance(errors[0], NotFinite) else REFUSED


def _sweep(start: Callable[[], None], checked: Checked, *, plans: bool) -> int:
    """Start a sweep and tell how it went by the records of its runs, whatever launched them; of a plan there is nothing to tell."""
    broke = False
    try:
        with handed_over(checked.runs):
            start()
    except (Preempted, KeyboardInterrupt):
        _sweep_code(checked)
        raise
    except SystemExit as stop:
        # Hydra has printed what a launcher or sweeper raised; runs that ended before are told of all the same.
        broke = bool(stop.code)
    told = OK if plans else _sweep_code(checked)
    return told or (FAILED if broke else OK)


def _sweep_code(checked: Checked) -> int:
    """Exit code of a sweep by the records of its runs; says which failed and why."""
    from prepsweep.record import RECORD_FILE, read_record

    folder = study_dir(checked.runs[0].config)
    # A sweeper that searches picks runs of its own, and they alone lie in the folder.
    searched = sorted(path.parent.name for path in folder.glob(f"*/{RECORD_FILE}"))
    names = searched if checked.searches else [run.run_id for run in checked.runs]
    records = {name: read_record(folder / name) for name in dict.fromkeys(names)}
    ended = [record for record in records.values() if record]
    statuses = ("failed", "preempted", "running")
    failed, preempted, running = ([record for record in ended if record["status"] == status] for status in statuses)
    for record in failed:
        error = record["error"]
        print(f"failed: {folder / record['run_id']}: {error['type']}: {error['message']}", file=sys.stderr)
    print(f"{sum(record['status'] == 'finished' for record in ended)} of {len(records)} runs finished: {folder}", file=sys.stderr)
    if preempted:
        print(f"{len(preempted)} preempted; the same command with study={checked.runs[0].config['study']} goes on", file=sys.stderr)
    if running:
        print(f"{len(running)} trained by another process or cut off; the same command goes on", file=sys.stderr)
    return SOME_FAILED if failed or running else PREEMPTED if preempted else OK


def train_one(
    cfg: DictConfig, cache: Cache, choices: Mapping[str, Any], *, n_parts: int = 1, on_step: OnStep | None = None
) -> float | None:
    """The run that Hydra has composed, see `train_in`."""
    run_dir, overrides = Path(HydraConfig.get().runtime.output_dir), list(HydraConfig.get().overrides.task)
    return train_in(run_dir, cfg, cache, choices, overrides=overrides, n_parts=n_parts, on_step=on_step)


def said_finished_before(cfg: DictConfig, run_dir: Path) -> bool:
    """Whether `cfg` is a run of a study that is finished, and then a line that tells so."""
    from prepsweep.planning import planned_keys
    from prepsweep.record import finished_before

    if cfg.study is None or not finished_before(run_dir, planned_keys(cfg)):
        return False
    print(f"finished before: {run_dir}", file=sys.stderr)
    return True


def train_in(
    run_dir: Path,
    cfg: DictConfig,
    cache: Cache,
    choices: Mapping[str, Any],
    *,
    overrides: list[str],
    n_parts: int = 1,
    on_step: OnStep | None = None,
) -> float | None:
    """The run `cfg` in `run_dir`, in this process or in one for each of its devices; see `training.train`.

    One of a study that is finished is not run again, and one that another sweep trains now is waited for.
    """
    from prepsweep.continuing import alone_in
    from prepsweep.ranks import n_ranks, train_on_ranks

    with alone_in(run_dir, waits=cfg.study is not None):
        if said_finished_before(cfg, run_dir):
            return None
        if (n := n_ranks(cfg)) > 1:
            return train_on_ranks(cfg, run_dir=run_dir, choices=choices, overrides=overrides, n=n, n_parts=n_parts)
        with waiting("loading torch, transformers and Lightning"):
            from prepsweep.training import train as train_run

        return train_run(cfg, run_dir=run_dir, choices=choices, overrides=overrides, cache=cache, n_parts=n_parts, on_step=on_step)


def _say(*errors: BaseException) -> int:
    for error in errors:
        print(f"error: {error}" if isinstance(error, Refused) else f"error: {type(error).__name__}: {error}", file=sys.stderr)
    return REFUSED


def main(argv: list[str] | None = None) -> int:
    """The installed command `prepsweep COMMAND …`; only the command that is asked for is imported."""
    name, *arguments = list(sys.argv[1:] if argv is None else argv) or [""]
    known = descriptions()
    width = max(map(len, known))
    if name in ("", "-h", "--help"):
        lines = [f"  {command:{width}} {description}" for command, description in known.items()]
        usage = ["usage: prepsweep COMMAND …", "", *lines, "", "prepsweep COMMAND --help tells more."]
        print("\n".join(usage), file=sys.stdout if name else sys.stderr)
        return OK if name else REFUSED
    try:
        if name not in known:
            raise Refused("command line", f"no command {name!r}", nearest(name, known))
        code: int = importlib.import_module(f"prepsweep.commands.{name.replace('-', '_')}").main(arguments)
        sys.stdout.flush()
        return code
    except Refused as error:
        return _say(error)
    except BrokenPipeError:
        return _read_enough()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _read_enough() -> int:
    """Whoever read what was printed (`| head`) has enough; without this Python complains again while it shuts down."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK
