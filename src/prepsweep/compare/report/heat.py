"""Tables whose cells are shaded by their numbers: effects by class, and which class is taken for which."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prepsweep.compare.records import Run
from prepsweep.compare.slices import Slice

MAX_CLASSES, MAX_CHOICES = 60, 8
MAX_ARMS, MAX_CONFUSED = 12, 10
_SHADES = 4


@dataclass(frozen=True)
class Shaded:
    """A cell: its number, how strong its colour is (0 to 4), on which side of nothing, and whether it is sure."""

    value: float | None
    shade: int
    sign: str
    sure: bool = False


def effects_by_class(found: Sequence[Slice]) -> dict[str, Any] | None:
    """Classes down, choices across, effects on the F1 of the class in points; None where there are none."""
    of_class = [one for one in found if one.kind == "class"]
    choices = list(dict.fromkeys(one.contrast for one in of_class))
    classes = list(dict.fromkeys(one.value for one in of_class))
    if not of_class:
        return None
    cells = {(one.value, one.contrast): one for one in of_class}
    most = max(abs(one.effect.estimate) for one in of_class)
    n_rows = {one.value: one.n_rows for one in of_class}
    shown = choices[:MAX_CHOICES]
    rows = [
        {"label": label, "n_rows": n_rows[label], "cells": [_effect(cells.get((label, choice)), most) for choice in shown]}
        for label in classes[:MAX_CLASSES]
    ]
    return {"choices": shown, "rows": rows, "n_more": max(0, len(classes) - MAX_CLASSES)}


def confusions(arms: Mapping[str, Sequence[Run]], most_classes: int = MAX_CONFUSED) -> list[dict[str, Any]]:
    """For each of the first arms, of the rows of each class the share in percent that was predicted as each, over all seeds.

    Beyond ten classes only those are shown that are most often mistaken, by the first arm.
    """
    counted = {arm: _counts(runs) for arm, runs in list(arms.items())[:MAX_ARMS]}
    if not counted:
        return []
    classes = next(iter(arms.values()))[0].classes
    first = next(iter(counted.values()))
    wrong = first.sum(axis=1) + first.sum(axis=0) - 2 * np.diag(first)
    kept = sorted(np.argsort(-wrong, kind="stable")[:most_classes].tolist())
    found = []
    for arm, counts in counted.items():
        shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        rows = [{"label": classes[i], "cells": [_share(float(shares[i, j]), right=i == j) for j in kept]} for i in kept]
        found.append({"arm": arm, "classes": [classes[j] for j in kept], "rows": rows, "n_left": len(classes) - len(kept)})
    return found


def _effect(one: Slice | None, most: float) -> Shaded:
    if one is None:
        return Shaded(None, 0, "plus")
    shade = round(_SHADES * abs(one.effect.estimate) / most) if most else 0
    return Shaded(100 * one.effect.estimate, shade, "plus" if one.effect.estimate >= 0 else "minus", one.p_adjusted <= 0.05)


def _share(percent: float, *, right: bool) -> Shaded:
    # Mistakes are small shares: the root tells 5% from 20%.
    return Shaded(percent, round(_SHADES * math.sqrt(percent / 100)), "plus" if right else "minus")


def _counts(runs: Sequence[Run]) -> np.ndarray[Any, np.dtype[np.int64]]:
    n = len(runs[0].classes)
    total = np.zeros((n, n), dtype=np.int64)
    for run in runs:
        label, prediction = run.tested.labels, run.tested.predictions
        known = (label >= 0) & (prediction >= 0)
        total += np.bincount(label[known] * n + prediction[known], minlength=n * n).reshape(n, n)
    return total
