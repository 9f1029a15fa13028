"""Times as the data writes them: ISO 8601 dates or numbers, to be put in order."""

from __future__ import annotations

import pyarrow as pa

_KINDS = (pa.float64(), pa.timestamp("ns"), pa.timestamp("ns", "UTC"))


def as_instants(times: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The times as values that can be compared: all numbers, all dates without a zone, or all with one; else None."""
    for kind in _KINDS:
        if (cast := _cast(times, kind)) is not None:
            return cast
    return None


def not_a_time(times: pa.ChunkedArray) -> int | None:
    """Position of the first time that cannot be compared with those before it; None where all can."""
    if as_instants(times) is not None:
        return None
    good, bad = 0, len(times)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if as_instants(times.slice(0, middle)) is not None else (good, middle)
    return bad - 1


def _cast(times: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    try:
        return times.cast(kind)
    except pa.ArrowInvalid:
        return None
