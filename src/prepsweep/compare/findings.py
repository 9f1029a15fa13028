"""All that `compare` finds in a study, computed once; terminal, report and sinks show the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prepsweep.compare.adequacy import Concern, adequacy
from prepsweep.compare.baselines import refuse_unknown
from prepsweep.compare.budgets import BudgetView, budgets, controls
from prepsweep.compare.chosen import Chosen, chosen
from prepsweep.compare.contrasts import Contrast, contrasts, left_out
from prepsweep.compare.costs import ArmCost, baseline_arm, costs
from prepsweep.compare.flips import Flips, flips
from prepsweep.compare.interactions import Interaction, interactions
from prepsweep.compare.measures import MEASURES, POINTS, TASKS, Unit, default_delta, metric_of, name_of, unit_of
from prepsweep.compare.noise_floor import NoiseFloor, noise_floor
from prepsweep.compare.records import Study
from prepsweep.compare.slices import Slice, slices

# Contrasts that are looked at slice by slice and row by row: the surest ones.
_MOST_SLICED, _MOST_FLIPPED = 8, 4
_NAMED = 4


@dataclass(frozen=True)
class Findings:
    """What the parts of `compare` returned for one study, metric and δ; the surest contrast is the first."""

    study: Study
    metric: str
    delta: float
    contrasts: list[Contrast]
    left_out: list[tuple[str, str]]
    interactions: list[Interaction]
    noise_floor: NoiseFloor | None
    chosen: Chosen | None
    slices: list[Slice]
    flips: list[Flips]
    concerns: list[Concern]
    costs: list[ArmCost]
    budgets: list[BudgetView]
    controls: list[Contrast]

    @property
    def metric_name(self) -> str:
        """The metric as a sentence has it."""
        return name_of(self.metric)

    @property
    def unit(self) -> Unit:
        """What its scores and effects are shown in."""
        return unit_of(self.metric)

    def concerns_of(self, contrast: Contrast) -> list[Concern]:
        """The doubts about the arms that the choice is part of; those about the whole study are not repeated for each."""
        return [one for one in self.concerns if f" {contrast.name} " in f" {one.arm} "]


def find(study: Study, *, metric: str | None, delta: float | None, baselines: Mapping[str, str], by: Sequence[str]) -> Findings:
    """Everything, with slices by class, by length and by the columns that `by` names; metric and δ are the task's unless given."""
    metric = metric_of(study, metric)
    refuse_unknown(study, baselines)
    task = TASKS[study.task]
    if delta is None:
        base = study.arms().get(baseline_arm(study, baselines), study.runs)
        delta = default_delta(base, metric)
    found = contrasts(study, metric=metric, delta=delta, baselines=baselines)
    # What does not fit on a page is then the least sure.
    found.sort(key=lambda one: (one.p_adjusted, -abs(one.effect.estimate)))
    return Findings(
        study=study,
        metric=metric,
        delta=delta,
        contrasts=found,
        left_out=left_out(study, baselines=baselines),
        interactions=interactions(study, metric=metric, delta=delta, baselines=baselines),
        noise_floor=noise_floor(study, metric=metric, baselines=baselines),
        chosen=chosen(study, metric=metric),
        slices=slices(study, found[:_MOST_SLICED], metric=metric, by=by),
        flips=[flips(study, one) for one in found[:_MOST_FLIPPED] if task.flips],
        concerns=adequacy(study, metric=metric),
        costs=costs(study, metric=metric, baselines=baselines),
        budgets=budgets(study, metric=metric, delta=delta, baselines=baselines),
        controls=controls(study, metric=metric, delta=delta, baselines=baselines),
    )


def answer(found: Findings, *, name: Callable[[str], str] = str) -> list[str]:
    """The answer in plain sentences, what to do first; `name` puts the name of a choice into the words of a format."""
    if not found.contrasts:
        reasons = [f"{name(choice)}: {reason}." for choice, reason in found.left_out[:_NAMED]]
        return ["There is nothing to compare.", *(reasons or ["All runs made the same choices."])]
    by_word: dict[str, list[Contrast]] = {}
    for one in sorted(found.contrasts, key=lambda one: -abs(one.effect.estimate)):
        by_word.setdefault(one.verdict.word, []).append(one)
    said = _helping(by_word.get("helps", []), found, name)
    said += [f"{_shown(by_word['hurts'], name, _effect_in(found.unit))} {_verb(by_word['hurts'], 'hurt')}."] if "hurts" in by_word else []
    if "equivalent" in by_word:
        said.append(f"{_shown(by_word['equivalent'], name)} changed the score by less than {_size(found)}: choose by cost.")
    if "needs more seeds" in by_word:
        said.append(f"Not settled yet: {_shown(by_word['needs more seeds'], name, lambda one: str(one.verdict))}.")
    near = [one for one in by_word.get("no evidence", []) if one.effect.further_seeds(found.delta) == 0]
    few_rows = [one for one in by_word.get("no evidence", []) if one not in near]
    said += [f"For {_shown(few_rows, name)} the test rows are too few to tell."] if few_rows else []
    said += [f"{_shown(near, name)} changed the score by about {_size(found)}, too little to be sure."] if near else []
    if found.concerns:
        n = len(found.concerns)
        said.append(f"{n} concern{'s' * (n != 1)} about fairness should be read first.")
    if n := len(found.study.missing):
        said.append(f"{n} run{'s' * (n != 1)} did not finish or cannot be read, and {'are' if n != 1 else 'is'} left out.")
    return [*said, note] if (note := MEASURES[found.metric].note) else said


def _helping(helps: Sequence[Contrast], found: Findings, name: Callable[[str], str]) -> list[str]:
    if not helps:
        return ["No choice is shown to help."]
    best, others = helps[0], helps[1:]
    effect, low, high = (found.unit.said(value) for value in (best.effect.estimate, *best.effect.interval()))
    gains = MEASURES[found.metric].gain.format(size=effect, name=found.metric_name)
    baseline = name(f"{best.factor}={best.baseline}")
    at_cost = f", for {best.seconds:.0f} more seconds a run" if best.seconds >= 1 else ""
    said = [f"Use {name(best.name)}: it {gains} over {baseline} (95% interval {low} to {high}, {best.effect.n_seeds} seeds){at_cost}."]
    return said + ([f"{_shown(others, name, _effect_in(found.unit))} {_verb(others, 'help')} too."] if others else [])


def _shown(some: Sequence[Contrast], name: Callable[[str], str], more: Callable[[Contrast], str] | None = None) -> str:
    """Names in a row, the first few of them."""
    parts = [f"{name(one.name)} ({more(one)})" if more else name(one.name) for one in some[:_NAMED]]
    if len(some) > _NAMED:
        parts.append(f"{len(some) - _NAMED} more")
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _verb(some: Sequence[Contrast], verb: str) -> str:
    return verb if len(some) > 1 else f"{verb}s"


def _effect_in(unit: Unit) -> Callable[[Contrast], str]:
    return lambda one: unit.said(one.effect.estimate, "+")


def _size(found: Findings) -> str:
    if found.unit is not POINTS:
        return f"{found.delta:.3g}"
    return f"{100 * found.delta:g} point{'s' * (found.delta != 0.01)}"
