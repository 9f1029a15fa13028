"""What a sweep covers, by the sweeper that Hydra will use: every combination, or where one searches, the bounds of its search."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hydra.core.override_parser.types import IntervalSweep, Override
from omegaconf import DictConfig, OmegaConf

from prepsweep.errors import Refused

# Sweepers that run every combination: Hydra's, and the one that takes its place (conf/hydra/sweeper/checked.yaml).
_LIST_ALL = ("hydra._internal.core_plugins.basic_sweeper.BasicSweeper", "hydra_plugins.prepsweep_local.sweeper.CheckedSweeper")
# Options of Hydra's own groups that come with a plugin, and the extra that installs it.
_PLUGINS = {
    "hydra/launcher/joblib": "joblib",
    "hydra/launcher/ray": "ray",
    "hydra/launcher/ray_aws": "ray",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/submitit_slurm": "slurm",
    "hydra/sweeper/optuna": "optuna",
}


def refuse_missing_plugin(config: str) -> None:
    """Refuse an option that could not be found because its plugin is not installed."""
    if (extra := _PLUGINS.get(config)) is not None:
        group, _, option = config.rpartition("/")
        raise Refused(group, f"{option!r} is not installed", f"pip install 'prepsweep[{extra}]'")


def searches(sweeper: DictConfig) -> bool:
    """Whether `hydra.sweeper` picks its runs by the scores of earlier ones; refused if it would look for the worst."""
    if sweeper._target_ in _LIST_ALL:
        return False
    direction = OmegaConf.select(sweeper, "direction")
    if direction is not None and str(getattr(direction, "name", direction)) != "maximize":
        fix = "choose hydra/sweeper=tune, or add hydra.sweeper.direction=maximize"
        raise Refused("hydra.sweeper.direction", f"{getattr(direction, 'name', direction)} would look for the worst validation score", fix)
    return True


def params_of(sweeper: DictConfig) -> list[str]:
    """`hydra.sweeper.params` as overrides: what a sweep that is written in YAML adds before those of the command line."""
    params = OmegaConf.select(sweeper, "params")
    for key in map(str, params or {}):
        if key.lstrip("+~").startswith(("hydra", "paths")):
            raise Refused(f"hydra.sweeper.params.{key}", "a sweep does not vary where files go or what is started", "take it out")
    return [f"{key}={value}" for key, value in (params or {}).items()]


def merged(overrides: Sequence[Override]) -> list[Override]:
    """Of several overrides with one key the last, in the place of the first, as Hydra's sweepers take them."""
    return list({override.get_key_element(): override for override in overrides}.values())


def combinations(overrides: Sequence[Override]) -> list[list[str]]:
    """Every combination of the values, in the order in which Hydra's basic sweeper runs them."""
    for override in overrides:
        if override.is_interval_sweep():
            fix = "list values, or choose hydra/sweeper=tune"
            raise Refused(override.get_key_element(), "has an interval, which only a sweeper that searches takes", fix)
        if not values_of(override):
            raise Refused(
                override.get_key_element(), f"nothing matches {override.input_line}", "see python train.py --help for the options"
            )
    return [list(combination) for combination in itertools.product(*map(values_of, overrides))]


def bounds(overrides: Sequence[Override]) -> list[list[str]]:
    """The first value of every override together, then each other choice or end of an interval by itself.

    Not every run that a search can come to, but each value that it can pick from a list and both ends of what it cannot list.
    """
    ends = [values_of(override) for override in overrides]
    first = [values[0] for values in ends]
    others = [[*first[:place], value, *first[place + 1 :]] for place, values in enumerate(ends) for value in values[1:]]
    return [first, *others]


def values_of(override: Override) -> list[str]:
    """The overrides that one with several values stands for, the two ends of one with an interval."""
    key = override.get_key_element()
    if not override.is_sweep_override():
        # Written as Hydra's sweepers write it, so that a launcher's lists of overrides are equal to these.
        return [f"{key}={override.get_value_element_as_str()}"]
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [f"{key}={value.start}", f"{key}={value.end}"]
    return [f"{key}={text}" for text in override.sweep_string_iterator()]
