"""The forest plot: for each choice its effect, its interval and a dot for each seed, over the band that counts as nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prepsweep.compare.contrasts import Contrast
from prepsweep.compare.measures import Unit
from prepsweep.compare.report.scale import Scale, band, cut_at, scale_of, signed_ticks

MAX_ROWS = 60
_MAX_DOTS = 50


def forest(found: Sequence[Contrast], *, delta: float, noise: float | None, unit: Unit) -> dict[str, Any]:
    """Places in percent of the plot's width, of effects in their unit: dots stay round and text stays readable at any width."""
    middle = [value for contrast in found for value in (contrast.effect.estimate, *contrast.by_seed.values())]
    least = max(1.5 * delta, noise or 0)
    scale = scale_of(cut_at(middle, [contrast.effect for contrast in found], least, unit), 1, 99, margin=0.03)
    return {
        "rows": [_row(contrast, scale, unit) for contrast in found[:MAX_ROWS]],
        "n_more": max(0, len(found) - MAX_ROWS),
        "zero": scale.at(0),
        "delta": band(delta, scale, unit),
        "noise": band(noise, scale, unit) if noise else None,
        "ticks": signed_ticks(scale),
    }


def _row(contrast: Contrast, scale: Scale, unit: Unit) -> dict[str, Any]:
    low, high = (unit.factor * end for end in contrast.effect.interval())
    seeds = [unit.factor * value for value in contrast.by_seed.values()][:_MAX_DOTS]
    return {
        "contrast": contrast,
        "low": scale.at(low),
        "high": scale.at(high),
        "cut_low": low < scale.low,
        "cut_high": high > scale.high,
        "estimate": scale.at(unit.factor * contrast.effect.estimate),
        "dots": [scale.at(value) for value in seeds],
    }
