"""What a run left behind, as the schema has it."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = json.loads(files("prepsweep").joinpath("run.schema.json").read_text(encoding="utf-8"))


def record_of(run_dir: Path) -> dict[str, Any]:
    """The `run.json` of a run, which is as its schema says."""
    record: dict[str, Any] = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    jsonschema.validate(record, SCHEMA)
    return record
