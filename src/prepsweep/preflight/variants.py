"""Many configurations from few compositions: runs that differ in plain values only are copies with these values put in.

Hydra takes a tenth of a second for each composition, and a sweep of a thousand runs has a handful of different choices
and many seeds. Hydra itself applies values last, one by one, with `OmegaConf.update`, and they never change which files
are composed; so a value may be put into a finished composition if no other override touches its place. Everything else
(groups, additions, deletions, lists, mappings, interpolations) is left to Hydra.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

Compose = Callable[[list[str]], DictConfig]
_BARE_VALUES = ("seed", "study")


@dataclass
class Composed:
    """The configuration of one run: what Hydra composed for `template`, with `values` in place of the first run's.

    `choices` are the overrides that are not among `values`: runs with equal ones have one template.
    """

    overrides: list[str]
    choices: tuple[str, ...]
    template: DictConfig
    values: Mapping[str, Any]

    @cached_property
    def cfg(self) -> DictConfig:
        """The configuration, equal to what Hydra composes for `overrides`."""
        cfg = copy.deepcopy(self.template)
        self.put_into(cfg)
        if "hydra" in cfg and self.values:
            _tell_hydra(cfg, self.overrides)
        return cfg

    def put_into(self, cfg: DictConfig) -> None:
        """Set the values of this run in a copy of the template."""
        for key, value in self.values.items():
            OmegaConf.update(cfg, key, value, merge=True)


def compose_variants(lists: Sequence[list[str]], compose: Compose) -> list[Composed]:
    """A configuration for each list of overrides, with one composition for all that differ in plain values only."""
    common = set(lists[0]).intersection(*lists[1:]) if len(lists) > 1 else set()
    templates: dict[tuple[str, ...], DictConfig] = {}
    composed: list[Composed] = []
    for overrides in lists:
        varied = _plain_overrides(overrides, common) if len(lists) > 1 else {}
        choices = tuple(override for override in overrides if override not in varied)
        values = {override.key_or_group: override.value() for override in varied.values()}
        # Lists with equal choices must also set the same keys: else the first run's value would stay.
        shape = (*choices, *sorted(values))
        if shape not in templates:
            cfg = compose(overrides)
            if any(OmegaConf.select(cfg, key) != value for key, value in values.items()):
                # Something else has the last word at that place.
                shape, choices, values = tuple(overrides), tuple(overrides), {}
            templates[shape] = cfg
        composed.append(Composed(overrides, choices, templates[shape], values))
    return composed


def _plain_overrides(overrides: Sequence[str], common: set[str]) -> dict[str, Override]:
    """The overrides that differ between runs and set plain values at places that no other value touches."""
    parsed = {override: _parsed(override) for override in overrides}
    if any(override.type is not OverrideType.CHANGE for override in parsed.values()) or len(parsed) < len(overrides):
        return {}
    return {
        text: override
        for text, override in parsed.items()
        if text not in common and _is_plain(override) and not any(_touch(override, other) for other in parsed.values())
    }


@cache
def _parsed(override: str) -> Override:
    return OverridesParser.create().parse_override(override)


def _is_plain(override: Override) -> bool:
    key, value = override.key_or_group, override.value()
    # A bare name can be a group, and then its value is an option.
    names_value = key in _BARE_VALUES or ("." in key and "/" not in key and not override.is_hydra_override())
    if override.package is not None or not names_value:
        return False
    return value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and "${" not in value)


def _touch(one: Override, other: Override) -> bool:
    """Whether another value is set at the same place, inside it or around it; an option of a group is chosen before all values."""
    if one is other or ("." not in other.key_or_group and isinstance(other.value(), (str, list))):
        return False
    a, b = f"{one.key_or_group}.", f"{other.key_or_group}."
    return a.startswith(b) or b.startswith(a)


def _tell_hydra(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Hydra's notes of the command line, as it takes them when it composes."""
    app = [override for override in map(_parsed, overrides) if not override.is_hydra_override()]
    cfg.hydra.overrides.task = [override.input_line for override in app]
    naming = cfg.hydra.job.config.override_dirname
    cfg.hydra.job.override_dirname = get_overrides_dirname(
        overrides=app, kv_sep=naming.kv_sep, item_sep=naming.item_sep, exclude_keys=naming.exclude_keys
    )
