"""Edits of words that several stages make, on a text in pieces."""

from __future__ import annotations

from collections.abc import Sequence

OPENS = "\"'“‘(["


def delete_words(child: list[str], gone: Sequence[int]) -> None:
    """Empty the pieces at the places `gone` (ascending); a word takes the space before it along, or else that behind it."""
    for place in reversed(gone):
        child[place] = ""
        if place and child[place - 1].isspace():
            child[place - 1] = ""
        elif not place or child[place - 1] in OPENS:
            behind = next((at for at in range(place, len(child)) if child[at]), place)
            child[behind] = "" if child[behind].isspace() else child[behind]
