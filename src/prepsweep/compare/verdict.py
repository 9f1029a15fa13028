"""One word for a difference, by a rule whose errors are measured (docs/statistics.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prepsweep.compare.statistics import Effect

Word = Literal["helps", "hurts", "equivalent", "no evidence", "needs more seeds"]
ALPHA = 0.05


@dataclass(frozen=True)
class Verdict:
    """The word, and how many seeds in all would settle it where more can."""

    word: Word
    n_seeds: int | None = None

    def __str__(self) -> str:
        return f"needs {self.n_seeds} seeds" if self.word == "needs more seeds" else self.word


def verdict(effect: Effect, *, p_adjusted: float, delta: float) -> Verdict:
    """What a family of comparisons allows to say of one of its members.

    `p_adjusted` is the p of no difference, adjusted for the family (Holm): at most 0.05 gives "helps" or "hurts".
    Otherwise "equivalent" if the difference is inside ±`delta` at 0.05; "needs N seeds" if it is not, N seeds would find
    a difference of `delta`, and that is more than there are; "no evidence" if no number of seeds would, since the test
    rows are too few, or if there are enough already and the difference is about as large as `delta`.
    """
    if p_adjusted <= ALPHA:
        return Verdict("helps" if effect.estimate > 0 else "hurts")
    if effect.p_within(delta) <= ALPHA:
        return Verdict("equivalent")
    needed = effect.seeds_needed(delta)
    if needed is None or needed <= effect.n_seeds:
        return Verdict("no evidence")
    return Verdict("needs more seeds", needed)
