"""The row flow of an arm as a Sankey diagram that runs down the page: how many rows each stage took in, added and dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prepsweep.compare.records import Run

WIDTH = 300
MAX_FLOWS = 12
_STEP, _TOP, _LEFT, _ROOM, _GAP = 48, 12, 146, 136, 7
_SPLITS = ("train", "dev", "test")

Span = tuple[float, float]


def flows(arms: Mapping[str, Sequence[Run]]) -> list[dict[str, Any]]:
    """The stages that moved rows, for each set of arms whose rows went the same way, as their first run recorded them."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for arm, runs in arms.items():
        steps = _steps(runs[0])
        same = tuple((step["name"], *step["rows"].values(), step["added"], step["dropped"]) for step in steps)
        found.setdefault(same, {"arms": [], "steps": steps})["arms"].append(arm)
    return list(found.values())


def drawn(steps: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Where the bars of each stage and the bands between them stand."""
    unit = _ROOM / max(sum(step["rows"].values()) for step in steps)
    spans = [_spans(step["rows"], unit) for step in steps]
    nodes = [
        {"y": _TOP + number * _STEP, "step": step, "bars": [{"split": split, "x": x, "width": round(end - x, 1)} for split, (x, end) in at]}
        for number, (step, at) in enumerate((step, place.items()) for step, place in zip(steps, spans, strict=True))
    ]
    bands = [band for number in range(len(steps) - 1) for band in _bands(spans[number], spans[number + 1], _TOP + number * _STEP)]
    return {"width": WIDTH, "height": len(steps) * _STEP, "nodes": nodes, "bands": bands}


def _steps(run: Run) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    rows: dict[str, int] = {}
    for stage in run.record["data"]["stages"]:
        dropped = sum(stage["dropped"].values())
        # Tokenizing seldom drops a row, and then says little here.
        if stage["group"] == "preprocess" and not dropped:
            continue
        after = {split: n for split in (*_SPLITS, "all") if (n := stage["rows_per_split"].get(split, 0))}
        rows = rows | after if stage["split"] else after
        name = stage["name"] if stage["group"] == "data" else f"{stage['group']}.{stage['name']}"
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in stage["dropped"].items())
        steps.append({"name": name, "rows": rows, "added": stage["rows_added"], "dropped": dropped, "reasons": reasons})
    return steps


def _spans(rows: Mapping[str, int], unit: float) -> dict[str, Span]:
    spans, x = {}, float(_LEFT)
    for split, n in rows.items():
        spans[split] = (round(x, 1), round(x + max(n * unit, 1.0), 1))
        x += max(n * unit, 1.0) + _GAP
    return spans


def _bands(above: Mapping[str, Span], below: Mapping[str, Span], y: float) -> list[dict[str, str]]:
    """What goes on, what is added (it widens from nothing) and what is dropped (it narrows to nothing)."""
    if above.keys() != below.keys():
        return _parted(next(iter(above.values())), below, y)
    bands = []
    for split, (left, right) in above.items():
        to_left, to_right = below[split]
        kept = min(right - left, to_right - to_left)
        bands.append({"kind": "kept", "path": _path((left, left + kept), (to_left, to_left + kept), y)})
        if to_right - to_left > kept + 0.5:
            bands.append({"kind": "added", "path": _path((right, right), (to_left + kept, to_right), y)})
        if right - left > kept + 0.5:
            bands.append({"kind": "dropped", "path": _path((left + kept, right), (to_right, to_right), y)})
    return bands


def _parted(whole: Span, parts: Mapping[str, Span], y: float) -> list[dict[str, str]]:
    """One stream that becomes several, each as wide as what it becomes."""
    share = (whole[1] - whole[0]) / sum(right - left for left, right in parts.values())
    bands, x = [], whole[0]
    for left, right in parts.values():
        end = x + share * (right - left)
        bands.append({"kind": "kept", "path": _path((x, end), (left, right), y)})
        x = end
    return bands


def _path(above: Span, below: Span, y: float) -> str:
    """A band from one span to the other, its sides smooth curves."""
    top, bottom, middle = y + 5, y + _STEP, y + (5 + _STEP) / 2
    (a, b), (c, d) = above, below
    side = f"C{b:.1f} {middle} {d:.1f} {middle} {d:.1f} {bottom}"
    return f"M{a:.1f} {top}L{b:.1f} {top}{side}L{c:.1f} {bottom}C{c:.1f} {middle} {a:.1f} {middle} {a:.1f} {top}Z"
