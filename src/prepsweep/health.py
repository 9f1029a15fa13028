"""A loss that is not a number ends a run within the step, before it reaches a weight, and says with which rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

_NAMED = 10
_FIX = "lower model.learning_rate, or try trainer.precision=32-true"


class NotFinite(ArithmeticError):
    """A loss or score that is nan or infinite; the message names the step and the uids of the rows."""


def refuse_loss(loss: float, *, step: int, uids: Sequence[str]) -> NoReturn:
    """End a run for the loss of a step, `uids` being those of the rows of its batch."""
    raise NotFinite(f"the loss of step {step} is {loss}, of the rows {_some(uids)}. fix: {_FIX}")


def refuse_logits(uids: Sequence[str], *, step: int, split: str) -> NoReturn:
    """End a run whose model, after a step, gives no finite logits for the rows of a split with these uids."""
    raise NotFinite(f"after step {step} the model gives no finite logits for {len(uids)} rows of {split}: {_some(uids)}. fix: {_FIX}")


def _some(uids: Sequence[str]) -> str:
    more = f" and {len(uids) - _NAMED} more" if len(uids) > _NAMED else ""
    return ", ".join(uids[:_NAMED]) + more
