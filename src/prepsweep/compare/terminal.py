"""The verdicts on the terminal: a line for each choice, then the arms, then what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prepsweep.compare.contrasts import Contrast
from prepsweep.compare.records import Study

_COLOURS = {"helps": "green", "hurts": "red"}


def show_study(study: Study, found: Sequence[Contrast], *, metric: str, delta: float) -> None:
    """Print what `compare` found; scores and effects in points of 0.01."""
    console = Console(highlight=False, width=None if Console().is_terminal else 140)
    console.print(_verdicts(found, metric))
    console.print(
        f"Seeds and test rows are crossed random effects; p after Holm over all lines; a difference inside ±{100 * delta:g} counts as none."
    )
    console.print(_arms(study, metric))
    for run_dir, reason in study.missing:
        console.print(f"[red]left out: {escape(run_dir)}: {escape(reason)}[/red]", soft_wrap=True)
    for contrast in found:
        if contrast.n_unpaired:
            console.print(
                f"{escape(contrast.name)}: {contrast.n_unpaired} runs have no partner with their seed and settings", soft_wrap=True
            )


def _verdicts(found: Sequence[Contrast], metric: str) -> Table:
    title = f"What each choice changes ({metric}, points)"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in ("choice", "against"):
        table.add_column(name)
    for name in ("effect", "95% interval", "seeds", "better in", "p", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for contrast in found:
        low, high = contrast.effect.interval()
        colour = _COLOURS.get(contrast.verdict.word)
        words = f"[{colour}]{contrast.verdict}[/{colour}]" if colour else str(contrast.verdict)
        numbers = [f"{100 * contrast.effect.estimate:+.2f}", f"{100 * low:+.2f} to {100 * high:+.2f}", str(contrast.effect.n_seeds)]
        numbers += [f"{contrast.p_better:.0%}", f"{contrast.p_adjusted:.3f}", f"{contrast.seconds:+.0f}"]
        table.add_row(escape(contrast.name), escape(contrast.baseline), *numbers, words)
    return table


def _arms(study: Study, metric: str) -> Table:
    table = Table(title="\nArms", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("arm")
    for name in ("runs", f"mean {metric}", "sd over seeds", "steps", "seconds"):
        table.add_column(name, justify="right")
    for arm, runs in study.arms().items():
        scores = [100 * run.record["metrics"]["test"][metric] for run in runs]
        spread = f"{stdev(scores):.2f}" if len(scores) > 1 else "·"
        steps = sorted({run.record["budget"]["steps"] for run in runs})
        seconds = fmean(run.record["cost"]["prepare_seconds"] + run.record["cost"]["train_seconds"] for run in runs)
        shown = str(steps[0]) if len(steps) == 1 else f"{steps[0]}–{steps[-1]}"
        table.add_row(escape(arm) or "(one arm)", str(len(runs)), f"{fmean(scores):.2f}", spread, shown, f"{seconds:.0f}")
    return table
