"""Files of configuration: refused in one line, or small enough for OmegaConf, which then reads them or says why not."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from harness import fuzz, instrumented, refused
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

with instrumented(__name__, "prepsweep.preflight.yaml_files", "yaml"):
    from prepsweep.preflight.yaml_files import MAX_VALUES, _check

SEEDS = [
    b"# @package _global_\ndefaults:\n  - override /augment: eda\nseed: 1\n",
    b"a: &a [1, 2]\nb: [*a, *a]\nc: {<<: {x: 1}, y: ${seed}}\n",
    b"a: &a {x: 1}\nb: &b {y: *a, z: *a}\nc: *b\n",
    b"a: !!python/object/apply:os.system [ls]\n",
    b"- 1\n- [2, [3, [4]]]\n---\nsecond: file\n",
    b'"quoted \\u2028": |\n  block\n  of text\n? key\n: value\n',
]


def target(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "given.yaml"
        file.write_bytes(data)
        if refused(lambda: _check(file)):
            return
        try:
            read = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
        except (yaml.YAMLError, OmegaConfBaseException, OSError):
            return
        assert _n_values(read) <= 2 * MAX_VALUES


def _n_values(value: Any) -> int:
    if isinstance(value, Mapping):
        return 1 + sum(1 + _n_values(inner) for inner in value.values())
    return 1 + sum(map(_n_values, value)) if isinstance(value, list) else 1


if __name__ == "__main__":
    fuzz(target, SEEDS)
