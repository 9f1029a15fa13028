"""Fine-tune once, or with -m once for each choice of a sweep."""

from __future__ import annotations


def main(argv: list[str]) -> int:
    """Do as `python train.py` does."""
    from prepsweep.cli import train

    return train(argv)
