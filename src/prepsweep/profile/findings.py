"""What of a profile's facts is worth a reader's time, in sentences; text and page show the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SIMPLE = {
    "repeats": "repeat the text and label of another",
    "repeats_but_for_case_and_marks": "repeat one but for case, space and punctuation",
    "conflicts": "have a text that is there under another label too",
    "blank_texts": "have a blank text",
    "texts_without_words": "have a text without a word",
    "mojibake": "hold mojibake",
    "replacement_characters": "hold U+FFFD: characters that were lost before the data came here",
}
_SHOWN_ELSEWHERE = ("language", "near_dedup")
_CHARACTERS = 80


@dataclass(frozen=True)
class Finding:
    """`rows` rows of which `what` is true; `example` is the text of one, or its uid."""

    what: str
    rows: int
    example: str
    is_leak: bool = False


def findings(facts: Mapping[str, Any]) -> list[Finding]:
    """Everything that was found, leaks first; nothing is there with a count of 0."""
    found = [Finding(f"leak: {leak['what']}", leak["count"], f"row {leak['examples'][0]}", is_leak=True) for leak in facts["leaks"]]
    for name, what in _SIMPLE.items():
        if facts[name]["rows"]:
            text = facts[name]["examples"][0]["text"]
            found.append(Finding(what, facts[name]["rows"], text[:_CHARACTERS] + "…" * (len(text) > _CHARACTERS)))
    for group in facts["label_spellings"]:
        names = ", ".join(f"{name!r} ({n:,})" for name, n in group.items())
        found.append(Finding(f"class names that differ in case, space or invisible characters: {names}", sum(group.values()), ""))
    for name, trial in facts["stages"].items():
        if name in _SHOWN_ELSEWHERE:
            continue
        found += [Finding(f"{name}: {key.replace('_', ' ')}", n, "") for key, n in _numbers(trial.get("facts", {})) if n]
    return found


def command_line(facts: Mapping[str, Any]) -> str | None:
    """The train command with all that is suggested; None where nothing is."""
    overrides: dict[str, str] = {}
    for suggestion in facts["suggestions"]:
        for part in shlex.split(suggestion["override"] or ""):
            overrides[part.partition("=")[0]] = part
    if not overrides:
        return None
    given = [part for part in facts["overrides"] if part.partition("=")[0] not in overrides]
    return shlex.join(["python", "train.py", *given, *overrides.values()])


def _numbers(facts: Mapping[str, Any]) -> list[tuple[str, int]]:
    """A stage's own counts, one level deep: kinds of personal data."""
    found: list[tuple[str, int]] = []
    for name, value in facts.items():
        cells = {f"{name} {key}": n for key, n in value.items()} if isinstance(value, Mapping) else {name: value}
        found += [(key, n) for key, n in cells.items() if isinstance(n, int) and not isinstance(n, bool)]
    return found
