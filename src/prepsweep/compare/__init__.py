"""The verdict: what a preparation choice is worth, from the records of a sweep; nothing here needs torch."""

from prepsweep.compare.frames import compare_frame

__all__ = ["compare_frame"]
