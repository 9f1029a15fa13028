"""Entities in BIO tags, as seqeval's default mode and the CoNLL evaluation script read them.

`B-x` begins an entity of kind x, `I-x` goes on with one; an `I-x` after another kind, or after none, begins one as well
(so IOB1 is read too). Tjong Kim Sang & De Meulder 2003, https://aclanthology.org/W03-0419/.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

OUTSIDE = "O"


class Span(NamedTuple):
    """An entity: its kind, the place of its first token and the place after its last."""

    kind: str
    start: int
    stop: int


def is_bio(tag: str) -> bool:
    """Whether a tag is O, B-kind or I-kind."""
    return tag == OUTSIDE or (tag[:2] in ("B-", "I-") and len(tag) > 2)


def spans(tags: Sequence[str]) -> list[Span]:
    """The entities of a sentence, in order."""
    found: list[Span] = []
    start, kind = 0, ""
    for place, tag in enumerate([*tags, OUTSIDE]):
        now = "" if tag == OUTSIDE else tag[2:]
        if kind and (now != kind or tag[0] == "B"):
            found.append(Span(kind, start, place))
            kind = ""
        if now and not kind:
            start, kind = place, now
    return found


def kinds(tags: Sequence[str]) -> list[str]:
    """The kinds of entities in a sentence, sorted, each once."""
    return sorted({tag[2:] for tag in tags if tag != OUTSIDE})


def as_label(tags: Sequence[str]) -> str:
    """The tags of a sentence as the label of its row: a list in JSON."""
    return json.dumps(list(tags), ensure_ascii=False, separators=(",", ":"))
