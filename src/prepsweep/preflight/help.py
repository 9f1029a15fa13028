"""What `--help` prints. Hydra would say the same, but copies all its configuration for each group that it lists: seconds."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import yaml
from omegaconf import OmegaConf

from prepsweep.preflight.compose import compose_runs

_GROUPS, _VALUES = "$APP_CONFIG_GROUPS", "$CONFIG"


def help_text(overrides: list[str], *, multirun: bool) -> str:
    """The template of `hydra.help`, with the groups that ship and the values that the overrides give."""
    conf = Path(str(files("prepsweep.conf")))
    texts = yaml.safe_load((conf / "hydra" / "default.yaml").read_text(encoding="utf-8"))["help"]
    (cfg, *_) = compose_runs(overrides, multirun=multirun)
    folders = sorted(folder for folder in conf.iterdir() if folder.is_dir() and folder.name != "hydra")
    options = {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in folders}
    groups = "".join(f"{name}: {', '.join(found)}\n" for name, found in options.items() if found)
    text = texts["template"].replace("${hydra.help.header}", texts["header"]).replace("${hydra.help.footer}", "")
    return str(text.replace(_GROUPS, groups).replace(_VALUES, OmegaConf.to_yaml(cfg))).rstrip()
