"""`report.md`: answer, verdicts and concerns, short enough for a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prepsweep.compare.findings import Findings, answer
from prepsweep.compare.report.tables import written
from prepsweep.visible import cut

_MAX_ROWS, _MAX_CONCERNS, _CHARACTERS = 30, 10, 120
# Whatever starts markup, a mention or a link in GitHub's dialect.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&@:$])")


def markdown(found: Findings) -> str:
    """GitHub-flavoured Markdown in which no name can be more than text."""
    said, unit = answer(found, name=code), found.unit
    lines = [f"**{said[0]}** {' '.join(said[1:])}", ""]
    lines += _row(["choice", "against", f"effect on {unit.of(found.metric_name)}", "95% interval", "seeds", "p", "verdict", "seconds more"])
    lines += ["|---|---|--:|--:|--:|--:|---|--:|"]
    for one in found.contrasts[:_MAX_ROWS]:
        ends = " to ".join(unit.said(end, "+") for end in one.effect.interval())
        numbers = [f"**{unit.said(one.effect.estimate, '+')}**", ends, str(one.effect.n_seeds), f"{one.p_adjusted:.3f}"]
        lines += _row([code(one.name), code(one.baseline), *numbers, str(one.verdict), written(one.seconds, "+.0f")])
    if (n_more := len(found.contrasts) - _MAX_ROWS) > 0:
        lines += ["", f"and {n_more} more"]
    if found.concerns:
        lines += ["", "Concerns:", ""]
        lines += [f"* {code(one.arm) + ': ' if one.arm else ''}{escaped(one.words)}" for one in found.concerns[:_MAX_CONCERNS]]
    if (n_more := len(found.concerns) - _MAX_CONCERNS) > 0:
        lines += [f"* and {n_more} more"]
    n_arms, n_missing = len(found.study.arms()), len(found.study.missing)
    counts = f"{len(found.study.runs)} runs of {n_arms} arms, {n_missing} unfinished."
    lines += ["", f"{counts} p after Holm over the table, seeds and rows as chance."]
    return "\n".join(lines) + "\n"


def code(name: str) -> str:
    """A name in a code span, which neither markup nor mentions get out of, also within a table."""
    text = cut(name, _CHARACTERS)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    room = " " if "`" in text else ""
    return f"{fence}{room}{text}{room}{fence}".replace("|", r"\|")


def escaped(text: str) -> str:
    """Text that stays text."""
    return _SPECIAL.sub(r"\\\1", cut(text, 4 * _CHARACTERS))


def _row(cells: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(cells)} |"]
