"""What may be set of Hydra's own part: all that says where and how runs go, nothing that runs code or writes elsewhere.

Hydra makes callbacks, loggers and launchers from configuration, most of them before `main()`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from prepsweep.errors import Refused
from prepsweep.identity import targets_in
from prepsweep.targets import refuse_foreign

_PLUGIN = re.compile(
    r"hydra\._internal\.core_plugins\.basic_(launcher\.BasicLauncher|sweeper\.BasicSweeper)"
    r"|hydra_plugins\.prepsweep_local\.(launcher\.LocalLauncher|sweeper\.CheckedSweeper)"
    r"|hydra_plugins\.hydra_(joblib|ray|submitit)_launcher\.\w+\.\w+Launcher"
    r"|hydra_plugins\.hydra_optuna_sweeper\.optuna_sweeper\.OptunaSweeper"
    r"|optuna\.samplers\.[A-Z]\w*Sampler"
)
_LOCAL_LAUNCHER = "hydra_plugins.prepsweep_local.launcher.LocalLauncher"
_HANDLERS = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler")
_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
_LOG_FILE = "${hydra.runtime.output_dir}/${hydra.job.name}.log"
# Section of a logging configuration → the keys that it may have; none of them makes an object.
_LOGGING = {
    "formatters": {"format", "datefmt", "style"},
    "handlers": {"class", "formatter", "level", "stream", "filename", "mode", "encoding", "delay"},
    "loggers": {"level", "handlers", "propagate"},
}
_RUN_DIR = "${paths.output_dir}/${now:%Y-%m-%d}/${now:%H-%M-%S-%f}-${run_id:}"  # as in conf/hydra/default.yaml
# Where files go and who starts what: the command line and conf/local say it, an experiment may not.
_OURS_TO_SAY = ("hydra.launcher", "hydra.run", "hydra.sweep", "hydra.job_logging", "hydra.hydra_logging", "hydra.output_subdir", "paths")
_LONGEST_NAME = 255  # bytes, of nearly every file system
_JOB = ("name", "chdir", "env_set", "env_copy")


def check_hydra_part(cfg: DictConfig, raw: Mapping[str, Any], base: Callable[[], DictConfig] | None) -> None:
    """Refuse a composed configuration, Hydra's part in it, that would run code or write outside the output folders.

    `raw` is `cfg` in plain containers, its `${…}` as they stand. `base` composes what the command line alone says of
    Hydra's part and of `paths`; given where files of others take part.
    """
    hydra = raw["hydra"]
    _check_targets({key: value for key, value in raw.items() if key != "hydra"}, hydra)
    if hydra["callbacks"]:
        raise Refused("hydra.callbacks", "callbacks run code before anything is checked", "leave them out")
    if hydra["job"]["env_set"]:
        raise Refused("hydra.job.env_set", "sets environment variables, which can run code", "set them in the shell")
    for section in ("job_logging", "hydra_logging"):
        _check_logging(hydra[section], f"hydra.{section}")
    _check_places(cfg, hydra)
    if hydra["launcher"]["_target_"] == _LOCAL_LAUNCHER:
        _check_local_launcher(cfg.hydra.launcher)
    if base is not None:
        _refuse_said_elsewhere(cfg, base())


def _check_targets(raw: Mapping[str, Any], hydra: Mapping[str, Any]) -> None:
    refuse_foreign(raw, "")
    for place, target in targets_in(hydra, "hydra"):
        if not place.startswith(("hydra.launcher", "hydra.sweeper")) or not isinstance(target, str) or not _PLUGIN.fullmatch(target):
            fix = "choose an option of hydra/launcher or hydra/sweeper"
            raise Refused(place, f"_target_ {str(target)[:80]!r} is no launcher, sweeper or sampler that is known here", fix)
    if (space := hydra["sweeper"].get("custom_search_space")) is not None:
        refuse_foreign({"_target_": space}, "hydra.sweeper.custom_search_space")


def _check_logging(section: Any, where: str) -> None:
    """Python's logging makes any object that `()`, `class` or `ext://` names; here it gets plain handlers and levels only."""
    if section is None:
        return
    if not isinstance(section, Mapping):
        raise Refused(where, "must be written out", "see https://docs.python.org/3/library/logging.config.html")
    groups = {name: members for name, members in section.items() if name in _LOGGING}
    rest = {name: value for name, value in section.items() if name not in _LOGGING}
    keys = {f"{where}.{name}": {str(name): value} for name, value in rest.items()}
    for name, members in groups.items():
        for member, values in (members or {}).items():
            at = f"{where}.{name}.{member}"
            if not isinstance(values, Mapping):
                raise Refused(at, "must be written out", "give it keys and values")
            if unknown := sorted(set(map(str, values)) - _LOGGING[name]):
                raise Refused(f"{at}.{unknown[0]}", "can make any object of Python", f"use {', '.join(sorted(_LOGGING[name]))}")
            keys[at] = {str(key): value for key, value in values.items()}
    if unknown := sorted(set(map(str, rest)) - {"version", "root", "disable_existing_loggers", "incremental"}):
        raise Refused(f"{where}.{unknown[0]}", "can make any object of Python", f"use {', '.join(_LOGGING)}, root")
    for at, values in keys.items():
        for key, value in values.items():
            if not _is_plain_logging(key, value):
                fix = "use logging.StreamHandler or logging.FileHandler, ext://sys.stdout or ext://sys.stderr, and the log file as it is"
                raise Refused(at if at.endswith(f".{key}") else f"{at}.{key}", f"{str(value)[:80]!r} is not taken for a logger", fix)


def _is_plain_logging(key: str, value: Any) -> bool:
    if key in ("class", "stream", "filename"):
        return value in {"class": _HANDLERS, "stream": _STREAMS, "filename": (_LOG_FILE,)}[key]
    text = str(value)
    return "://" not in text and "${" not in text and "'()'" not in text


def _check_local_launcher(launcher: Mapping[str, Any]) -> None:
    n_slots, runs_per_gpu, seconds, plan_only = (launcher[key] for key in ("n_slots", "runs_per_gpu", "timeout_seconds", "plan_only"))
    fits = {
        "n_slots": (n_slots is None or _is_count(n_slots), n_slots, "a whole number of at least 1, or null"),
        "runs_per_gpu": (_is_count(runs_per_gpu), runs_per_gpu, "a whole number of at least 1"),
        "timeout_seconds": (seconds is None or (type(seconds) in (int, float) and seconds > 0), seconds, "seconds above 0, or null"),
        "plan_only": (isinstance(plan_only, bool), plan_only, "true or false"),
    }
    for key, (fit, value, wanted) in fits.items():
        if not fit:
            raise Refused(f"hydra.launcher.{key}", f"must be {wanted}, got {value!r}", "leave it out, or give such a value")


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _check_places(cfg: DictConfig, hydra: Mapping[str, Any]) -> None:
    for key, value in (("hydra.output_subdir", hydra["output_subdir"]), ("hydra.job.name", hydra["job"]["name"])):
        if value is not None and not re.fullmatch(r"[\w.-]*\w[\w.-]*", str(value)):
            raise Refused(key, f"must be a plain name, got {str(value)[:80]!r}", "letters, digits, '.', '_' and '-'")
    if cfg.study is not None and not _is_name_of_study(cfg.study):
        what = f"must be the name of a folder below paths.multirun_dir, got {str(cfg.study)[:80]!r}"
        raise Refused("study", what, "give it a plain name; one that reads as a number is quoted for Hydra too: 'study=\"2024\"'")
    if hydra["run"]["dir"] == _RUN_DIR:
        return
    try:
        run_dir, output_dir = Path(str(cfg.hydra.run.dir)).resolve(), Path(str(cfg.paths.output_dir)).resolve()
    except (OmegaConfBaseException, ValueError) as error:
        raise Refused("hydra.run.dir", " ".join(str(error).split()), "leave it out") from error
    if run_dir == output_dir or not run_dir.is_relative_to(output_dir):
        raise Refused("hydra.run.dir", f"{run_dir} is not below paths.output_dir, {output_dir}", "set paths.output_dir too")


def _is_name_of_study(study: Any) -> bool:
    if not isinstance(study, str) or not study.isprintable() or Path(study).is_absolute():
        return False
    parts = Path(study).parts
    return bool(parts) and ".." not in parts and all(len(part.encode()) <= _LONGEST_NAME for part in parts)


def _refuse_said_elsewhere(cfg: DictConfig, base: DictConfig) -> None:
    for key in (*_OURS_TO_SAY, *(f"hydra.job.{name}" for name in _JOB)):
        ours, theirs = (_raw(OmegaConf.select(one, key, throw_on_resolution_failure=False)) for one in (base, cfg))
        if ours != theirs:
            raise Refused(key, "an experiment says where files go or what is started", "say it on the command line")


def _raw(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node
