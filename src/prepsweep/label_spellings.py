"""When two labels are one class in two spellings: what a source refuses, a profile shows and `fix_labels` makes one."""

from __future__ import annotations

import re
import unicodedata

# pandas makes integers with gaps to floats. 007 and 7, or 1.10 and 1.1, are codes of their own.
_FLOAT_OF_INTEGER = re.compile(r"([+-]?[0-9]+)\.0+")


def folded(label: str) -> str:
    """What all spellings of a label share: all but case, white space, normal form, invisible characters and the .0 of an integer."""
    visible = "".join(c for c in unicodedata.normalize("NFC", label) if unicodedata.category(c) != "Cf")
    name = unicodedata.normalize("NFC", " ".join(visible.split()).casefold())
    number = _FLOAT_OF_INTEGER.fullmatch(name)
    return number[1] if number else name


def difference(one: str, other: str) -> str:
    """In what two labels differ that `folded` makes one."""
    if one.split() == other.split():
        return "white space"
    if one.casefold() == other.casefold():
        return "case"
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return "Unicode normal form"
    if _FLOAT_OF_INTEGER.fullmatch(one) or _FLOAT_OF_INTEGER.fullmatch(other):
        return "how the number is written"
    return "case, white space, normal form or invisible characters"
