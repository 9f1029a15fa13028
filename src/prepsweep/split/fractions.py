"""Which splits are still to be cut, and how large."""

from __future__ import annotations

from prepsweep.errors import Refused


def wanted_fractions(stage: str, present: set[str], *, dev_fraction: float, test_fraction: float) -> dict[str, float]:
    """Fraction of the rows without a split that goes to each split that the data does not bring: `{"test": 0.2, …}`."""
    fractions = {"test": test_fraction, "dev": dev_fraction}
    for name, fraction in fractions.items():
        if not 0 < fraction < 1:
            raise Refused(
                f"split.{stage}.{name}_fraction", f"must be between 0 and 1, got {fraction}", f"try split.{stage}.{name}_fraction=0.1"
            )
    if sum(fractions.values()) >= 1:
        total = f"dev_fraction + test_fraction is {sum(fractions.values()):g}"
        raise Refused(f"split.{stage}", f"{total}, nothing is left to train on", "lower one of them")
    return {name: fraction for name, fraction in fractions.items() if name not in present}
