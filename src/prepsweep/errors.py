"""The one exception that means "your input, not our bug": where, what, fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Refused(ValueError):
    """Input or configuration that cannot be used; printed as one line, exit code 2.

    `where` is `file:line[:column]` for data and the dotted key for configuration.
    """

    def __init__(self, where: str, what: str, fix: str) -> None:
        self.where, self.what, self.fix = where, what, fix
        super().__init__(f"{where}: {what}. fix: {fix}")

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str, str]]:
        return type(self), (self.where, self.what, self.fix)


def refusal_behind(error: BaseException | None) -> Refused | None:
    """What was refused on the way to `error`, which a library raised in its place; None where nothing was."""
    while error is not None and not isinstance(error, Refused):
        error = error.__cause__ or error.__context__
    return error


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which of `known` was probably meant: "did you mean 'text'?", or else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word.strip().lower(), names, n=1, cutoff=0.6)
    close = [name for name in names if name.lower() == word.strip().lower()] or close or [name for name in names if name.startswith(word)]
    if close:
        return f"did you mean {close[0]!r}?"
    return "choose one of " + ", ".join(repr(name) for name in names)
