"""Where a command could read code or configuration besides the package: closed, or checked, before Hydra looks there."""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
from argparse import Namespace
from pathlib import Path

import prepsweep
from prepsweep.errors import Refused
from prepsweep.preflight.yaml_files import check_yaml_files
from prepsweep.targets import TRUSTED_PACKAGES

_SEARCH_PATH = "hydra.searchpath"


def refuse_planted_plugins() -> None:
    """Refuse a folder `hydra_plugins` where the command is given: Hydra imports all that is in it."""
    spec = importlib.util.find_spec("hydra_plugins")
    here = {Path.cwd(), Path(sys.path[0] or ".").resolve()}
    installed = {Path(sysconfig.get_paths()[name]).resolve() for name in ("purelib", "platlib")}
    ours = Path(prepsweep.__file__).resolve().parents[1]
    for place in (spec and spec.submodule_search_locations) or ():
        folder = Path(place).resolve()
        if folder.parent in here - installed - {ours}:
            raise Refused(str(folder), "Hydra would import all code in it", "run elsewhere, or install the plugin as a package")


def overrides_of(asked: Namespace) -> list[str]:
    """The overrides of Hydra's parsed arguments, with `--config-dir` as the override that it is; its other doors are closed."""
    if asked.experimental_rerun:
        raise Refused("--experimental-rerun", "reads a pickle, which can run code", "give the overrides again")
    for option in ("config_path", "config_name"):
        if getattr(asked, option):
            name = f"--{option.replace('_', '-')}"
            raise Refused(name, "replaces the configuration of the package", "use --config-dir with a folder that holds experiment/….yaml")
    overrides = list(asked.overrides)
    if asked.config_dir:
        folder = Path(asked.config_dir).absolute()
        if not folder.is_dir():
            raise Refused("--config-dir", f"no such folder: {folder}", "name the folder that holds experiment/….yaml")
        quoted = str(folder).replace("'", r"\'")
        overrides.append(f"{_SEARCH_PATH}=['file://{quoted}']")
    return overrides


def check_search_path(places: list[str]) -> None:
    """Refuse a search path that would import a package, and files in it that are no plain configuration."""
    folders = []
    for place in places:
        kind, found, rest = place.partition("://")
        if found and kind != "file" and not (kind == "pkg" and rest.split(".")[0].split("/")[0] in TRUSTED_PACKAGES):
            raise Refused(_SEARCH_PATH, f"{place!r} would import code", "name a folder: file:///…, or your package in PREPSWEEP_PACKAGES")
        if kind != "pkg":
            folders.append(Path(rest if found else place))
    check_yaml_files(folders)
