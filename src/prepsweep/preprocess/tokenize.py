"""Texts, or pairs of texts, as token ids of the model's own tokenizer, without padding, and what happens to those that are too long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.checkpoints import TOKENIZER_FILES, checkpoint_folder, content_of
from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result, dataset_of, drop, table_of
from prepsweep.progress import track
from prepsweep.row_classes import by_class
from prepsweep.schema import MESSAGES, TEXT_PAIR, TOKENS, WORD_STARTS, text_columns

if TYPE_CHECKING:
    from datasets import Dataset

TRUNCATION = ("truncate", "drop", "window", "error")
TYPES = "token_type_ids"
_ROWS_AT_ONCE = 2000
# Up to four special tokens (RoBERTa's), and a token of each text.
_SHORTEST_PAIR = 6
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


def check_rows(dataset: Dataset, *, max_length: int, truncation: str, **_: object) -> None:
    """Refuse pairs and tokens that cannot be read in windows."""
    _refuse_pairs(table_of(dataset), max_length, truncation)


def refuses_when_run(*, truncation: str, **_: object) -> bool:
    """Whether rows are refused for what is read of them."""
    return truncation == "error"


def tokenize(dataset: Dataset, *, checkpoint: str, revision: str | None, max_length: int, truncation: str, stride: int) -> Dataset | Result:
    """The rows with `input_ids` (int32, special tokens included) and `truncated` in place of `text` (and `text_pair`).

    A text of more than `max_length` tokens is, by `truncation`: cut at the end and marked in `truncated` (`truncate`); the
    same for rows of dev and test, while a train row leaves as `too_long` (`drop`); refused (`error`); or kept whole
    in windows of `max_length` tokens that share `stride` tokens, and then `input_ids` is a list of windows in all rows
    (`window`). A row stays one row with one weight and one place in an epoch, however many windows it has.

    A pair is one sequence, its texts parted as the model was trained to read them; where the tokenizer numbers them (BERT's
    does, RoBERTa's not), `token_type_ids` tell which text a token is of. A pair that is too long loses tokens at the end of
    the longer text until it fits or both are of one length, and then of both (`longest_first`). There are no windows of pairs.

    Of rows with `tokens` these are read, and `word_starts` says where each begins, -1 for one that was cut or left nothing.
    """
    table = table_of(dataset)
    _refuse_pairs(table, max_length, truncation)
    tokenizer = _tokenizer(checkpoint, revision, words=TOKENS in table.column_names)
    if truncation == "window":
        ids = pa.chunked_array(windows(tokenizer, table.column("text"), max_length, stride), pa.list_(pa.list_(pa.int32())))
        too_long = pc.greater(pc.list_value_length(ids), 1)
        read = pa.table({"input_ids": ids, "truncated": pc.and_(too_long, False)})
        return Result(in_place_of_texts(table, read), facts=_window_facts(table, ids, too_long))
    read = cut(tokenizer, table, max_length)
    too_long = read.column("truncated")
    if truncation == "error":
        _refuse_long(tokenizer, table, too_long, max_length)
    rows = in_place_of_texts(table, read)
    if truncation == "drop":
        leaves = pc.and_(too_long, pc.equal(table.column("split"), "train"))
        _refuse_empty_class(table, leaves, max_length)
        return drop(rows, "too_long", leaves)
    return rows


def _tokenizer(checkpoint: str, revision: str | None, *, words: bool) -> Any:
    from transformers import AutoTokenizer

    folder = checkpoint_folder(checkpoint, revision=revision, patterns=TOKENIZER_FILES, where=_CHECKPOINT)
    # A word of its own is read as in the middle of a text (RoBERTa, GPT-2).
    tokenizer = AutoTokenizer.from_pretrained(folder, **({"add_prefix_space": True} if words else {}))
    if not tokenizer.is_fast:
        raise Refused(_CHECKPOINT, f"{checkpoint} has no fast tokenizer", "choose a checkpoint with a tokenizer.json")
    return tokenizer


def in_place_of_texts(table: pa.Table, read: pa.Table) -> Dataset:
    """The rows of `table` with the columns of `read` in place of what was read."""
    rows = table.drop_columns([name for name in (*text_columns(table.column_names), TOKENS, MESSAGES) if name in table.column_names])
    for name in read.column_names:
        rows = rows.append_column(name, read.column(name))
    return dataset_of(rows)


def _encoded(tokenizer: Any, columns: Sequence[pa.ChunkedArray], **options: Any) -> Iterator[Any]:
    """What the tokenizer makes of the texts or pairs, some thousand at a time."""
    for start in track(range(0, len(columns[0]), _ROWS_AT_ONCE), "tokenising"):
        part = [column.slice(start, _ROWS_AT_ONCE).to_pylist() for column in columns]
        yield tokenizer(*part, return_attention_mask=False, **options)


def cut(tokenizer: Any, table: pa.Table, max_length: int) -> pa.Table:
    """`input_ids` of at most `max_length` tokens, which rows were `truncated`, and `token_type_ids` of pairs where there are any."""
    if TOKENS in table.column_names:
        kinds = {"input_ids": pa.list_(pa.int32()), WORD_STARTS: pa.list_(pa.int32()), "truncated": pa.bool_()}
        found = _cut_words(tokenizer, [table.column(TOKENS)], max_length)
        return pa.concat_tables([pa.schema(kinds).empty_table(), *(pa.table(part, pa.schema(kinds)) for part in found)])
    columns = [table.column(name) for name in text_columns(table.column_names)]
    found = (_cut_pairs if len(columns) > 1 else _cut_texts)(tokenizer, columns, max_length)
    typed = len(columns) > 1 and any(tokenizer("a", "b", return_token_type_ids=True)[TYPES])
    kinds = {"input_ids": pa.list_(pa.int32())} | ({TYPES: pa.list_(pa.int8())} if typed else {}) | {"truncated": pa.bool_()}
    parts = [pa.table({name: part[name] for name in kinds}, pa.schema(kinds)) for part in found]
    return pa.concat_tables([pa.schema(kinds).empty_table(), *parts])


def _cut_texts(tokenizer: Any, columns: Sequence[pa.ChunkedArray], max_length: int) -> Iterator[dict[str, pa.Array]]:
    for encoded in _encoded(tokenizer, columns, truncation=True, return_token_type_ids=False, max_length=max_length):
        ids = lists(encoded["input_ids"], np.int32)
        # Only a row of the full length can have been cut: the others need no look at what overflowed.
        full = pc.equal(ids.value_lengths(), max_length).to_pylist()
        cut = [is_full and bool(encoded.encodings[row].overflowing) for row, is_full in enumerate(full)]
        yield {"input_ids": ids, "truncated": pa.array(cut, pa.bool_())}


def _cut_words(tokenizer: Any, columns: Sequence[pa.ChunkedArray], max_length: int) -> Iterator[dict[str, pa.Array]]:
    options = {"is_split_into_words": True, "truncation": True, "return_token_type_ids": False, "max_length": max_length}
    n_before = 0
    for encoded in _encoded(tokenizer, columns, **options):
        n_words = columns[0].slice(n_before, len(encoded["input_ids"])).combine_chunks().value_lengths().to_pylist()
        n_before += len(n_words)
        starts = [_first_pieces(encoded.word_ids(row), n).tolist() for row, n in enumerate(n_words)]
        cut = [bool(encoding.overflowing) for encoding in encoded.encodings]
        ids = lists(encoded["input_ids"], np.int32)
        yield {"input_ids": ids, WORD_STARTS: lists(starts, np.int32), "truncated": pa.array(cut, pa.bool_())}


def _first_pieces(words: Sequence[int | None], n_words: int) -> NDArray[np.int64]:
    """For each word the place of its first token id, -1 where it has none; `words` says for each id which word it is of."""
    of_ids = np.array([n_words if word is None else word for word in words], dtype=np.int64)
    found, places = np.unique(of_ids, return_index=True)
    starts = np.full(n_words + 1, -1)
    starts[found] = places
    return starts[:-1]


def _cut_pairs(tokenizer: Any, columns: Sequence[pa.ChunkedArray], max_length: int) -> Iterator[dict[str, pa.Array]]:
    # Cut here: the tokenizer would keep what overflows, every part of the one text with every part of the other.
    for encoded in _encoded(tokenizer, columns, truncation=False, return_token_type_ids=True, verbose=False):
        ids, types = encoded["input_ids"], encoded[TYPES]
        too_long = [len(row) > max_length for row in ids]
        for row in np.flatnonzero(too_long).tolist():
            kept = _longest_first(encoded.sequence_ids(row), max_length, left=tokenizer.truncation_side == "left").tolist()
            ids[row], types[row] = ([values[row][place] for place in kept] for values in (ids, types))
        yield {"input_ids": lists(ids, np.int32), TYPES: lists(types, np.int8), "truncated": pa.array(too_long, pa.bool_())}


def _longest_first(sides: Sequence[int | None], max_length: int, *, left: bool) -> NDArray[np.intp]:
    """Places that stay of a pair's tokens; `sides` says for each of which text it is, None for special tokens."""
    places = [np.flatnonzero([side == text for side in sides]) for text in (0, 1)]
    room = max_length - (len(sides) - sum(map(len, places)))
    short, long = sorted(map(len, places))
    short = min(short, room // 2)
    long = min(long, room - short)
    kept = (short, long) if len(places[0]) <= len(places[1]) else (long, short)
    gone = [of_text[: len(of_text) - n] if left else of_text[n:] for of_text, n in zip(places, kept, strict=True)]
    return np.setdiff1d(np.arange(len(sides)), np.concatenate(gone))


def windows(tokenizer: Any, texts: pa.ChunkedArray, max_length: int, stride: int) -> Iterator[pa.Array]:
    """Token ids in windows: for each row a list of lists."""
    options = {"truncation": True, "return_token_type_ids": False, "return_overflowing_tokens": True}
    for encoded in _encoded(tokenizer, [texts], max_length=max_length, stride=stride, **options):
        n_windows = np.bincount(encoded["overflow_to_sample_mapping"])
        offsets = np.concatenate([[0], np.cumsum(n_windows)]).astype(np.int32)
        yield pa.ListArray.from_arrays(offsets, lists(encoded["input_ids"], np.int32))


def lists(rows: Sequence[Sequence[int]], kind: type[np.signedinteger[Any]]) -> pa.Array:
    """An Arrow column of lists of integers."""
    lengths = np.fromiter((len(row) for row in rows), dtype=np.int32, count=len(rows))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    flat = np.fromiter((value for row in rows for value in row), dtype=kind, count=int(offsets[-1]))
    return pa.ListArray.from_arrays(offsets, flat)


def _window_facts(table: pa.Table, ids: pa.ChunkedArray, too_long: pa.ChunkedArray) -> dict[str, Any]:
    counted = pc.value_counts(by_class(table.filter(too_long)).column("label")).to_pylist()
    in_windows = dict(sorted((found["values"], found["counts"]) for found in counted))
    return {"n_windows": pc.sum(pc.list_value_length(ids)).as_py() or 0, "rows_in_windows": in_windows}


def _refuse_pairs(table: pa.Table, max_length: int, truncation: str) -> None:
    if TOKENS in table.column_names and truncation == "window":
        fix = f"raise {_WHERE}.max_length, or choose truncate, drop or error"
        raise Refused(f"{_WHERE}.truncation", "tokens with tags are not read in windows", fix)
    if TEXT_PAIR not in table.column_names:
        return
    if truncation == "window":
        what = "texts are not read in windows where they are pairs (data.text_pair_column)"
        raise Refused(f"{_WHERE}.truncation", what, f"raise {_WHERE}.max_length, or choose truncate, drop or error")
    if max_length < _SHORTEST_PAIR:
        what = f"must be at least {_SHORTEST_PAIR} for pairs of texts (data.text_pair_column), got {max_length}"
        raise Refused(f"{_WHERE}.max_length", what, "128 suits pairs of short texts")


def _refuse_long(tokenizer: Any, table: pa.Table, too_long: pa.ChunkedArray, max_length: int) -> None:
    words = TOKENS in table.column_names
    long = [table.column(name).filter(too_long).to_pylist() for name in ([TOKENS] if words else text_columns(table.column_names))]
    if long[0]:
        longest = max(len(ids) for ids in tokenizer(*long, is_split_into_words=words, verbose=False)["input_ids"])
        what = f"{len(long[0]):,} of {len(table):,} rows are longer than {max_length} tokens, the longest has {longest:,}"
        raise Refused(_WHERE, what, f"raise {_WHERE}.max_length, or set {_WHERE}.truncation to truncate, drop or window")


def _refuse_empty_class(table: pa.Table, leaves: pa.ChunkedArray, max_length: int) -> None:
    """Refuse to drop all train rows of a class: a model of the other classes would be trained in silence."""
    train = pc.equal(table.column("split"), "train")
    there, kept = (pc.unique(by_class(table.filter(rows)).column("label")).to_pylist() for rows in (train, pc.and_not(train, leaves)))
    for label in sorted(set(there) - set(kept)):
        what = f"drop leaves no train row of class {label!r}: all are longer than {max_length} tokens"
        raise Refused(f"{_WHERE}.truncation", what, f"raise {_WHERE}.max_length, or choose truncate or window")
