"""Every option of a group, found by glob, with the values that let it run without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

import prepsweep

CONF = Path(prepsweep.__file__).parent / "conf"
# By name of the parameter, whatever stage has it: the fixture that makes what it points to.
_FIXTURES = {"wordnet_dir": "wordnet_folder", "forward": "tiny_marian", "backward": "tiny_marian"}


def options_of(group: str) -> list[str]:
    """Names of the YAML files of a group, in order."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def tiny_values(group: str, option: str, request: pytest.FixtureRequest) -> list[str]:
    """Overrides that point the option's files and checkpoints to what the tests make."""
    text = (CONF / group / f"{option}.yaml").read_text(encoding="utf-8")
    names = [line.split(":")[0].strip() for line in text.splitlines() if ":" in line and not line.startswith("#")]
    return [f"{group}.{option}.{name}={request.getfixturevalue(_FIXTURES[name])}" for name in names if name in _FIXTURES]
