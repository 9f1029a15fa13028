"""The command that makes each run again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from prepsweep.compare.measures import score, unit_of
from prepsweep.compare.records import Study
from prepsweep.compare.report.tables import Column, Table, first_rows

MAX_COMMANDS = 300


def command_of(record: Mapping[str, Any]) -> str:
    """`python train.py …` as it can be pasted into a shell; outside its study, where it would be found finished."""
    return shlex.join(["python", "train.py", *(one for one in record["overrides"] if not one.startswith("study="))])


def commands(study: Study, metric: str) -> Table:
    """Arm, seed, score and command of each run."""
    unit = unit_of(metric)
    rows = [
        (arm or "(one arm)", run.seed, unit.factor * score(run, metric), command_of(run.record))
        for arm, runs in study.arms().items()
        for run in sorted(runs, key=lambda run: run.seed)
    ]
    shown, n_more = first_rows(rows, MAX_COMMANDS)
    columns = (Column("arm"), Column("seeds"), Column(f"{metric}, {unit.name}", unit.short), Column("command"))
    return Table("commands", "Every run, its seeds of split/data/model, and the command that makes it again", columns, shown, n_more)
