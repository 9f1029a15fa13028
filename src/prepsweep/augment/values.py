"""Refusals of numbers that several stages share."""

from __future__ import annotations

from prepsweep.errors import Refused


def check_whole(value: object, *, where: str, least: int = 1) -> None:
    """Refuse what is no whole number of at least `least`; `where` is the dotted key."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise Refused(where, f"must be a whole number of at least {least}, got {value!r}", f"try {where}={least}")


def check_fraction(value: object, *, where: str, try_value: float) -> None:
    """Refuse what is not between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise Refused(where, f"must be between 0 and 1, got {value!r}", f"try {where}={try_value}")
