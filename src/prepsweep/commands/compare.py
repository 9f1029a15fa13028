"""Say what each preparation choice of a study is worth, how sure that is, and at what cost."""

from __future__ import annotations

import argparse
import math
import re
import shlex
from collections.abc import Callable
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from prepsweep.commands import Arguments
from prepsweep.compare.findings import Findings, find
from prepsweep.compare.measures import TASKS
from prepsweep.compare.records import read_studies
from prepsweep.compare.report import HTML_FILE, write_report
from prepsweep.compare.terminal import console, summary
from prepsweep.errors import Refused

_FOLDER = "compare"


def main(argv: list[str]) -> int:
    """Write the report of the studies and print the short of it."""
    asked = _arguments().parse(argv)
    if asked.delta is not None and not 0 < asked.delta < math.inf:
        raise Refused("--delta", f"must be a number above 0, got {asked.delta:g}", "try --delta 0.01")
    baselines, folder = _baselines(asked.baseline), asked.out or asked.studies[0] / _FOLDER
    command = shlex.join(["python", "compare.py", *argv])

    def look() -> Findings:
        by = [name for name in asked.by.split(",") if name]
        found = find(read_studies(asked.studies), metric=asked.metric, delta=asked.delta, baselines=baselines, by=by)
        write_report(found, folder, command=command)
        return found

    out = console()
    if asked.watch:
        from prepsweep.compare.watch import watch

        watch(asked.studies, lambda: _shown_or_waiting(look), console=out)
    found = look()
    if not asked.watch:
        out.print(summary(found), crop=False)
    _copy(found, folder, asked)
    out.print(Text(f"\nreport: {folder / HTML_FILE}"), soft_wrap=True)
    return 0


def _arguments() -> Arguments:
    arguments = Arguments("compare", "What each preparation choice of a study is worth, how sure that is, and at what cost.")
    metrics = "; ".join(f"{task}: {', '.join(scores.metrics)}" for task, scores in TASKS.items())
    arguments.add_argument("studies", nargs="+", type=Path, metavar="STUDY", help="folders of studies: multirun/NAME")
    arguments.add_argument("--metric", help=f"one that the task has, by itself the first: {metrics}")
    arguments.add_argument("--baseline", default="", metavar="GROUP=CHOICE,…", help="what choices are compared with, where it is not none")
    arguments.add_argument("--delta", type=float, help="a difference inside ±delta counts as none (0.01; of mse 1%% of the baseline's)")
    arguments.add_argument("--by", default="class,length", help="slices: class, length, columns of the data (class,length)")
    arguments.add_argument("--out", type=Path, metavar="DIR", help=f"where the report goes (STUDY/{_FOLDER})")
    arguments.add_argument("--watch", action="store_true", help="do it again whenever a run ends, until all have")
    arguments.add_argument("--wandb", action="store_true", help="log it to the study's group of W&B too, offline")
    arguments.add_argument("--online", action="store_true", help="with --wandb: send it to the server")
    arguments.add_argument("--tensorboard", action="store_true", help="write it as TensorBoard events into DIR/tensorboard too")
    return arguments


def _shown_or_waiting(look: Callable[[], Findings]) -> RenderableType:
    """The summary; of a sweep that has just begun, what is still missing for it."""
    try:
        return summary(look())
    except Refused as error:
        return Text(f"waiting: {error}")


def _copy(found: Findings, folder: Path, asked: argparse.Namespace) -> None:
    if asked.wandb:
        from prepsweep.compare.sinks import to_wandb

        to_wandb(found, folder / HTML_FILE, mode="online" if asked.online else "offline")
    if asked.tensorboard:
        from prepsweep.compare.sinks import to_tensorboard

        to_tensorboard(found, folder / "tensorboard")


def _baselines(text: str) -> dict[str, str]:
    # A choice may hold commas of its own: clean=[html,pii].
    parts = [part.partition("=") for part in re.split(r",(?=[^,=\[\]()]+=)", text) if part]
    for group, sign, choice in parts:
        if not (group and sign and choice):
            raise Refused("--baseline", f"{group + sign + choice!r} is not group=choice", "write --baseline augment=none,balance=none")
    baselines = {group: choice for group, _, choice in parts}
    if len(baselines) < len(parts):
        raise Refused("--baseline", f"{text!r} names two choices of a group", "compare with one of them at a time")
    return baselines
