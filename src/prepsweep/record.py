"""The run record: `run.json` and `predictions.parquet`, the two files that everything later is computed from."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from prepsweep.identity import hash_json
from prepsweep.preemption import Preempted
from prepsweep.publish import write_atomically

SCHEMA_VERSION = 1
RECORD_FILE = "run.json"
PREDICTIONS_FILE = "predictions.parquet"
# What may differ between two runs that must give the same result.
NOT_IDENTITY = frozenset({"paths", "logger", "study", "runtime", "guards", "hydra", "launcher"})
_LIBRARIES = ("prepsweep", "torch", "pytorch-lightning", "transformers", "datasets", "hydra-core", "pyarrow", "numpy", "scikit-learn")


def plain_config(cfg: DictConfig) -> dict[str, Any]:
    """`cfg` with every interpolation resolved, as plain containers, without Hydra's own part."""
    open_cfg = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    container = OmegaConf.to_container(open_cfg, resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def run_id(config: Mapping[str, Any]) -> str:
    """First 12 hex digits of the hash of a plain configuration without what cannot change the result."""
    identity = {key: value for key, value in config.items() if key not in NOT_IDENTITY}
    for group, key in (("data", "download_dir"), ("trainer", "checkpoint_seconds")):
        if group in identity:
            identity[group] = {name: value for name, value in identity[group].items() if name != key}
    return hash_json(identity)[:12]


@dataclass
class RunRecord:
    """One run's `run.json`: written as `running` at the start and rewritten whole, atomically, at the end.

    Of several processes of a run only the first `writes`.
    """

    run_dir: Path
    writes: bool = True
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.run_dir / RECORD_FILE

    def write(self) -> None:
        if not self.writes:
            return
        text = json.dumps(self.values, indent=2, ensure_ascii=False, allow_nan=False)
        write_atomically(self.file, text.encode("utf-8", "backslashreplace"))


@contextmanager
def recorded(
    run_dir: Path, config: dict[str, Any], *, choices: Mapping[str, Any], overrides: Sequence[str], writes: bool = True
) -> Iterator[RunRecord]:
    """A record that ends as `finished`, as `preempted`, or as `failed` with the error if the block raises another one."""
    run_dir.mkdir(parents=True, exist_ok=True)
    record = RunRecord(run_dir, writes, _first_values(config, choices=choices, overrides=overrides))
    record.write()
    try:
        yield record
        record.values["status"] = "finished"
    except Preempted:
        record.values["status"] = "preempted"
        raise
    except BaseException as error:
        # Whatever ends a run, SystemExit and Ctrl-C included, the record must say so before it goes on its way.
        record.values |= {"status": "failed", "error": _in_words(error)}
        raise
    finally:
        record.values["finished"] = _now()
        record.write()


def _in_words(error: BaseException) -> dict[str, str]:
    message = "interrupted by Ctrl-C" if isinstance(error, KeyboardInterrupt) else str(error)
    return {"type": type(error).__name__, "message": message}


def mark_failed(
    run_dir: Path,
    config: dict[str, Any],
    *,
    earlier: Mapping[str, Any] | None,
    choices: Mapping[str, Any],
    overrides: Sequence[str],
    reason: str,
) -> None:
    """Write into the record of a run whose process is gone that it failed, unless it said so itself.

    `earlier` is the record that there was before it began: what an earlier start left must not be taken for the end of this one.
    """
    values = read_record(run_dir)
    if values is None or values == earlier:
        values = _first_values(config, choices=choices, overrides=overrides)
    if values["status"] == "running":
        run_dir.mkdir(parents=True, exist_ok=True)
        values |= {"status": "failed", "error": {"type": "ProcessEnded", "message": reason}, "finished": _now()}
        RunRecord(run_dir, values=values).write()


def read_record(run_dir: Path) -> dict[str, Any] | None:
    """The record of a run as it is now; None where there is none that can be read."""
    try:
        values: dict[str, Any] = json.loads((run_dir / RECORD_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) and "status" in values else None


def _first_values(config: dict[str, Any], *, choices: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id(config),
        "study": config["study"],
        "status": "running",
        "error": None,
        "choices": dict(choices),
        "overrides": list(overrides),
        "seeds": config["seeds"],
        "config": config,
        "environment": environment(),
        "started": _now(),
        "finished": None,
    }


def finished_before(run_dir: Path, stage_keys: Sequence[str]) -> bool:
    """Whether `run_dir` holds this very run, finished: its configuration names the folder, its stages must have these keys.

    The keys stand for the data and the code of the preparation, so a run over files that changed since is not finished.
    """
    values = read_record(run_dir)
    if values is None or values["status"] != "finished":
        return False
    try:
        same = [stage["key"] for stage in values["data"]["stages"]] == list(stage_keys)
    except (KeyError, TypeError):
        return False
    return same and (run_dir / PREDICTIONS_FILE).is_file()


def environment() -> dict[str, Any]:
    """Versions and kind of machine, nothing that names a person or a host."""
    versions: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    host = {"system": platform.system(), "machine": platform.machine(), "cpus": os.cpu_count()}
    return {"python": platform.python_version(), "versions": versions, "git_revision": _git_revision(), "host": host}


def _git_revision() -> str | None:
    source = Path(__file__).resolve().parent
    try:
        asked = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(source), "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None


def peak_rss_mb() -> float:
    """Highest resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 if sys.platform != "darwin" else 1024**2), 1)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
