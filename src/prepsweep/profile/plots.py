"""Plots as numbers: where each bar of the page's SVG stands. The template draws them, and so escapes every label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prepsweep.visible import fitting

# In units of the SVG, which are about pixels on a phone.
WIDTH = 360
_BAR_STEP, _BAR_TOP = 34, 16
_COUNT_WIDTH = 100
_HEIGHT, _TOP, _BOTTOM = 96, 4, 78
_LABEL_CELLS = 44
MAX_CLASSES = 30
MAX_HISTOGRAMS = 12


def class_bars(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The rows of each class, the largest 30 classes; as wide as the largest is."""
    classes = list(facts["classes"].items())[:MAX_CLASSES]
    scale = (WIDTH - _COUNT_WIDTH) / max(facts["classes"].values())
    bars = [
        {
            "label": fitting(label, _LABEL_CELLS),
            "rows": n_rows,
            "share": n_rows / facts["rows"],
            "text_y": place * _BAR_STEP + 12,
            "y": place * _BAR_STEP + _BAR_TOP,
            "width": round(max(n_rows * scale, 1.0), 1),
        }
        for place, (label, n_rows) in enumerate(classes)
    ]
    return {"width": WIDTH, "height": len(bars) * _BAR_STEP, "bars": bars, "n_more": len(facts["classes"]) - len(bars)}


def length_histograms(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One histogram of text lengths in words for each of the 12 largest classes, all on one scale."""
    histogram = facts["length"]["histogram"]
    edges, labels = histogram["edges"], list(facts["classes"])[:MAX_HISTOGRAMS]
    shares = {label: [n / sum(histogram["by_class"][label]) for n in histogram["by_class"][label]] for label in labels}
    top = max(max(heights) for heights in shares.values())
    step = WIDTH / (len(edges) - 1)
    found = []
    for label in labels:
        bars = []
        for place, share in enumerate(shares[label]):
            height = share / top * (_BOTTOM - _TOP)
            is_last = place == len(shares[label]) - 1
            name = f"{edges[place]} or more" if is_last else f"{edges[place]} to {edges[place + 1] - 1}"
            bar = {"x": round(place * step, 1), "y": round(_BOTTOM - height, 1), "height": round(height, 1), "name": name}
            bars.append(bar | {"rows": histogram["by_class"][label][place]})
        median = facts["length"]["words_by_class"][label]["median"]
        found.append({"label": fitting(label, _LABEL_CELLS), "median": median, "bars": bars, "bar_width": round(max(step - 1, 1.0), 1)})
    return found


def axis(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Size of a histogram, and the words at the left and right end of it."""
    edges = facts["length"]["histogram"]["edges"]
    return {"width": WIDTH, "height": _HEIGHT, "base": _BOTTOM, "first": edges[0], "last": edges[-2]}
