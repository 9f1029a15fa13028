"""How a row is named outside of this program, so that a spreadsheet leaves the name alone and the row can be proved the same.

A spreadsheet reads `1234e567` as a number and `1/2` as a date: a uid is written `u:1234e567…`, a place `3 of 500`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

# A cell of Excel holds 32,767 characters.
MAX_CHARACTERS = 30_000
_UID, _DATA, _PLACE = (re.compile(pattern) for pattern in (r"u:([0-9a-f]{24})", r"d:[0-9a-f]{12}", r"([1-9]\d{0,8}) of ([1-9]\d{0,8})"))
_NOTHING_BUT_LAYOUT = re.compile(r"[\W_]+")


def written_uid(uid: str) -> str:
    return f"u:{uid}"


def read_uid(cell: str) -> str | None:
    """The uid that `written_uid` was given; None where the cell is anything else."""
    found = _UID.fullmatch(cell.strip())
    return found[1] if found else None


def data_mark(uid: str, texts: Sequence[str]) -> str:
    """`d:` and 12 hex digits of what stands in a row, to tell later whether it is what was shown."""
    return "d:" + hashlib.blake2b(repr((uid, *texts)).encode(), digest_size=6).hexdigest()


def is_data_mark(cell: str) -> bool:
    return _DATA.fullmatch(cell) is not None


def written_place(place: int, n_rows: int) -> str:
    return f"{place} of {n_rows}"


def read_place(cell: str) -> tuple[int, int] | None:
    """Place and number of rows; None where the cell says neither, or a place beyond the end."""
    found = _PLACE.fullmatch(cell.strip())
    place, n_rows = (int(found[1]), int(found[2])) if found else (1, 0)
    return (place, n_rows) if place <= n_rows else None


def shortened(text: str) -> str:
    """`text` as far as a spreadsheet keeps it."""
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"


def same_words(one: str, other: str) -> bool:
    """Whether two texts hold the same letters and digits: programs change quotes, spaces and line ends on their way."""
    return one == other or _NOTHING_BUT_LAYOUT.sub("", one) == _NOTHING_BUT_LAYOUT.sub("", other)
