"""Text that may be shown: on a terminal or a page it cannot do anything, and what cannot be seen is there as a code."""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len

# Control, format (zero width, direction), surrogate, and line and paragraph separators: U+202E turns a line around,
# ESC moves a terminal's cursor.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SHORT = {"\n": "⏎", "\t": "⇥"}


def visible(text: str) -> str:
    """`text` in one line, its unseen characters as `⟨U+202E⟩`, a line end as `⏎` and a tab as `⇥`."""
    if text.isprintable():
        return text
    return "".join(_code(character) if unicodedata.category(character) in _UNSEEN else character for character in text)


def cut(text: str, n_characters: int) -> str:
    """`visible(text)`, at most about `n_characters` of it: a text of a megabyte is not walked to its end."""
    return visible(text) if len(text) <= n_characters else f"{visible(text[:n_characters])}…"


def fitting(text: str, n_cells: int) -> str:
    """`visible(text)` cut to a width; a Chinese character is two cells wide."""
    shown = cut(text, n_cells)
    while cell_len(shown) > n_cells:
        shown = f"{shown[:-2]}…"
    return shown


def _code(character: str) -> str:
    return _SHORT.get(character) or f"⟨U+{ord(character):04X}⟩"
