"""Texts as token ids of the model's own tokenizer, without padding, and what happens to those that are too long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.checkpoints import TOKENIZER_FILES, checkpoint_folder, content_of
from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result, dataset_of, drop, table_of
from prepsweep.progress import track

if TYPE_CHECKING:
    from datasets import Dataset

TRUNCATION = ("truncate", "drop", "window", "error")
_ROWS_AT_ONCE = 2000
_CHECKPOINT = "model.name"
_WHERE = "preprocess.tokenize"


def check(*, max_length: int, truncation: str, stride: int, **_: object) -> None:
    """Refuse a length that leaves no room for a word between the special tokens, and windows that do not move on."""
    if max_length < 3:
        raise Refused(f"{_WHERE}.max_length", f"must be at least 3, got {max_length}", "128 suits short texts")
    if truncation not in TRUNCATION:
        raise Refused(f"{_WHERE}.truncation", f"unknown policy {truncation!r}", nearest(str(truncation), TRUNCATION))
    if truncation == "window" and not 0 <= stride < max_length // 2:
        what = f"windows must share at least 0 tokens and fewer than half of max_length={max_length}, got {stride}"
        raise Refused(f"{_WHERE}.stride", what, f"try {_WHERE}.stride={max_length // 4}")


def fingerprint(*, checkpoint: str, revision: str | None, **_: object) -> dict[str, str]:
    """Content hashes of the tokenizer's files."""
    folder = checkpoint_folder(checkpoint, revision=revision, patterns=TOKENIZER_FILES, where=_CHECKPOINT)
    return content_of(folder, TOKENIZER_FILES)


def check_rows(dataset: Dataset, *, checkpoint: str, revision: str | None, max_length: int, truncation: str, **_: object) -> None:
    """Under `truncation=error`, refuse rows of which one is too long."""
    if truncation == "error":
        texts = table_of(dataset).column("text")
        tokenizer = _tokenizer(checkpoint, revision)
        too_long = [cut for _, cut in _cut(tokenizer, texts, max_length)]
        _refuse_long(tokenizer, texts, pa.chunked_array(too_long, pa.bool_()), max_length)


def tokenize(dataset: Dataset, *, checkpoint: str, revision: str | None, max_length: int, truncation: str, stride: int) -> Dataset | Result:
    """The rows with `input_ids` (int32, special tokens included) and `truncated` in place of `text`.

    A text of more than `max_length` tokens is, by `truncation`: cut at the end and marked in `truncated` (`truncate`); the
    same for rows of dev and test, while a train row leaves as `too_long` (`drop`); refused (`error`); or kept whole
    in windows of `max_length` tokens that share `stride` tokens, and then `input_ids` is a list of windows in all rows
    (`window`). A row stays one row with one weight and one place in an epoch, however many windows it has.
    """
    tokenizer = _tokenizer(checkpoint, revision)
    table = table_of(dataset)
    texts = table.column("text")
    if truncation == "window":
        ids = pa.chunked_array(_windows(tokenizer, texts, max_length, stride), pa.list_(pa.list_(pa.int32())))
        too_long = pc.greater(pc.list_value_length(ids), 1)
        return Result(_with_ids(table, ids, pc.and_(too_long, False)), facts=_window_facts(table, ids, too_long))
    parts = list(_cut(tokenizer, texts, max_length))
    ids = pa.chunked_array([ids for ids, _ in parts], pa.list_(pa.int32()))
    too_long = pa.chunked_array([cut for _, cut in parts], pa.bool_())
    if truncation == "error":
        _refuse_long(tokenizer, texts, too_long, max_length)
    rows = _with_ids(table, ids, too_long)
    if truncation == "drop":
        leaves = pc.and_(too_long, pc.equal(table.column("split"), "train"))
        _refuse_empty_class(table, leaves, max_length)
        return drop(rows, "too_long", leaves)
    return rows


def _tokenizer(checkpoint: str, revision: str | None) -> Any:
    from transformers import AutoTokenizer

    folder = checkpoint_folder(checkpoint, revision=revision, patterns=TOKENIZER_FILES, where=_CHECKPOINT)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not tokenizer.is_fast:
        raise Refused(_CHECKPOINT, f"{checkpoint} has no fast tokenizer", "choose a checkpoint with a tokenizer.json")
    return tokenizer


def _with_ids(table: pa.Table, ids: pa.ChunkedArray, truncated: pa.ChunkedArray) -> Dataset:
    return dataset_of(table.drop_columns("text").append_column("input_ids", ids).append_column("truncated", truncated))


def _encoded(tokenizer: Any, texts: pa.ChunkedArray, **options: Any) -> Iterator[Any]:
    """What the tokenizer makes of the texts, some thousand at a time."""
    for start in track(range(0, len(texts), _ROWS_AT_ONCE), "tokenising"):
        part = texts.slice(start, _ROWS_AT_ONCE).to_pylist()
        yield tokenizer(part, truncation=True, return_attention_mask=False, return_token_type_ids=False, **options)


def _cut(tokenizer: Any, texts: pa.ChunkedArray, max_length: int) -> Iterator[tuple[pa.Array, pa.Array]]:
    """Token ids cut at `max_length`, and which of them were."""
    for encoded in _encoded(tokenizer, texts, max_length=max_length):
        ids = _lists(encoded["input_ids"])
        # Only a row of the full length can have been cut: the others need no look at what overflowed.
        full = pc.equal(ids.value_lengths(), max_length).to_pylist()
        yield ids, pa.array([is_full and bool(encoded.encodings[row].overflowing) for row, is_full in enumerate(full)], pa.bool_())


def _windows(tokenizer: Any, texts: pa.ChunkedArray, max_length: int, stride: int) -> Iterator[pa.Array]:
    """Token ids in windows: for each row a list of lists."""
    for encoded in _encoded(tokenizer, texts, max_length=max_length, stride=stride, return_overflowing_tokens=True):
        n_windows = np.bincount(encoded["overflow_to_sample_mapping"])
        offsets = np.concatenate([[0], np.cumsum(n_windows)]).astype(np.int32)
        yield pa.ListArray.from_arrays(offsets, _lists(encoded["input_ids"]))


def _lists(ids: list[list[int]]) -> pa.Array:
    lengths = np.fromiter((len(row) for row in ids), dtype=np.int32, count=len(ids))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    flat = np.fromiter((token for row in ids for token in row), dtype=np.int32, count=int(offsets[-1]))
    return pa.ListArray.from_arrays(offsets, flat)


def _window_facts(table: pa.Table, ids: pa.ChunkedArray, too_long: pa.ChunkedArray) -> dict[str, Any]:
    counted = pc.value_counts(table.column("label").filter(too_long)).to_pylist()
    in_windows = dict(sorted((found["values"], found["counts"]) for found in counted))
    return {"n_windows": pc.sum(pc.list_value_length(ids)).as_py() or 0, "rows_in_windows": in_windows}


def _refuse_long(tokenizer: Any, texts: pa.ChunkedArray, too_long: pa.ChunkedArray, max_length: int) -> None:
    long = texts.filter(too_long).to_pylist()
    if long:
        longest = max(len(ids) for ids in tokenizer(long, verbose=False)["input_ids"])
        what = f"{len(long):,} of {len(texts):,} rows are longer than {max_length} tokens, the longest has {longest:,}"
        raise Refused(_WHERE, what, f"raise {_WHERE}.max_length, or set {_WHERE}.truncation to truncate, drop or window")


def _refuse_empty_class(table: pa.Table, leaves: pa.ChunkedArray, max_length: int) -> None:
    """Refuse to drop all train rows of a class: a model of the other classes would be trained in silence."""
    train = pc.equal(table.column("split"), "train")
    kept = pc.unique(table.column("label").filter(pc.and_not(train, leaves))).to_pylist()
    for label in sorted(set(pc.unique(table.column("label").filter(train)).to_pylist()) - set(kept)):
        what = f"drop leaves no train row of class {label!r}: all are longer than {max_length} tokens"
        raise Refused(f"{_WHERE}.truncation", what, f"raise {_WHERE}.max_length, or choose truncate or window")
