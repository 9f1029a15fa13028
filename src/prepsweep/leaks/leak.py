"""One finding: what leaks, how many rows exactly, and a few of them by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

N_EXAMPLES = 5
Severity = Literal["high", "medium", "low"]


@dataclass(frozen=True)
class Leak:
    """`count` rows of `splits` that leak as `name` says; `what` says it in a sentence, `examples` are uids.

    `high`: rows of one split are known from another, so the score is too good. `medium`: a label can be read off
    something else than the meaning. `low`: worth a look.
    """

    name: str
    severity: Severity
    splits: tuple[str, ...]
    count: int
    what: str
    examples: tuple[str, ...]

    def as_record(self) -> dict[str, Any]:
        """Plain values for run.json."""
        return asdict(self) | {"splits": list(self.splits), "examples": list(self.examples)}


def leak(name: str, severity: Severity, splits: Sequence[str], what: str, uids: Iterable[str]) -> Leak:
    """A finding about the rows `uids`."""
    rows = list(uids)
    return Leak(name, severity, tuple(splits), len(rows), what, tuple(rows[:N_EXAMPLES]))
