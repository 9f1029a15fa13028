"""A profile as one HTML file that needs nothing else and runs nothing: texts of strangers stand in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from prepsweep.profile.findings import command_line, findings
from prepsweep.profile.plots import axis, class_bars, length_histograms
from prepsweep.profile.terminal import BASELINES
from prepsweep.visible import cut, visible

_CHARACTERS = 300


def page(facts: Mapping[str, Any]) -> str:
    """The HTML: every value is escaped where it is put in, and the policy in its head allows one style sheet and no more."""
    here = files("prepsweep.profile")
    sources = {name: here.joinpath(name).read_text(encoding="utf-8") for name in ("page.html.j2", "page.css")}
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"shown": lambda value: cut(str(value), _CHARACTERS), "count": lambda n: f"{n:,}"}
    return environment.get_template("page.html.j2").render(
        facts=facts,
        findings=findings(facts),
        command=command_line(facts),
        classes=class_bars(facts),
        histograms=length_histograms(facts),
        axis=axis(facts),
        baselines=BASELINES,
        style_hash=base64.b64encode(hashlib.sha256(sources["page.css"].encode()).digest()).decode(),
    )


def _finalized(value: object) -> object:
    # Every string that the template puts in, filtered or not; what a macro made is a subclass, and escaped already.
    return visible(value) if type(value) is str else value
