"""Where a number stands on an axis, and which round numbers are written beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prepsweep.compare.measures import Unit
from prepsweep.compare.statistics import Effect

_WIDEST = 2.5


@dataclass(frozen=True)
class Scale:
    """Numbers from `low` to `high` onto `start` to `end`; what lies outside is put at the nearer end."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The place of `value`, to a tenth."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, most: int = 6) -> list[float]:
        """At most `most` round numbers that are 1, 2 or 5 times a power of ten apart."""
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10, 20) if (self.high - self.low) / (power * factor) < most)
        first = math.ceil(self.low / step - 1e-9)
        return [round(step * number, 10) + 0.0 for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def scale_of(values: Iterable[float], start: float, end: float, *, margin: float = 0.06) -> Scale:
    """A scale that holds all `values` with some room on both sides, even where they are all equal."""
    known = list(values)
    low, high = min(known), max(known)
    room = margin * (high - low) or max(abs(high), 1.0) * margin
    return Scale(low - room, high + room, start, end)


def tick_text(value: float) -> str:
    """A tick as it is written: no needless zeros, a true minus sign."""
    return f"{value:g}".replace("-", "−")


def axes(across: Scale, up: Scale, *, n_ticks: int) -> dict[str, list[dict[str, Any]]]:
    """The ticks of both axes, as the pictures draw them."""
    return {
        "x_ticks": [{"x": across.at(tick), "text": tick_text(tick)} for tick in across.ticks(n_ticks)],
        "y_ticks": [{"y": up.at(tick), "text": tick_text(tick)} for tick in up.ticks(n_ticks)],
    }


def path_through(places: Iterable[tuple[float, float]]) -> str:
    """The line through places of a picture, as SVG writes it."""
    return "M" + "L".join(f"{x} {y}" for x, y in places)


def cut_at(middle: Sequence[float], effects: Sequence[Effect], least: float, unit: Unit) -> list[float]:
    """What a scale of effects in their unit should hold: `middle`, ±`least`, and the intervals unless they are much wider than that.

    An interval from two seeds can be ten times as wide as all else.
    """
    reach = _WIDEST * max([least, *map(abs, middle)])
    ends = [min(max(end, -reach), reach) for effect in effects for end in effect.interval()]
    return [unit.factor * value for value in (-least, least, *middle, *ends)]


def signed_ticks(scale: Scale) -> list[dict[str, Any]]:
    """Ticks of differences, as the template draws them."""
    return [{"x": scale.at(tick), "text": ("+" if tick > 0 else "") + tick_text(tick)} for tick in scale.ticks()]


def band(half: float, scale: Scale, unit: Unit) -> dict[str, float]:
    """Where ±`half` lies; the scale is in its unit."""
    left, right = scale.at(-unit.factor * half), scale.at(unit.factor * half)
    return {"x": left, "width": round(right - left, 1)}
