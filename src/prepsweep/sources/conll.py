"""Rows from CoNLL files: a token a line with its tag, a blank line between sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.sources.files import GivenFile, given_files, open_text
from prepsweep.sources.hooks import fingerprint
from prepsweep.sources.table import Rows, checked_classes, dataset_from

if TYPE_CHECKING:
    from datasets import Dataset

    from prepsweep.label_kinds import Labels

__all__ = ["check", "conll", "fingerprint"]
_BREAK = "-DOCSTART-"


def check(*, classes: list[str] | str | None, labels: object, **_: object) -> None:
    """Refuse a task that reads no tags."""
    checked_classes(classes)
    if labels is None:
        raise Refused("data", "CoNLL files hold tokens and tags", "use task=token_classification")


def conll(
    *,
    path: str,
    dev_path: str | None,
    test_path: str | None,
    word_column: int,
    tag_column: int,
    classes: list[str] | str | None,
    labels: Labels | None,
) -> Dataset:
    """The sentences of one to three files, each a row; columns count from 0, negative ones from the end.

    A line is parted at tabs, or at white space where it has no tab. Lines of -DOCSTART- part documents and are no tokens.
    """
    files = given_files(path=path, dev_path=dev_path, test_path=test_path)
    parts = {file.split: _read(file, word_column, tag_column) for file in files}
    return dataset_from(parts, classes=classes, labels=labels)


def _read(file: GivenFile, word_column: int, tag_column: int) -> Rows:
    sentences = list(_sentences(file, word_column, tag_column))
    if not sentences:
        raise Refused(f"{file.path}:1", "the file has no tokens", file.other("a file with tokens"))
    texts, tags = (pa.chunked_array([pa.array([json.dumps(found[side], ensure_ascii=False) for found in sentences])]) for side in (1, 2))
    return Rows(texts, tags, {}, where=lambda row: f"{file.path}:{sentences[row][0]}")


def _sentences(file: GivenFile, word_column: int, tag_column: int) -> Iterator[tuple[int, list[str], list[str]]]:
    """First line, tokens and tags of each sentence."""
    text = open_text(file)
    first, tokens, tags = 1, list[str](), list[str]()
    # Not `splitlines`, which also breaks at U+2028 and its like.
    lines = text.data[text.start : text.end].decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate([*lines, ""], start=1):
        cells = line.split("\t") if "\t" in line else line.split()
        if cells and cells[0] != _BREAK and line.strip():
            try:
                token, tag = cells[word_column], cells[tag_column]
            except IndexError as error:
                what = f"{len(cells)} columns, no column {word_column} and {tag_column}"
                raise Refused(f"{file.path}:{number}", what, "set data.word_column and data.tag_column") from error
            if len(cells) < 2 or not tag.strip():
                raise Refused(f"{file.path}:{number}", f"the token {token[:80]!r} has no tag", "write O for no entity")
            first = first if tokens else number
            tokens.append(token)
            tags.append(tag)
        elif tokens:
            yield first, tokens, tags
            tokens, tags = [], []
