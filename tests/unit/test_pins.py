"""What may be installed beside us: floors below which something is known to be broken or malicious, and pins that keep them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIRED = {one.name: one for one in map(Requirement, PROJECT["dependencies"])}
LINES = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
PINS = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in LINES)}
# Name → versions that must not satisfy what we ask for, and why they are bad.
REFUSED = {
    "pytorch-lightning": ["2.6.2", "2.6.3", "2.5.0"],  # malicious releases; loads checkpoints as pickles
    "hydra-core": ["1.3.2", "1.4.0"],  # runs code from configuration without a list of what is blocked; another interface
    "transformers": ["4.57.0"],  # loads pickled weights unasked
    "torch": ["2.5.1"],  # CVE-2025-32434: torch.load runs code with weights_only=True
    "datasets": ["4.0.0"],
    "jinja2": ["3.0.3"],
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_version_cannot_be_installed(name: str) -> None:
    assert [version for version in REFUSED[name] if REQUIRED[name].specifier.contains(version, prereleases=True)] == []


def test_each_requirement_has_a_floor_and_a_pin_that_fits() -> None:
    for name, one in REQUIRED.items():
        assert any(part.operator in (">=", "==") for part in one.specifier), name
        assert PINS[canonicalize_name(name)] in one.specifier, name
    for extra, texts in PROJECT["optional-dependencies"].items():
        for one in map(Requirement, texts):
            if not one.name.startswith(("prepsweep", "types-")):
                assert not one.specifier or PINS.get(canonicalize_name(one.name), "0") in one.specifier, f"{extra}: {one.name}"


def test_the_pins_name_each_package_once_and_no_other_place() -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+(\s*;.*)?", line) for line in LINES)
    assert len(PINS) == len(LINES) > 50


def test_each_pin_but_torch_has_hashes() -> None:
    """Which build of torch is installed is the machine's choice: see `lock` in the Makefile."""
    lines = (ROOT / "constraints.lock").read_text(encoding="utf-8").replace(" \\\n", "").splitlines()
    locked = dict(re.fullmatch(r"(\S+)==(\S+?)(?: +--hash=sha256:[0-9a-f]{64})+", line).groups() for line in lines if line[0] != "#")
    assert {canonicalize_name(name): version for name, version in locked.items()} == {k: v for k, v in PINS.items() if k != "torch"}
