"""Say what each preparation choice of a study is worth, how sure that is, and at what cost."""

from __future__ import annotations

from pathlib import Path

from prepsweep.commands import Arguments
from prepsweep.compare.contrasts import contrasts
from prepsweep.compare.pseudovalues import METRICS
from prepsweep.compare.records import read_studies
from prepsweep.compare.terminal import show_study
from prepsweep.errors import Refused, nearest


def main(argv: list[str]) -> int:
    """Print the verdicts of the studies and their arms."""
    arguments = Arguments("compare", "What each preparation choice of a study is worth, how sure that is, and at what cost.")
    arguments.add_argument("studies", nargs="+", type=Path, metavar="STUDY", help="folders of studies: multirun/NAME")
    arguments.add_argument("--metric", default="macro_f1", help=f"one of {', '.join(METRICS)}")
    arguments.add_argument("--baseline", default="", metavar="GROUP=CHOICE,…", help="what choices are compared with, where it is not none")
    arguments.add_argument("--delta", type=float, default=0.01, help="a difference inside ±delta counts as none (0.01)")
    asked = arguments.parse(argv)
    if asked.metric not in METRICS:
        raise Refused("--metric", f"unknown metric {asked.metric!r}", nearest(asked.metric, METRICS))
    if not asked.delta > 0:
        raise Refused("--delta", f"must be above 0, got {asked.delta:g}", "try --delta 0.01")
    study = read_studies(asked.studies)
    found = contrasts(study, metric=asked.metric, delta=asked.delta, baselines=_baselines(asked.baseline))
    show_study(study, found, metric=asked.metric, delta=asked.delta)
    return 0


def _baselines(text: str) -> dict[str, str]:
    parts = [part for part in text.split(",") if part]
    for part in parts:
        if "=" not in part:
            raise Refused("--baseline", f"{part!r} is not group=choice", "write --baseline augment=none,balance=none")
    return dict(part.split("=", 1) for part in parts)
