"""CSV cells that a spreadsheet does not take for a formula, and the way back.

The rule, which is one to one: a cell of any number of apostrophes followed by one of `= + - @` (or their full-width
forms), TAB, CR or LF gets one more apostrophe in front; on the way back, a cell of one or more apostrophes followed by
one of these loses one. So no written cell begins with such a character, and every cell comes back exactly:
`=1+1` ↔ `'=1+1`, `'=1+1` ↔ `''=1+1`, and `'tis` stays as it is.

Only a file that `written_here` recognises may be restored: in anybody else's, `'-` is what the author wrote.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.schema import COLUMNS

# https://owasp.org/www-community/attacks/CSV_Injection; Excel reads the full-width forms as the plain ones.
_FORMULA = r"[=+\-@\t\r\n＝＋－＠]"


def neutralise(cells: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """String cells with an apostrophe before each that could be a formula; nulls stay null."""
    return pc.replace_substring_regex(cells, rf"\A('*{_FORMULA})", r"'\1")


def restore(cells: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """The cells that `neutralise` was given."""
    return pc.replace_substring_regex(cells, rf"\A'('*{_FORMULA})", r"\1")


def written_here(header: Sequence[str]) -> bool:
    """Whether a file with these column names is an export of ours: it begins with the whole row contract, in order."""
    return list(header[: len(COLUMNS)]) == list(COLUMNS)
