"""A profile as one HTML file that needs nothing else and runs nothing: texts of strangers stand in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prepsweep.pages import render
from prepsweep.profile.findings import command_line, findings
from prepsweep.profile.plots import axis, class_bars, length_histograms
from prepsweep.profile.terminal import BASELINES


def page(facts: Mapping[str, Any]) -> str:
    """The HTML; the policy in its head allows one style sheet and no more."""
    values = {
        "facts": facts,
        "findings": findings(facts),
        "command": command_line(facts),
        "classes": class_bars(facts),
        "histograms": length_histograms(facts),
        "axis": axis(facts),
        "baselines": BASELINES,
    }
    return render("prepsweep.profile", "page.html.j2", values)
