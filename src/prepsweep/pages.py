"""HTML files that need nothing else: texts of strangers stand in them, so every value is escaped where it is put in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from prepsweep.visible import cut, visible

_SOURCES = (".j2", ".css", ".js")
_CHARACTERS = 300


def render(package: str, page: str, values: Mapping[str, Any], *, filters: Mapping[str, Callable[..., Any]] | None = None) -> str:
    """The template `page` of `package`, which may include the package's other ones, its style sheet and its script.

    `hashes` holds for each of these what a Content-Security-Policy takes: it allows them and no more.
    """
    sources = {file.name: file.read_text(encoding="utf-8") for file in files(package).iterdir() if file.name.endswith(_SOURCES)}
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"shown": lambda value: cut(str(value), _CHARACTERS), "count": lambda n: f"{n:,}", **(filters or {})}
    hashes = {name: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for name, text in sources.items()}
    return environment.get_template(page).render(values, hashes=hashes)


def _finalized(value: object) -> object:
    # Every string that the template puts in, filtered or not; what a macro made is a subclass, and escaped already.
    return visible(value) if type(value) is str else value
