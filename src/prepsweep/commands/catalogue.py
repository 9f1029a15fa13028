"""Print every preparation stage as a Markdown page: what it does, its options and defaults, the reasons it drops rows for."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

import prepsweep
from prepsweep.commands import Arguments
from prepsweep.stages import PREPARATION

_ROOT = Path(prepsweep.__file__).parent
_KEY = re.compile(r"( *)(\w+):(.*)")
# A sentence that names where something is from: an address, or a year.
_SOURCE = re.compile(r"https?://|\b(?:19|20)\d\d\b")
_INTRODUCTION = """# Stages

Every option of the preparation groups, in the order in which the groups run. This page is made from the YAML files and docstrings:
`prepsweep catalogue > docs/stages.md`. `GROUP=OPTION` on the command line chooses one, `GROUP=[ONE,TWO]` several in that
order, `GROUP=none` none; any key below can follow. A stage that makes rows also drops those that say nothing new, as `unchanged`.
"""


@dataclass(frozen=True)
class Option:
    """One YAML file of a group and the function that it names."""

    group: str
    file: Path

    @cached_property
    def lines(self) -> list[str]:
        return self.file.read_text(encoding="utf-8").splitlines()

    @cached_property
    def header(self) -> list[str]:
        """The comment lines at the top."""
        end = next(row for row, line in enumerate([*self.lines, ""]) if not line.startswith("#"))
        return [line.removeprefix("#").strip() for line in self.lines[:end]]

    @cached_property
    def spec(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Where the mapping with the `_target_` stands, and the mapping."""
        return next(_targets(yaml.safe_load("\n".join(self.lines)) or {}))

    @property
    def keys(self) -> dict[str, tuple[Any, str]]:
        """Dotted key → default and comment."""
        place, values = self.spec
        comments = _comments(self.lines[len(self.header) :])
        above = place if self.header[0] == "@package _global_" else (*self.header[0].removeprefix("@package ").split("."), *place)
        names = [name for name in values if name not in ("_target_", "_partial_", "defaults")]
        return {".".join((*above, name)): (values[name], comments.get((*place, name), "")) for name in names}

    @cached_property
    def module(self) -> Path:
        """The Python file of the function."""
        return _ROOT.parent / Path(*self.spec[1]["_target_"].split(".")[:-1]).with_suffix(".py")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.module.read_text(encoding="utf-8"))

    @property
    def paragraphs(self) -> list[str]:
        """The function's docstring."""
        name = self.spec[1]["_target_"].rpartition(".")[2]
        function = next(node for node in self.tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name)
        return _paragraphs(ast.get_docstring(function))

    @property
    def sources(self) -> list[str]:
        """Sentences of the docstrings that say where a rule or method is from, beyond the first paragraph."""
        rest = [*self.paragraphs[1:], *_paragraphs(ast.get_docstring(self.tree))]
        sentences = [sentence for paragraph in rest for sentence in re.split(r"(?<=[.)])\s+(?=[A-Z`])", paragraph)]
        return [sentence for sentence in sentences if _SOURCE.search(sentence)]

    @property
    def reasons(self) -> list[str]:
        """What the module drops rows for: the literals that it hands to `drop`, or as `reason` to a helper."""
        found = set()
        for call in (node for node in ast.walk(self.tree) if isinstance(node, ast.Call)):
            given = [keyword.value for keyword in call.keywords if keyword.arg == "reason"]
            if isinstance(call.func, ast.Name) and call.func.id == "drop":
                given += call.args[1:2]
            found |= {value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)}
        return sorted(found)


def main(argv: list[str]) -> int:
    """Print the page; `docs/stages.md` is what it prints."""
    Arguments("catalogue", "Every preparation stage as a Markdown page.").parse(argv)
    print(page(), end="")
    return 0


def page() -> str:
    """The catalogue of the stages that are installed."""
    parts = [_INTRODUCTION]
    for group in PREPARATION:
        if options := options_of(group):
            module = ast.parse((_ROOT / group / "__init__.py").read_text(encoding="utf-8"))
            parts.append(f"## {group}\n\n{' '.join(_paragraphs(ast.get_docstring(module)))}\n")
            parts += [_section(option) for option in options]
    return "\n".join(parts)


def options_of(group: str) -> list[Option]:
    """The options of a group but for `none`, by name."""
    return [Option(group, file) for file in sorted((_ROOT / "conf" / group).glob("*.yaml")) if file.stem != "none"]


def _section(option: Option) -> str:
    parts = [f"### `{option.group}={option.file.stem}`", " ".join(option.header[1:])]
    parts += option.paragraphs[:1]
    if option.keys:
        rows = [f"| `{key}` | `{_shown(value)}` | {_cell(comment)} |" for key, (value, comment) in option.keys.items()]
        parts.append("\n".join(["| key | default | note |", "|---|---|---|", *rows]))
    if option.reasons:
        parts.append("Reasons to leave: " + ", ".join(f"`{reason}`" for reason in option.reasons) + ".")
    if option.sources:
        parts.append("Source: " + " ".join(option.sources))
    return "\n\n".join(parts) + "\n"


def _targets(values: Mapping[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    if "_target_" in values:
        yield place, dict(values)
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _targets(value, (*place, name))


def _comments(lines: list[str]) -> dict[tuple[str, ...], str]:
    """Path of a key → the comment lines above it and the one behind it."""
    found: dict[tuple[str, ...], str] = {}
    above: list[str] = []
    path: list[tuple[int, str]] = []
    for line in lines:
        if line.lstrip().startswith("#"):
            above.append(line.lstrip().removeprefix("#").strip())
        elif key := _KEY.match(line):
            path = [(depth, name) for depth, name in path if depth < len(key[1])] + [(len(key[1]), key[2])]
            behind = re.search(r"\s#\s+(.*)", key[3])
            found[tuple(name for _, name in path)] = " ".join(above + ([behind[1]] if behind else []))
            above = []
    return found


def _paragraphs(docstring: str | None) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in (docstring or "").split("\n\n")]


def _shown(value: Any) -> str:
    return _cell(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    raise SystemExit(main([]))
