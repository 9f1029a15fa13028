"""Every run of a command line, composed as Hydra will compose it; a mistake is refused with the nearest name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from prepsweep.errors import Refused, nearest, refusal_behind
from prepsweep.preflight.doors import check_search_path, refuse_planted_plugins
from prepsweep.preflight.hydra_part import check_hydra_part
from prepsweep.preflight.references import refuse_growing
from prepsweep.preflight.secrets import refuse_secrets, refuse_secrets_in_overrides
from prepsweep.preflight.sweepers import bounds, combinations, merged, params_of, refuse_missing_plugin, searches
from prepsweep.preflight.variants import Composed, compose_variants

CONF_MODULE = "prepsweep.conf"
_PLACES = {"dir": "${paths.multirun_dir}/${study}", "subdir": "${run_id:}"}  # as in conf/hydra/default.yaml


def compose_runs(overrides: list[str], *, multirun: bool) -> list[DictConfig]:
    """One configuration for each run of the command, in the order in which they run; for a search, the bounds of it."""
    return [run.cfg for run in composed(overrides, multirun=multirun)[0]]


def composed(overrides: list[str], *, multirun: bool) -> tuple[list[Composed], bool]:
    """The configurations, and whether they are only the bounds of a search, see `sweepers.bounds`."""
    with _initialized(overrides):
        parsed, is_search = _parsed(overrides), False
        _check(parsed, multirun=multirun)
        if multirun:
            parsed, is_search = _swept(overrides, parsed)
            _check(parsed, multirun=True)
        lists = bounds(parsed) if is_search else combinations(parsed) if multirun else [overrides]
        return compose_variants(lists, _compose), is_search


def swept(overrides: list[str]) -> list[Override]:
    """The overrides of a sweep, those that its YAML adds in `hydra.sweeper.params` among them."""
    with _initialized(overrides):
        parsed = _parsed(overrides)
        _check(parsed, multirun=True)
        return _swept(overrides, parsed)[0]


def study_in_files(overrides: list[str]) -> Any:
    """The study that an experiment names, or another file that takes part; None for none."""
    with _initialized(overrides):
        _check(_parsed(overrides), multirun=True)
        with _refused(overrides):
            return GlobalHydra.instance().config_loader().load_configuration("config", overrides, RunMode.MULTIRUN).study


def check_shown(overrides: list[str]) -> None:
    """Refuse what would run code although the command only shows something: Hydra sets its loggers up for `--help`."""
    with _initialized(overrides):
        _check(_parsed(overrides), multirun=True)
        _compose([one for one in overrides if one.lstrip("+~").startswith(("hydra", "experiment"))])


@contextmanager
def _initialized(overrides: list[str]) -> Iterator[None]:
    refuse_planted_plugins()
    refuse_secrets_in_overrides(overrides)
    with initialize_config_module(CONF_MODULE, version_base="1.3"):
        yield


def _swept(overrides: list[str], parsed: list[Override]) -> tuple[list[Override], bool]:
    """What Hydra's sweeper makes of the overrides, and whether it searches."""
    with _refused(overrides):
        loader = GlobalHydra.instance().config_loader()
        sweeper = loader.load_configuration("config", overrides, RunMode.MULTIRUN).hydra.sweeper
    return merged(_parsed(params_of(sweeper)) + parsed), searches(sweeper)


def _parsed(overrides: list[str]) -> list[Override]:
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    try:
        return parser.parse_overrides(overrides)
    except OverrideParseException as error:
        # The last line before the address of the manual says what is wrong, or points to it.
        said = str(error).partition("\nSee https:")[0].splitlines()[-1].strip()
        reason = "it has a sign that Hydra keeps for itself" if said == "^" else said
        raise Refused("command line", f"cannot read {error.override!r}: {reason}", _quoted(error.override, parser)) from error


def _quoted(override: str, parser: OverridesParser) -> str:
    """How to write an override that Hydra cannot read, most often a path with `=`, brackets or `~` in it."""
    key, _, value = override.partition("=")
    quoted = f'{key}="{Path(value).expanduser() if value.startswith("~/") else value}"'
    try:
        parser.parse_override(quoted)
    except HydraException:
        return "an override reads key=value, quoted for the shell"
    return f"if it is plain text, quote it for Hydra too: {shlex.quote(quoted)}"


def _check(parsed: list[Override], *, multirun: bool) -> None:
    places = [override.value() for override in parsed if override.key_or_group == "hydra.searchpath"]
    check_search_path([str(place) for given in places for place in (given if isinstance(given, list) else [given])])
    for override in parsed:
        key = override.get_key_element()
        if key.lstrip("+") == "hydra.mode":
            raise Refused(key, "says whether it is a sweep", "add -m for a sweep, nothing for a run")
        if "@" in key and not override.is_delete() and (override.value() is None or isinstance(override.value(), list)):
            group = key.partition("@")[0].lstrip("+")
            raise Refused(key, "takes one option", f"name one of the group {group}, or one that wraps several, such as {group}=one_of")
        if _has_null(override) and "." not in key and key != "study":
            options = GlobalHydra.instance().config_loader().get_group_options(key)
            raise Refused(key, "null is not an option", f"use {key}=none" if "none" in options else "leave it out")
        if key.startswith("+hydra.sweeper.params"):
            raise Refused(key, "is for YAML files", f"sweep with {key.removeprefix('+hydra.sweeper.params').lstrip('.') or 'key'}=…,…")
        if override.is_sweep_override() and not multirun:
            raise Refused(key, "has several values", "add -m to run a sweep, or quote a list: 'group=[a,b]'")


def _has_null(override: Override) -> bool:
    value = override.value()
    return value is None or (isinstance(value, ChoiceSweep) and None in value.list)


def _compose(overrides: list[str]) -> DictConfig:
    with _refused(overrides):
        cfg = compose("config", overrides, return_hydra_config=True)
        raw: dict[str, Any] = OmegaConf.to_container(cfg, resolve=False)  # type: ignore[assignment]
        foreign = any(one.lstrip("+").startswith(("experiment", "hydra.searchpath")) for one in overrides)
        if foreign:
            refuse_growing(raw)
        check_hydra_part(cfg, raw, partial(_said_by_us, overrides) if foreign else None)
        refuse_secrets({key: value for key, value in raw.items() if key != "hydra"})
        _refuse_other_places(OmegaConf.to_container(cfg.hydra.sweep, resolve=False))  # type: ignore[arg-type]
        with open_dict(cfg):
            del cfg["hydra"]
        OmegaConf.resolve(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in ("data", "model", "preprocess")]))
        return cfg


def _said_by_us(overrides: list[str]) -> DictConfig:
    """What the command line says of Hydra's part and of places, without any file that it names."""
    ours = [one for one in overrides if one.lstrip("+~").startswith(("hydra", "paths")) and "hydra.searchpath" not in one]
    return compose("config", ours, return_hydra_config=True)


def _refuse_other_places(sweep: dict[str, str]) -> None:
    """Runs of a study are found by their place: by a later start of it, which trains only what is not there yet, and by compare."""
    for key, place in _PLACES.items():
        if sweep[key] != place:
            fix = "leave it out, and set paths.multirun_dir and study"
            raise Refused(f"hydra.sweep.{key}", "runs of a study lie in <paths.multirun_dir>/<study>/<run_id>", fix)


@contextmanager
def _refused(overrides: list[str]) -> Iterator[None]:
    """Turn what Hydra raises while it composes `overrides` into one line."""
    try:
        yield
    except MissingConfigException as error:
        raise _unknown_option(error) from error
    except ConfigCompositionException as error:
        raise _unknown_key(error, overrides) from error
    except (HydraException, OmegaConfBaseException) as error:
        refused = refusal_behind(error)
        raise refused or Refused("command line", " ".join(str(error).split()), "see python train.py --help") from error


def _unknown_option(error: MissingConfigException) -> Refused:
    name = str(error.missing_cfg_file or "")
    refuse_missing_plugin(name)
    group, _, option = name.rpartition("/")
    if not group:
        return Refused("command line", " ".join(str(error).split()), "see python train.py --help")
    if not error.options:
        return Refused(group, f"no such group (in {name!r})", "see python train.py --help")
    return Refused(group, f"no option {option!r}", nearest(option, error.options))


def _unknown_key(error: ConfigCompositionException, overrides: list[str]) -> Refused:
    # Hydra wraps OmegaConf's complaint, which holds the key: "Key 'pth' is not in struct\n full_key: data.pth".
    text = f"{error} {error.__cause__ or ''}"
    key = re.search(r"full_key: (\S+)", text) or re.search(r"Could not override '([^']+)'", text)
    if key is None:
        return Refused("command line", " ".join(str(error).split()), "see python train.py --help")
    full_key = key.group(1)
    if "@" in full_key:
        slots = [name for name in re.findall(r"[\w/]+@[\w.]+", text) if name != full_key]
        owner = full_key.partition("@")[2].rpartition(".")[0].replace(".", "=", 1)
        return Refused(full_key, "no such place for an option", nearest(full_key, slots) if slots else f"choose {owner} as well")
    if "not in struct" not in text and "No match in the defaults list" not in text:
        return Refused(full_key, " ".join(str(error.__cause__ or error).split("\n")[0].split()), "see python train.py --help")
    parent, _, name = full_key.rpartition(".")
    # With the options that were chosen: their keys are the ones that can be meant.
    choices = [item for item in overrides if "." not in item.partition("=")[0].partition("@")[0] and not item.startswith(("~", full_key))]
    try:
        base = compose("config", choices)
    except HydraException:
        return Refused(full_key, "cannot be set so", "see python train.py --help")
    node = OmegaConf.select(base, parent) if parent else base
    known = [str(k) for k in node if k != "hydra" and not str(k).startswith("_")] if isinstance(node, DictConfig) else []
    return Refused(full_key, "unknown option", nearest(name, known) if known else "see python train.py --help")
