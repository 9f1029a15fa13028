"""The runs of a study as `compare` sees them: their records and predictions, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from prepsweep.compare.tested import NEEDED_COLUMNS, Tested
from prepsweep.errors import Refused
from prepsweep.monitors import ONE_CLASS, task_of
from prepsweep.record import PREDICTIONS_FILE, RECORD_FILE, SCHEMA_VERSION, read_record

# What is chosen, in the order of the flow; the rest of the choices says how it was run.
FACTORS = ("data", "clean", "annotate", "split", "refine", "augment", "balance", "preprocess", "task", "model", "method", "budget")
# Values that tell runs of one arm apart, and how and where a run ran.
NOT_AN_ARM = ("seed", "seeds.", "study", "paths.", "logger", "runtime.", "hydra", "trainer.devices", "trainer.num")
# What the record of a finished run has, as far as it is read.
_PARTS = ("choices", "overrides", "seeds", "config", "data", "metrics", "budget", "cost", "finished")


@dataclass(frozen=True)
class Run:
    """One finished run; its test rows are read from its folder unless they are given."""

    run_dir: Path
    record: dict[str, Any]
    rows: Tested | None = None

    @property
    def seed(self) -> str:
        """What tells the runs of an arm apart, and pairs them across arms: the seeds of split, data and model."""
        return "/".join(str(self.record["seeds"][name]) for name in ("split", "data", "model"))

    @property
    def task(self) -> str:
        """The option of the group `task`; one that is of the study's own making has one class a text."""
        return task_of(self.record)

    @property
    def classes(self) -> list[str]:
        return list(self.record["data"]["classes"])

    @property
    def prepare_seconds(self) -> float:
        """Seconds of preparation as if nothing had been in the cache. What a sweep shares is counted in every arm: so it costs alone.

        A stage keeps the seconds of when it was computed, so that a run which found all in the cache has them too. A run that
        computed its stages took a little longer than these; one that waited for another to compute them is not counted twice.
        """
        return float(max(self.record["cost"]["prepare_seconds"], sum(stage["seconds"] for stage in self.record["data"]["stages"])))

    @property
    def train_seconds(self) -> float:
        return float(self.record["cost"]["train_seconds"])

    @property
    def seconds(self) -> float:
        """What a run costs that finds nothing in the cache."""
        return self.prepare_seconds + self.train_seconds

    @cached_property
    def tested(self) -> Tested:
        """The test rows as numbers."""
        return self.rows or Tested.read(self.run_dir / PREDICTIONS_FILE, self.classes if self.task == ONE_CLASS else None)


@dataclass(frozen=True)
class Study:
    """The finished runs of one or more study folders, and those that are none, with the reason."""

    runs: list[Run]
    missing: list[tuple[str, str]]

    @property
    def task(self) -> str:
        """The task of its runs; refuses runs of several, which have no score in common."""
        tasks = sorted({run.task for run in self.runs})
        if len(tasks) > 1:
            raise Refused("STUDY", f"runs of the tasks {' and '.join(tasks)}", "compare the studies of one task at a time")
        return tasks[0]

    def arms(self) -> dict[str, list[Run]]:
        """Runs by arm: what they chose, as far as the study varies it; an arm is named by its overrides."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            found.setdefault(" ".join(f"{key}={value}" for key, value in self.varied[run.run_dir].items()), []).append(run)
        return dict(sorted(found.items()))

    @cached_property
    def varied(self) -> dict[Path, dict[str, str]]:
        """For each run the factors in which the runs of the study differ and its choices, as text, seeds and places left out.

        An option that only some of the runs can have, as `annotate.votes.soft` beside `annotate=none`, is no factor: there is nothing to
        cross it with. Where it tells those runs apart it is part of their choice, `annotate=votes(soft=false)`.
        """
        settings = {run.run_dir: _settings(run.record) for run in self.runs}
        keys = list(dict.fromkeys(key for values in settings.values() for key in values))
        factors = [key for key in keys if _differ(settings.values(), key)]
        for key in list(factors):
            having = [settings[run.run_dir] for run in self.runs if key in settings[run.run_dir] or _can_have(run.record, key)]
            group = key.partition(".")[0]
            if len(having) == len(settings) or group not in FACTORS:
                continue
            factors.remove(key)
            if _differ(having, key):
                for values in having:
                    if key in values:
                        values[group] = _with_option(as_text(values[group]), key.removeprefix(f"{group}."), as_text(values[key]))
        return {run_dir: {key: as_text(values.get(key)) for key in factors} for run_dir, values in settings.items()}

    @cached_property
    def by_choice(self) -> dict[tuple[str, str], list[Run]]:
        """Runs by (factor, choice)."""
        found: dict[tuple[str, str], list[Run]] = {}
        for run in self.runs:
            for chosen in self.varied[run.run_dir].items():
                found.setdefault(chosen, []).append(run)
        return found


def _differ(settings: Iterable[Mapping[str, Any]], key: str) -> bool:
    return len({as_text(values.get(key)) for values in settings}) > 1


def _can_have(record: Mapping[str, Any], key: str) -> bool:
    node = record["config"]
    for name in key.split("."):
        if not isinstance(node, dict) or name not in node:
            return False
        node = node[name]
    return True


def _with_option(choice: str, option: str, value: str) -> str:
    """`votes` and `votes.soft` make `votes(soft=false)`, and a second option `votes(soft=false;rows=unlabelled)`."""
    stage, _, others = choice.rstrip(")").partition("(")
    said = f"{option.removeprefix(f'{stage}.')}={value}"
    return f"{stage}({f'{others};' if others else ''}{said})"


def read_studies(folders: Sequence[Path]) -> Study:
    """Every run below the folders, each once; refuses folders without a finished run, and records of another schema."""
    runs: list[Run] = []
    missing: list[tuple[str, str]] = []
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            raise Refused(str(folder), "no such folder", "give the folder of a study: multirun/STUDY")
        for file in sorted(folder.glob(f"*/{RECORD_FILE}")):
            # A folder that is given twice, or by a link to it, has no repeats of its own runs in it.
            if (place := file.parent.resolve()) in seen:
                continue
            seen.add(place)
            record = read_record(file.parent)
            if reason := _why_not(file, record):
                missing.append((str(file.parent), reason))
            elif record is not None:
                runs.append(Run(file.parent, record))
    if not runs:
        where, what = ", ".join(map(str, folders)), "holds no finished run"
        if missing:
            what += f", {len(missing)} that are not; {': '.join(missing[0])}"
            raise Refused(where, what, "mend that and give the sweep's command again")
        raise Refused(where, what, "give the folder of a study: multirun/STUDY")
    return Study(runs, missing)


def _why_not(file: Path, record: dict[str, Any] | None) -> str:
    """Why a run cannot be compared, or nothing; refuses a record of another schema."""
    if record is None or not isinstance(version := record.get("schema_version"), int):
        return f"{RECORD_FILE} is no record: broken JSON, or no status or schema_version in it"
    if version != SCHEMA_VERSION:
        fix = "update prepsweep" if version > SCHEMA_VERSION else "run the study anew with this version"
        raise Refused(str(file), f"has schema version {version}, not {SCHEMA_VERSION}", fix)
    if record["status"] != "finished":
        error = record.get("error")
        return f"{record['status']}: {error['type']}: {error['message']}" if error else str(record["status"])
    if lacking := [part for part in _PARTS if part not in record]:
        return f"{RECORD_FILE} lacks {', '.join(lacking)}"
    try:
        lacking = [name for name in NEEDED_COLUMNS if name not in pq.read_schema(file.parent / PREDICTIONS_FILE).names]
    except (OSError, pa.ArrowInvalid):
        return f"{PREDICTIONS_FILE} is missing or damaged; remove the folder, and the sweep will run it again"
    return f"{PREDICTIONS_FILE} lacks {', '.join(lacking)}" if lacking else ""


def _settings(record: dict[str, Any]) -> dict[str, Any]:
    choices = {name: record["choices"][name] for name in FACTORS if name in record["choices"]}
    choices |= {key: value for key, value in record["choices"].items() if "@" in key}
    values = dict(override.split("=", 1) for override in record["overrides"] if "=" in override)
    extra = {key.lstrip("+"): value for key, value in values.items() if key.lstrip("+") not in choices}
    return choices | {key: value for key, value in extra.items() if not key.startswith(NOT_AN_ARM)}


def as_text(value: Any) -> str:
    """A choice as the command line writes it."""
    return f"[{','.join(map(str, value))}]" if isinstance(value, (list, tuple)) else str(value)
