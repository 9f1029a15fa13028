"""New sentences for tagging: entities change places with others of train, words with words of the same tag, stretches are shuffled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random
from typing import TYPE_CHECKING

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.lineage import add_children, dataset_of, table_of
from prepsweep.progress import track
from prepsweep.randomness import row_rng
from prepsweep.schema import TAGS, TOKENS
from prepsweep.tasks.spans import OUTSIDE, Span, as_label, spans

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = (TAGS,)
_WHERE = "augment.span_replace"
_SHARES = ("mentions", "words", "shuffle")


def check(*, n_copies: int, mentions: float, words: float, shuffle: float) -> None:
    """Refuse probabilities that are none, and a stage that can change nothing."""
    for name, p in zip(_SHARES, (mentions, words, shuffle), strict=True):
        if not 0 <= p <= 1:
            raise Refused(f"{_WHERE}.{name}", f"must be from 0 to 1, got {p}", f"try {_WHERE}.{name}=0.3")
    if n_copies < 1 or not any((mentions, words, shuffle)):
        raise Refused(_WHERE, "changes nothing: n_copies or all of mentions, words and shuffle are 0", "use augment=none, or raise one")


def span_replace(dataset: Dataset, *, seed: int, n_copies: int, mentions: float, words: float, shuffle: float) -> Dataset:
    """`n_copies` of each row, changed at random in three ways, the tags with the tokens.

    Dai & Adel 2020, An Analysis of Simple Data Augmentation for Named Entity Recognition (arXiv:2010.11683): each entity is
    replaced with probability `mentions` by one of train of the same kind, whatever its length; each word that is left with
    probability `words` by one that has the same tag in train, drawn as often as it is there; each stretch of tokens in one
    entity, or in none, is shuffled with probability `shuffle`. Plain tags mark no entities: under them only `words` does
    something. A copy that comes out as its parent leaves as `unchanged`.
    """
    check(n_copies=n_copies, mentions=mentions, words=words, shuffle=shuffle)
    table = table_of(dataset)
    tokens, uids = table.column(TOKENS).to_pylist(), table.column("uid").to_pylist()
    tags = [json.loads(label) for label in table.column("label").to_pylist()]
    known = _Known.of(uids, tokens, tags)
    p = dict(zip(_SHARES, (mentions, words, shuffle), strict=True))
    made: list[tuple[list[str], list[str]]] = []
    for uid, of_row, given in track(list(zip(uids, tokens, tags, strict=True)), "span_replace"):
        rng = row_rng(seed, "span_replace", uid)
        made += [_changed(of_row, given, known, rng, **p) for _ in range(n_copies)]
    parents = [row for row in range(len(table)) for _ in range(n_copies)]
    rows = add_children(dataset, parents=parents, texts=[" ".join(new) for new, _ in made], stage="span_replace")
    return _with_tags(rows, len(table), made)


@dataclass(frozen=True)
class _Known:
    """What train has: the entities of each kind and the words of each tag, in an order that the rows' does not decide."""

    mentions: dict[str, list[list[str]]]
    words: dict[str, list[str]]

    @classmethod
    def of(cls, uids: Sequence[str], tokens: Sequence[list[str]], tags: Sequence[list[str]]) -> _Known:
        found = cls({}, {})
        for _, of_row, given in sorted(zip(uids, tokens, tags, strict=True)):
            for span in spans(given) if _is_bio(given) else ():
                found.mentions.setdefault(span.kind, []).append(of_row[span.start : span.stop])
            for word, tag in zip(of_row, given, strict=True):
                found.words.setdefault(tag, []).append(word)
        return found


def _changed(
    tokens: list[str], tags: list[str], known: _Known, rng: Random, *, mentions: float, words: float, shuffle: float
) -> tuple[list[str], list[str]]:
    new_tokens, new_tags = list[str](), list[str]()
    for span, start, stop in _segments(tags):
        segment, of_segment = tokens[start:stop], tags[start:stop]
        if span is not None and rng.random() < mentions:
            segment = list(rng.choice(known.mentions[span.kind]))
            of_segment = [f"B-{span.kind}", *[f"I-{span.kind}"] * (len(segment) - 1)]
        else:
            segment = [
                rng.choice(known.words[tag]) if rng.random() < words else word for word, tag in zip(segment, of_segment, strict=True)
            ]
        if _is_bio(of_segment) and rng.random() < shuffle:
            rng.shuffle(segment)
        new_tokens += segment
        new_tags += of_segment
    return new_tokens, new_tags


def _segments(tags: list[str]) -> list[tuple[Span | None, int, int]]:
    """Entities, and the stretches between them, in order."""
    of_token: list[Span | None] = [None] * len(tags)
    for span in spans(tags) if _is_bio(tags) else ():
        of_token[span.start : span.stop] = [span] * (span.stop - span.start)
    found, start = list[tuple[Span | None, int, int]](), 0
    for _, group in groupby(of_token):
        stop = start + len(list(group))
        found.append((of_token[start], start, stop))
        start = stop
    return found


def _is_bio(tags: list[str]) -> bool:
    return all(tag == OUTSIDE or tag[:2] in ("B-", "I-") for tag in tags)


def _with_tags(rows: Dataset, n_before: int, made: Sequence[tuple[list[str], list[str]]]) -> Dataset:
    """`rows` whose new rows, after the first `n_before`, have these tokens and tags."""
    table = table_of(rows)
    new = {TOKENS: [tokens for tokens, _ in made], "label": [as_label(tags) for _, tags in made]}
    for name, values in new.items():
        column = table.column(name)
        chunks = [*column.slice(0, n_before).chunks, pa.array(values, column.type)]
        table = table.set_column(table.column_names.index(name), name, pa.chunked_array(chunks, column.type))
    return dataset_of(table)
