"""The report as one HTML file: it fetches nothing, and its policy allows its own style sheet and script and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prepsweep import __version__
from prepsweep.compare.contrasts import Contrast
from prepsweep.compare.findings import Findings, answer
from prepsweep.compare.interactions import Interaction
from prepsweep.compare.measures import POINTS, Unit
from prepsweep.compare.report import sections
from prepsweep.compare.report.commands import commands
from prepsweep.compare.report.curves import mean_curves, small_multiples
from prepsweep.compare.report.dumbbells import dumbbells
from prepsweep.compare.report.flow import MAX_FLOWS, drawn, flows
from prepsweep.compare.report.forest import MAX_ROWS, forest
from prepsweep.compare.report.heat import confusions, effects_by_class
from prepsweep.compare.report.scatter import scatter
from prepsweep.compare.report.tables import Cell, written
from prepsweep.monitors import MONITORS, ONE_CLASS
from prepsweep.pages import render
from prepsweep.visible import cut, fitting

# Never colour alone: each verdict has a sign of its own.
SYMBOLS = {"helps": "▲", "hurts": "▼", "equivalent": "≈", "no evidence": "?", "needs more seeds": "○"}
_MAX_CONCERNS = 40


def page(found: Findings, *, command: str) -> str:
    """The HTML of all that was found; `command` is what made it."""
    unit = found.unit
    filters: dict[str, Callable[..., Any]] = {
        "shown": lambda value, most=300: cut(str(value), most),
        "fitting": fitting,
        "number": written,
        "bare": _bare,
        "said": unit.said,
        "interval": lambda one: _interval(one, unit),
        "in_words": lambda one: _in_words(one, unit),
        "together": sections.together,
    }
    values = _head(found) | _plots(found) | {"command": command, "symbols": SYMBOLS, "version": __version__}
    values["contents"] = [(id, name) for id, name, there in _contents(values) if there]
    return render("prepsweep.compare.report", "page.html.j2", values, filters=filters)


def _head(found: Findings) -> dict[str, Any]:
    study = found.study
    n_test = sorted({run.record["data"]["splits"]["test"]["rows"] for run in study.runs})
    n_seeds = len({run.seed for run in study.runs})
    arms = study.arms()
    return {
        "title": ", ".join(dict.fromkeys(run.run_dir.parent.name for run in study.runs)),
        "facts": [
            f"{len(study.runs):,} runs",
            f"{len(arms):,} arm{'s' * (len(arms) != 1)}",
            f"{n_seeds:,} seed{'s' * (n_seeds != 1)}",
            f"{n_test[0]:,} test rows" if len(n_test) == 1 else f"{n_test[0]:,} to {n_test[-1]:,} test rows",
            f"last finished {max(run.record['finished'] for run in study.runs)[:16].replace('T', ' ')} UTC",
        ],
        "answer": answer(found),
        "metric_name": found.metric_name,
        "unit": found.unit,
        "delta": found.delta,
        "axis": f"points of {found.metric_name}" if found.unit is POINTS else found.metric_name,
        "delta_said": f"{found.unit.factor * found.delta:.4g}",
        "contrasts": found.contrasts[: sections.MAX_ROWS],
        "n_more_contrasts": max(0, len(found.contrasts) - sections.MAX_ROWS),
        "concerns": found.concerns[:_MAX_CONCERNS],
        "n_more_concerns": max(0, len(found.concerns) - _MAX_CONCERNS),
        "concerns_of": found.concerns_of,
        "n_runs": len(study.runs),
    }


def _plots(found: Findings) -> dict[str, Any]:
    arms = found.study.arms()
    of_classes = found.study.task == ONE_CLASS
    points, ways, mistaken = mean_curves(arms, found.metric), flows(arms), confusions(arms) if of_classes else []
    noise, unit = found.noise_floor, found.unit
    flips = [sections.flipped(one, number) for number, one in enumerate(found.flips, 1) if one.gained or one.lost]
    tables = {
        "verdicts": sections.verdicts("effects-table", "Every number behind the verdicts", found.contrasts, unit),
        "interactions": sections.interactions(found.interactions, unit),
        "chosen": sections.chosen_in(found.chosen) if found.chosen else None,
        "left_out": sections.untold(found.left_out),
        "seeds": sections.seeds(found.contrasts[:MAX_ROWS], unit),
        "budgets": sections.by_budget(found.budgets, unit) if found.budgets else None,
        "controls": sections.verdicts("controls-table", "Augmentations against plain copies", found.controls, unit)
        if found.controls
        else None,
        "curves": sections.curves(points, found.metric_name, unit),
        "classes": sections.in_slices(found.slices, of_class=True),
        "slices": sections.in_slices(found.slices, of_class=False),
        "flips": sections.flips(found.flips),
        "confusions": sections.confused(mistaken),
        "flow": sections.row_flow(ways),
        "arms": sections.arms(found.costs, found.metric_name, unit),
        "missing": sections.missing(found.study.missing),
        "commands": commands(found.study, found.metric),
    }
    return {
        "tables": tables,
        "forest": forest(found.contrasts, delta=found.delta, noise=noise.means_95 if noise else None, unit=unit)
        if found.contrasts
        else None,
        "noise_floor": noise,
        "interactions": dumbbells(found.interactions, delta=found.delta, unit=unit) if found.interactions else None,
        "chosen": found.chosen,
        "monitor_name": MONITORS[found.study.task][1],
        "of_classes": of_classes,
        "curves": small_multiples(points),
        "classes": effects_by_class(found.slices),
        "flips": flips,
        "confusions": mistaken,
        "n_more_confusions": len(arms) - len(mistaken),
        "flows": [way | {"plot": drawn(way["steps"])} for way in ways[:MAX_FLOWS]],
        "n_more_flows": max(0, len(ways) - MAX_FLOWS),
        "scatter": scatter(found.costs, unit),
    }


def _contents(values: dict[str, Any]) -> list[tuple[str, str, bool]]:
    return [
        ("effects", "Effects", bool(values["contrasts"])),
        ("interactions", "Interactions", bool(values["interactions"])),
        ("fair", "Fairness", True),
        ("curves", "Learning curves", bool(values["curves"])),
        ("classes", "Classes", bool(values["classes"])),
        ("slices", "Slices", bool(values["tables"]["slices"].rows)),
        ("flips", "Flipped rows", bool(values["tables"]["flips"].rows)),
        ("confusions", "Confusions", bool(values["confusions"])),
        ("flow", "Row flow", True),
        ("cost", "Cost", True),
        ("chosen", "Honest score", bool(values["chosen"])),
        ("missing", "Left out", bool(values["tables"]["missing"].rows or values["tables"]["left_out"].rows)),
        ("commands", "Commands", True),
    ]


def _bare(value: Cell) -> str:
    """A number for the script that sorts; nothing where it is not known."""
    return "" if value is None else f"{value:.6g}"


def _interval(found: Contrast | Interaction, unit: Unit) -> str:
    return " to ".join(unit.said(end, "+") for end in found.effect.interval())


def _in_words(contrast: Contrast, unit: Unit) -> str:
    ends = " to ".join(unit.said(pick(contrast.by_seed.values()), "+") for pick in (min, max))
    seeds = f"{contrast.effect.n_seeds} seeds from {ends}"
    effect = f"{unit.said(contrast.effect.estimate, '+')} {unit.name}"
    return f"{effect}, 95% interval {_interval(contrast, unit)}, {seeds}: {contrast.verdict}"
