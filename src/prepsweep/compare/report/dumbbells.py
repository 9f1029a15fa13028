"""The interaction plot: what a choice adds without another one and with it, two marks on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prepsweep.compare.interactions import Interaction
from prepsweep.compare.measures import Unit
from prepsweep.compare.report.scale import Scale, band, cut_at, scale_of, signed_ticks
from prepsweep.compare.statistics import Effect

MAX_ROWS = 24


def dumbbells(found: Sequence[Interaction], *, delta: float, unit: Unit) -> dict[str, Any]:
    """Places in percent of the plot's width, as in the forest plot; the surest interactions first."""
    shown = sorted(found, key=lambda one: one.p_adjusted)[:MAX_ROWS]
    effects = [effect for one in shown for effect in (one.effect_a_without_b, one.effect_a_with_b)]
    scale = scale_of(cut_at([effect.estimate for effect in effects], effects, 1.5 * delta, unit), 1, 99, margin=0.03)
    return {
        "rows": [
            {"one": one, "without": _mark(one.effect_a_without_b, scale, unit), "with": _mark(one.effect_a_with_b, scale, unit)}
            for one in shown
        ],
        "n_more": max(0, len(found) - MAX_ROWS),
        "zero": scale.at(0),
        "delta": band(delta, scale, unit),
        "noise": None,
        "ticks": signed_ticks(scale),
    }


def _mark(effect: Effect, scale: Scale, unit: Unit) -> dict[str, float]:
    x, low, high = (scale.at(unit.factor * value) for value in (effect.estimate, *effect.interval()))
    return {"x": x, "low": low, "high": high}
