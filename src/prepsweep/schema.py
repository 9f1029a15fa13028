"""The row contract: the columns that every stage finds and must leave in order.

| column       | type   | meaning |
|--------------|--------|---------|
| `uid`        | string | content hash of the source row, or of (parent, stage, ordinal) for a made row |
| `text`       | string | what the model reads |
| `label`      | string | the class, always text: `NA`, `None` and `007` are classes like others; empty before annotate gives one |
| `split`      | string | `train`, `dev`, `test`, or empty before the split |
| `parent_uid` | string | the row that this one was made from; null for a source row |
| `origin`     | string | the stage that made the row; `source` for a source row |
| `weight`     | float  | weight in the training loss, 1 unless a balancing stage says otherwise |
| `dropped`    | string | null, or the reason why the row leaves here; set by stages, taken out by the pipeline |

Columns beyond these (a group, a film title) travel with the row untouched. A source may bring one more to be read, and
stages may add some:

| column            | type  | meaning |
|-------------------|-------|---------|
| `text_pair`       | string | what the model reads together with `text`: a hypothesis, an answer (`data.text_pair_column`) |
| `classes`         | list  | classes of a row whose `label` is none: several, a range of numbers, kinds of entities; never empty |
| `tokens`          | list  | the words that the tags in `label` belong to; `text` is these, joined by spaces |
| `sampling_weight` | float | how often training draws the row; without it, once an epoch (`weighted_sampler`) |
| `smote_neighbor`  | int   | for a point between two rows: toward which nearest row of the class, from 0, it moves (`embedding_smote`) |
| `smote_share`     | float | by what share of the way (`embedding_smote`) |
| `input_ids`       | list  | token ids in place of `text`, or windows of them under `truncation=window` (`tokenize`) |
| `token_type_ids`  | list  | for each token of a pair which text it is of, where the tokenizer numbers them (`tokenize`) |
| `word_starts`     | list  | for each of `tokens` the place of its first token id, -1 where it has none (`tokenize`) |
| `messages`        | string | a conversation, a JSON list of {role, content}; `text` is its contents, `label` its last answer |
| `answer_mask`     | list  | for each token id 1 where it is of an answer, which is what is learned, else 0 (`chat`) |
| `truncated`       | bool  | whether the text was cut to its first tokens (`tokenize`) |
| `label_origin`    | string | `gold`, or who gave the label (annotate; `annotate/origins.py`, with three more columns of it) |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import partial

import pyarrow as pa

SPLITS = ("train", "dev", "test")
UNSPLIT = ""
UNLABELLED = ""
COLUMNS = {
    "uid": pa.string(),
    "text": pa.string(),
    "label": pa.string(),
    "split": pa.string(),
    "parent_uid": pa.string(),
    "origin": pa.string(),
    "weight": pa.float32(),
    "dropped": pa.string(),
}
TEXT_PAIR = "text_pair"
CLASSES = "classes"
TOKENS = "tokens"
WORD_STARTS = "word_starts"
MESSAGES = "messages"
ANSWER_MASK = "answer_mask"
SMOTE_NEIGHBOR = "smote_neighbor"
SMOTE_SHARE = "smote_share"
# What a label can be. A stage's module states `WORKS_ON` where that is not what its group works on (`label_kinds.py`).
ONE_CLASS, LABEL_SET, NUMBER, TAGS, ANSWERS = ALL_KINDS = ("one class a text", "label sets", "numbers", "tags of tokens", "conversations")
# The class, in `classes`, of a row that has none.
NO_CLASS = "(none)"
_OF_ANNOTATE = ("label_origin", "proposed_label", "proposed_origin", "soft_label")
_OF_BALANCE = ("sampling_weight", SMOTE_NEIGHBOR, SMOTE_SHARE)
_OF_TOKENS = ("input_ids", "token_type_ids", WORD_STARTS, ANSWER_MASK, "truncated")
OPTIONAL_COLUMNS = (TEXT_PAIR, CLASSES, TOKENS, MESSAGES, *_OF_BALANCE, *_OF_TOKENS, *_OF_ANNOTATE)


def text_columns(names: Iterable[str]) -> list[str]:
    """The columns among `names` that the model reads: `text`, and `text_pair` where the rows are pairs."""
    return ["text", TEXT_PAIR] if TEXT_PAIR in names else ["text"]


def source_table(texts: pa.Array, labels: pa.Array, splits: pa.Array, extra: dict[str, pa.Array]) -> pa.Table:
    """Rows of a source under the contract, uids made from their content; a `text_pair` among the `extra` columns counts.

    Equal rows get different uids by counting their occurrences, so no row can hide another; a row keeps its uid
    when others are added, removed or reordered.
    """
    n_rows = len(texts)
    told_by = [texts, *(extra[name] for name in [TEXT_PAIR] if name in extra), labels, splits]
    columns = {
        "uid": source_uids(zip(*(column.to_pylist() for column in told_by), strict=True)),
        "text": texts,
        "label": labels,
        "split": splits,
        "parent_uid": pa.nulls(n_rows, pa.string()),
        "origin": pa.repeat(pa.scalar("source"), n_rows),
        "weight": pa.repeat(pa.scalar(1.0, pa.float32()), n_rows),
        "dropped": pa.nulls(n_rows, pa.string()),
    }
    return pa.table({name: pa.array(values) if isinstance(values, list) else values for name, values in (columns | extra).items()})


def source_uids(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A uid for each row: the hash of its text (of a pair both), label and split; the n-th repeat of a row has one made from that and n."""
    digest = partial(hashlib.blake2b, digest_size=12)
    # What has no UTF-8, a lone surrogate, is an escape in `repr`.
    uids = [digest(repr(row).encode()).hexdigest() for row in rows]
    # Few data sets repeat a row: the others are settled by one comparison.
    if len(set(uids)) < len(uids):
        seen: dict[str, int] = {}
        for place, uid in enumerate(uids):
            seen[uid] = occurrence = seen.get(uid, -1) + 1
            if occurrence:
                uids[place] = child_uid(uid, "repeat", occurrence)
    return uids


def child_uid(parent_uid: str, stage: str, ordinal: int) -> str:
    """Uid of the `ordinal`-th row that `stage` made from `parent_uid`: 24 hex digits."""
    return hashlib.blake2b(f"{parent_uid}\0{stage}\0{ordinal}".encode(), digest_size=12).hexdigest()
