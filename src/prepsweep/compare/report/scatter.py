"""Score against cost: one dot for each arm, and the line of those that no other arm beats on both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prepsweep.compare.costs import ArmCost
from prepsweep.compare.measures import Unit
from prepsweep.compare.report.scale import axes, path_through, scale_of

WIDTH, HEIGHT = 420, 270
MAX_ARMS = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 410, 12, 226
_NAMED = 40


def scatter(arms: Sequence[ArmCost], unit: Unit) -> dict[str, Any]:
    """Where each arm's dot stands; its number is its place in the table of arms."""
    shown = arms[:MAX_ARMS]
    across = scale_of([arm.seconds for arm in shown], _LEFT, _RIGHT)
    up = scale_of([unit.factor * arm.mean for arm in shown], _BOTTOM, _TOP)
    dots = [
        {
            "x": across.at(arm.seconds),
            "y": up.at(unit.factor * arm.mean),
            "number": place,
            "arm": arm,
            "named": arm.pareto or len(shown) <= _NAMED,
        }
        for place, arm in enumerate(shown, 1)
    ]
    front = sorted((across.at(arm.seconds), up.at(unit.factor * arm.mean)) for arm in shown if arm.pareto)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": _LEFT,
        "right": _RIGHT,
        "bottom": _BOTTOM,
        "top": _TOP,
        "dots": dots,
        "front": path_through(front) if len(front) > 1 else None,
        **axes(across, up, n_ticks=5),
    }
