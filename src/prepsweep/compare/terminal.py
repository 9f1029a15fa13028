"""What `compare` found on the terminal: the answer, a line for each choice, the arms, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from prepsweep.compare.contrasts import Contrast
from prepsweep.compare.costs import ArmCost
from prepsweep.compare.findings import Findings, answer
from prepsweep.compare.interactions import Interaction
from prepsweep.compare.measures import Unit
from prepsweep.compare.report.sections import together
from prepsweep.visible import cut

_COLOURS = {"helps": "green", "hurts": "red"}
_MAX_ARMS, _MAX_LINES = 30, 10
_CHARACTERS = 300


def console() -> Console:
    """Standard output, 140 columns wide where it is no terminal."""
    return Console(highlight=False, markup=False, emoji=False, width=None if Console().is_terminal else 140)


def summary(found: Findings) -> RenderableType:
    """The short of it, the surest and the best first; scores and effects in the unit of the score."""
    unit = found.unit
    parts: list[RenderableType] = [Text(cut(" ".join(answer(found)), 10 * _CHARACTERS), style="bold")]
    if found.contrasts:
        counted = f"a difference inside ±{unit.factor * found.delta:.4g} counts as none"
        parts.append(_verdicts(found.contrasts, found))
        parts.append(f"Seeds and test rows are crossed random effects; p after Holm over all lines; {counted}.")
    parts += _lines(
        [
            f"together: {one.name}: {unit.factor * one.effect.estimate:+{unit.exact}} beyond the sum, {together(one)}"
            for one in _sure(found)
        ],
        "",
    )
    parts.append(_arms(found.costs, found.metric, unit))
    parts += _lines([f"concern: {one.arm + ': ' if one.arm else ''}{one.words}" for one in found.concerns], "yellow")
    parts += _lines([f"left out: {run_dir}: {reason}" for run_dir, reason in found.study.missing], "red")
    parts += _lines([f"nothing can be said of {choice}: {reason}" for choice, reason in found.left_out], "yellow")
    unpaired = [(one.name, f"{one.n_unpaired} run{'s' * (one.n_unpaired != 1)}") for one in found.contrasts if one.n_unpaired]
    parts += _lines([f"{name}: {runs} without a partner of the same seed and settings" for name, runs in unpaired], "")
    return Group(*parts)


def _sure(found: Findings) -> list[Interaction]:
    return [one for one in found.interactions if one.verdict.word in ("helps", "hurts")]


def _lines(texts: Sequence[str], style: str) -> list[Text]:
    # A path is not broken: it can be copied. Whoever prints must not crop it either.
    shown = [Text(cut(text, _CHARACTERS), style=style, no_wrap=True, overflow="ignore") for text in texts[:_MAX_LINES]]
    return shown + ([Text(f"and {len(texts) - _MAX_LINES} more", style=style)] if len(texts) > _MAX_LINES else [])


def _verdicts(contrasts: Sequence[Contrast], found: Findings) -> Table:
    unit = found.unit
    table = _table(f"\nWhat each choice changes ({found.metric}, {unit.name})", ("choice", "against"))
    for name in ("effect", "95% interval", "seeds", "better in", "p", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("verdict")

    def shown(value: float) -> str:
        return f"{unit.factor * value:+{unit.exact}}"

    for one in contrasts:
        low, high = one.effect.interval()
        numbers = [shown(one.effect.estimate), f"{shown(low)} to {shown(high)}", str(one.effect.n_seeds)]
        numbers += [f"{one.p_better:.0%}", f"{one.p_adjusted:.3f}", f"{one.seconds:+.0f}"]
        doubted = " (see concerns)" if found.concerns_of(one) else ""
        verdict = Text(f"{one.verdict}{doubted}", style=_COLOURS.get(one.verdict.word, ""))
        table.add_row(_name(one.name), _name(one.baseline), *numbers, verdict)
    return table


def _arms(arms: Sequence[ArmCost], metric: str, unit: Unit) -> Table:
    table = _table("\nArms", ("arm",))
    for name in ("runs", f"mean {metric}", "sd over seeds", "steps", "seconds"):
        table.add_column(name, justify="right")
    for arm in sorted(arms, key=lambda arm: -arm.mean)[:_MAX_ARMS]:
        spread = "·" if arm.sd is None else f"{unit.factor * arm.sd:{unit.exact}}"
        numbers = (str(arm.n_runs), f"{unit.factor * arm.mean:{unit.exact}}", spread, f"{arm.steps:.0f}", f"{arm.seconds:.0f}")
        table.add_row(_name(arm.arm or "(one arm)"), *numbers)
    if len(arms) > _MAX_ARMS:
        table.add_row(f"and {len(arms) - _MAX_ARMS} more")
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _name(name: str) -> Text:
    return Text(cut(name, _CHARACTERS))
