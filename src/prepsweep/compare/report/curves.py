"""Learning curves: the dev score of each arm over its training, mean over seeds, with the other arms behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from prepsweep.compare.measures import MEASURES
from prepsweep.compare.records import Run
from prepsweep.compare.report.scale import axes, path_through, scale_of

WIDTH, HEIGHT = 300, 150
MAX_ARMS = 12
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 292, 8, 126
_MAX_POINTS = 60

Points = list[tuple[float, float]]


def mean_curves(arms: Mapping[str, Sequence[Run]], metric: str) -> dict[str, Points]:
    """(step, mean score in its unit) of each arm that recorded a curve, at the steps that all its runs were looked at."""
    measure = MEASURES[metric]
    found: dict[str, Points] = {}
    for arm, runs in arms.items():
        at: defaultdict[float, list[float]] = defaultdict(list)
        for run in runs:
            for point in run.record["metrics"]["val_curve"]:
                if (score := measure.recorded(point)) is not None:
                    at[point["step"]].append(measure.unit.factor * score)
        points = [(step, fmean(scores)) for step, scores in sorted(at.items()) if len(scores) == len(runs)]
        if len(points) > 1:
            found[arm] = points[:: -(-len(points) // _MAX_POINTS)]
    return found


def small_multiples(curves: Mapping[str, Points]) -> dict[str, Any] | None:
    """One small plot for each of the first arms, all on the same axes; None where no arm has two points."""
    if not curves:
        return None
    across = scale_of([0, *(step for points in curves.values() for step, _ in points)], _LEFT, _RIGHT, margin=0)
    up = scale_of([score for points in curves.values() for _, score in points], _BOTTOM, _TOP)
    places = {arm: [(across.at(step), up.at(score)) for step, score in points] for arm, points in curves.items()}
    paths = {arm: path_through(points) for arm, points in places.items()}
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": _LEFT,
        "right": _RIGHT,
        "bottom": _BOTTOM,
        "behind": list(paths.values())[:MAX_ARMS],
        "plots": [
            {"arm": arm, "path": paths[arm], "points": found, "x": found[-1][0], "y": found[-1][1], "last": curves[arm][-1][1]}
            for arm, found in list(places.items())[:MAX_ARMS]
        ],
        "n_more": max(0, len(curves) - MAX_ARMS),
        **axes(across, up, n_ticks=4),
    }
