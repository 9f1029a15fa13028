"""The same contrasts under each budget, and augmentations against plain copies of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from prepsweep.compare.contrasts import Contrast, contrasts
from prepsweep.compare.records import Run, Study, as_text
from prepsweep.compare.statistics import holm

CONTROL = "duplicate"


@dataclass(frozen=True)
class BudgetView:
    """The contrasts among the runs of one budget (`equal_steps`, `epochs`, `steps`)."""

    budget: str
    contrasts: list[Contrast]


def budgets(study: Study, *, metric: str, delta: float, baselines: Mapping[str, str]) -> list[BudgetView]:
    """One view for each budget of the study, to be read side by side; empty where there is only one.

    A choice that helps under `epochs` and not under `equal_steps` gave the model more steps, not better rows. p is adjusted
    within a view: each answers the whole question by itself.
    """
    kinds = sorted({_choice(run, "budget") for run in study.runs})
    if len(kinds) < 2:
        return []
    return [BudgetView(kind, contrasts(_only(study, "budget", {kind}), metric=metric, delta=delta, baselines=baselines)) for kind in kinds]


def controls(study: Study, *, metric: str, delta: float, baselines: Mapping[str, str]) -> list[Contrast]:
    """Each augmentation against `duplicate`, which adds as many rows and no news; empty where `duplicate` was not run.

    What an augmentation gains over `none` and not over `duplicate` came from seeing rows again. p is adjusted (Holm) over
    these contrasts alone.
    """
    augments = {_choice(run, "augment") for run in study.runs}
    if CONTROL not in augments:
        return []
    made = _only(study, "augment", augments - {"none"})
    found = contrasts(made, metric=metric, delta=delta, baselines={**baselines, "augment": CONTROL})
    found = [contrast for contrast in found if contrast.factor == "augment"]
    adjusted = holm([contrast.effect.p_value() for contrast in found])
    return [replace(contrast, p_adjusted=p) for contrast, p in zip(found, adjusted, strict=True)]


def _choice(run: Run, factor: str) -> str:
    return as_text(run.record["choices"].get(factor))


def _only(study: Study, factor: str, choices: set[str]) -> Study:
    return Study([run for run in study.runs if _choice(run, factor) in choices], [])
