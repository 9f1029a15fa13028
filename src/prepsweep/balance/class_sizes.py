"""How much more the rows of a small class should count, by the sizes of the classes."""

from __future__ import annotations

from collections import Counter

from prepsweep.errors import Refused


def check_power(power: float, *, where: str) -> None:
    """Refuse a power that is none."""
    if not 0 < power <= 1:
        raise Refused(where, f"must be above 0 and at most 1, got {power}", "use balance=none to leave the classes as they are")


def inverse_sizes(labels: list[str], *, power: float) -> dict[str, float]:
    """`{label: (n / (k * n_class)) ** power}` for n rows in k classes.

    `power` 1 is scikit-learn's "balanced" (King & Zeng 2001, section 4); 0.5, its square root, is milder.
    """
    counts = Counter(labels)
    return {label: (len(labels) / (len(counts) * n_rows)) ** power for label, n_rows in counts.items()}
