"""Texts as token ids of the model's own tokenizer, cut to a length, without padding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from prepsweep.checkpoints import TOKENIZER_FILES, checkpoint_folder, content_of
from prepsweep.errors import Refused
from prepsweep.lineage import dataset_of, table_of
from prepsweep.progress import track

if TYPE_CHECKING:
    from datasets import Dataset

_ROWS_AT_ONCE = 2000
_WHERE = "model.name"


def check(*, max_length: int, **_: object) -> None:
    """Refuse a length that leaves no room for a word between the special tokens."""
    if max_length < 3:
        raise Refused("preprocess.tokenize.max_length", f"must be at least 3, got {max_length}", "128 suits short texts")


def fingerprint(*, checkpoint: str, revision: str | None, **_: object) -> dict[str, str]:
    """Content hashes of the tokenizer's files."""
    folder = checkpoint_folder(checkpoint, revision=revision, patterns=TOKENIZER_FILES, where=_WHERE)
    return content_of(folder, TOKENIZER_FILES)


def tokenize(dataset: Dataset, *, checkpoint: str, revision: str | None, max_length: int) -> Dataset:
    """The rows with `input_ids` (list of int32, special tokens included) and `truncated` in place of `text`.

    A text of more than `max_length` tokens is cut at the end and marked in `truncated`, so that it can be counted.
    """
    from transformers import AutoTokenizer

    folder = checkpoint_folder(checkpoint, revision=revision, patterns=TOKENIZER_FILES, where=_WHERE)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not tokenizer.is_fast:
        raise Refused(_WHERE, f"{checkpoint} has no fast tokenizer", "choose a checkpoint with a tokenizer.json")
    table = table_of(dataset)
    texts = table.column("text")
    starts = range(0, len(texts), _ROWS_AT_ONCE)
    parts = [_encode(tokenizer, texts.slice(start, _ROWS_AT_ONCE).to_pylist(), max_length) for start in track(starts, "tokenising")]
    ids = pa.chunked_array([ids for ids, _ in parts], pa.list_(pa.int32()))
    truncated = pa.chunked_array([cut for _, cut in parts], pa.bool_())
    return dataset_of(table.drop_columns("text").append_column("input_ids", ids).append_column("truncated", truncated))


def _encode(tokenizer: Any, texts: list[str], max_length: int) -> tuple[pa.Array, pa.Array]:
    encoded = tokenizer(texts, truncation=True, max_length=max_length, return_attention_mask=False, return_token_type_ids=False)
    ids = encoded["input_ids"]
    lengths = np.fromiter((len(row) for row in ids), dtype=np.int32, count=len(ids))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    flat = np.fromiter((token for row in ids for token in row), dtype=np.int32, count=int(offsets[-1]))
    # Only a row of the full length can have been cut: the others need no look at what overflowed.
    truncated = [n == max_length and bool(encoded.encodings[row].overflowing) for row, n in enumerate(lengths.tolist())]
    return pa.ListArray.from_arrays(offsets, flat), pa.array(truncated, pa.bool_())
