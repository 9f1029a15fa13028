"""Which option of each group a run has: Hydra's own list leaves out the groups whose options were given as a list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

_CONFIG = "config"


def choices_of(overrides: Sequence[str]) -> dict[str, str | list[str]]:
    """Group → option, or the options in their order where there are several; for Hydra's configuration as it is set up now."""
    loader = GlobalHydra.instance().config_loader()
    found: defaultdict[str, list[str]] = defaultdict(list)
    for default in loader.compute_defaults_list(_CONFIG, list(overrides), RunMode.RUN).defaults:
        group, _, option = str(default.config_path).partition("/")
        # What an option is made of in turn (`minilm` of `checkpoint`) has the option as its parent.
        if option and default.parent == _CONFIG and group != "hydra":
            found[group].append(option)
    return {group: options[0] if len(options) == 1 else options for group, options in found.items()}
