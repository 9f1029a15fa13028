"""Conversations as token ids of the model's own tokenizer and chat template, and which of them are of an answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.checkpoints import TOKENIZER_FILES, checkpoint_folder, content_of
from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result, drop, table_of
from prepsweep.preprocess.tokenize import in_place_of_texts, lists
from prepsweep.progress import track
from prepsweep.schema import ANSWER_MASK, ANSWERS, MESSAGES
from prepsweep.sources.files import short

if TYPE_CHECKING:
    from datasets import Dataset

Messages = Sequence[Mapping[str, str]]
WORKS_ON = (ANSWERS,)
TRUNCATION = ("truncate", "drop", "error")
# What a token is of, in `answer_mask`; 0 is neither.
AN_ANSWER, THE_LAST = 1, 2
# For tokenizers that bring no template. A line break before each answer, so that no token reaches over its start.
PLAIN = (
    "{{ bos_token or '' }}{% for message in messages %}### {{ message.role | capitalize }}:\n{{ message.content | trim }}"
    "{{ eos_token if message.role == 'assistant' else '' }}\n\n{% endfor %}{{ '### Assistant:\n' if add_generation_prompt else '' }}"
)
_WRITERS = ("ForCausalLM", "LMHeadModel")
_ROWS_AT_ONCE = 2000
_CHECKPOINT = "model.name"
_WHERE = "preprocess.chat"


def check(*, max_length: int, truncation: str, **_: object) -> None:
    """Refuse a length that leaves no room for a question and its answer, and a policy that is none."""
    if max_length < 8:
        raise Refused(f"{_WHERE}.max_length", f"must be at least 8, got {max_length}", "512 suits short conversations")
    if truncation not in TRUNCATION:
        raise Refused(f"{_WHERE}.truncation", f"unknown policy {truncation!r}", nearest(str(truncation), TRUNCATION))


def fingerprint(*, checkpoint: str, revision: str | None, **_: object) -> dict[str, str]:
    """Content hashes of the tokenizer's files; refuses a checkpoint that does not write text."""
    folder = checkpoint_folder(checkpoint, revision=revision, patterns=TOKENIZER_FILES, where=_CHECKPOINT)
    name = (json.loads((folder / "config.json").read_bytes()).get("architectures") or ["no model"])[0]
    if not name.endswith(_WRITERS):
        fix = "set model=smollm2, or model=checkpoint with model.name=… (GPT-2, Llama, Qwen)"
        raise Refused(_CHECKPOINT, f"{checkpoint} is {name}, which does not write text", fix)
    return content_of(folder, TOKENIZER_FILES)


def check_rows(dataset: Dataset, *, checkpoint: str, revision: str | None, **_: object) -> None:
    """Refuse marks of the tokenizer in a message and roles that the template does not take."""
    table = table_of(dataset)
    tokenizer = tokenizer_of(checkpoint, revision)
    for mark in tokenizer.all_special_tokens:
        held = table.column("text").filter(pc.match_substring(table.column("text"), mark))
        if len(held):
            what = f"{len(held):,} conversations hold {mark!r}, which the tokenizer takes for a mark, the first is {short(held[0].as_py())}"
            raise Refused(_WHERE, what, "take it out of the messages")
    # Whether a template takes a conversation depends on its roles.
    for messages in {tuple(one["role"] for one in found): found for found in map(json.loads, table.column(MESSAGES).to_pylist())}.values():
        rendered(tokenizer, messages)


def refuses_when_run(*, truncation: str, **_: object) -> bool:
    """Whether conversations are refused for what is read of them."""
    return truncation == "error"


def chat(dataset: Dataset, *, checkpoint: str, revision: str | None, max_length: int, truncation: str) -> Result:
    """The rows with `input_ids`, `answer_mask` (int8) and `truncated` in place of `text` and `messages`.

    A conversation is written by the chat template of the tokenizer, or by a plain one where it has none, and is not read
    beyond its last answer. An answer goes from where the template asks for it to the mark that ends it, that included; a
    token that reaches over its start is of the answer, so that no prompt holds a part of it. The last answer, which the
    label is, is marked apart where it was not cut.

    One of more than `max_length` tokens is, by `truncation`: cut at the end and marked in `truncated` (`truncate`), and
    leaves train as `answer_cut` where no answer begins before the cut; the same for rows of dev and test, while a train row
    leaves as `too_long` (`drop`); refused (`error`). A row of dev or test without an answer left counts as not answered.
    """
    table = table_of(dataset)
    tokenizer = tokenizer_of(checkpoint, revision)
    read = _encoded(tokenizer, table, max_length)
    if truncation == "error":
        _refuse_long(read, max_length)
    rows, in_train = in_place_of_texts(table, read.drop_columns(["n_tokens", "n_answer_tokens"])), pc.equal(table.column("split"), "train")
    if truncation == "drop":
        rows = drop(rows, "too_long", pc.and_(read.column("truncated"), in_train))
    rows = drop(rows, "answer_cut", pc.and_(pc.equal(read.column("n_answer_tokens"), 0), in_train))
    facts = {"template": "plain" if tokenizer.chat_template == PLAIN else "own"}
    return Result(rows, facts=facts | {"n_answer_tokens": pc.sum(read.column("n_answer_tokens")).as_py() or 0})


def tokenizer_of(checkpoint: str, revision: str | None) -> Any:
    """The tokenizer of a checkpoint, with the plain template where it has none, which is said once."""
    folder = checkpoint_folder(checkpoint, revision=revision, patterns=TOKENIZER_FILES, where=_CHECKPOINT)
    tokenizer = chat_tokenizer(folder)
    if tokenizer.chat_template == PLAIN:
        _say_plain(checkpoint)
    return tokenizer


def chat_tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder, with the plain template where it has none; refused where it cannot mark the end of an answer."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not tokenizer.is_fast:
        raise Refused(_CHECKPOINT, f"{folder.name} has no fast tokenizer", "choose a checkpoint with a tokenizer.json")
    if tokenizer.chat_template is None:
        if tokenizer.eos_token is None:
            what = f"the tokenizer of {folder.name} has neither a chat template nor an eos_token to end an answer with"
            raise Refused(
                _CHECKPOINT, what, "choose a checkpoint that was trained on chats, or set one of them in its tokenizer_config.json"
            )
        tokenizer.chat_template = PLAIN
    return tokenizer


def rendered(tokenizer: Any, messages: Messages) -> tuple[str, list[tuple[int, int]]]:
    """The conversation as its template writes it, up to its last answer, and from which to which character each answer goes."""
    from jinja2 import TemplateError

    def written(n: int, *, prompt: bool = False) -> str:
        text: str = tokenizer.apply_chat_template(messages[:n], tokenize=False, add_generation_prompt=prompt)
        return text

    try:
        whole = written(len(messages))
        spans: list[tuple[int, int]] = []
        for place in (place for place, message in enumerate(messages) if message["role"] == "assistant"):
            before = written(place, prompt=True)
            after = (whole if place + 1 == len(messages) else written(place + 1)).rstrip()
            if not (after.startswith(before) and whole.startswith(after)):
                what = f"the chat template of the tokenizer writes answer {len(spans) + 1} otherwise when the conversation goes on"
                fix = "part conversations into single questions, or choose a model whose template writes turn after turn"
                raise Refused(_WHERE, what, fix)
            spans.append((len(before), len(after)))
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in messages)
        what = f"the chat template of the tokenizer does not take the roles {roles}: {error}"
        raise Refused(_WHERE, what, "take such messages out, or choose a model whose template knows them") from error
    return whole[: spans[-1][1]], spans


@cache
def _say_plain(checkpoint: str) -> None:
    print(f"{checkpoint} has no chat template: a plain one is used (### User: … ### Assistant: …)", file=sys.stderr)


def _encoded(tokenizer: Any, table: pa.Table, max_length: int) -> pa.Table:
    kinds = {"input_ids": pa.list_(pa.int32()), ANSWER_MASK: pa.list_(pa.int8()), "truncated": pa.bool_()}
    kinds |= {"n_tokens": pa.int64(), "n_answer_tokens": pa.int64()}
    found = (pa.table(part, pa.schema(kinds)) for part in _parts(tokenizer, table.column(MESSAGES), max_length))
    return pa.concat_tables([pa.schema(kinds).empty_table(), *found])


def _parts(tokenizer: Any, column: pa.ChunkedArray, max_length: int) -> Iterator[dict[str, pa.Array]]:
    for start in track(range(0, len(column), _ROWS_AT_ONCE), "tokenising"):
        given = [rendered(tokenizer, json.loads(cell)) for cell in column.slice(start, _ROWS_AT_ONCE).to_pylist()]
        options = {"add_special_tokens": False, "return_offsets_mapping": True, "verbose": False}
        encoded = tokenizer([text for text, _ in given], return_attention_mask=False, return_token_type_ids=False, **options)
        rows = zip(encoded["offset_mapping"], (spans for _, spans in given), strict=True)
        masks = [answer_mask(np.array(offsets, dtype=np.int64).reshape(-1, 2), spans, max_length) for offsets, spans in rows]
        n_tokens = np.array([len(ids) for ids in encoded["input_ids"]], dtype=np.int64)
        yield {
            "input_ids": lists([ids[:max_length] for ids in encoded["input_ids"]], np.int32),
            ANSWER_MASK: lists([mask.tolist() for mask in masks], np.int8),
            "truncated": pa.array(n_tokens > max_length),
            "n_tokens": pa.array(n_tokens),
            "n_answer_tokens": pa.array([int(np.count_nonzero(mask)) for mask in masks], pa.int64()),
        }


def answer_mask(offsets: NDArray[np.int64], spans: Sequence[tuple[int, int]], max_length: int) -> NDArray[np.int8]:
    """What each of the first `max_length` tokens is of, from the characters of each token, shape (n_tokens, 2), and of each answer."""
    starts, ends = np.array(spans).T
    span = np.searchsorted(ends, offsets[:, 0], side="right").clip(max=len(ends) - 1)
    inside = (offsets[:, 1] > starts[span]) & (offsets[:, 0] < ends[span])
    last = THE_LAST if len(offsets) <= max_length else AN_ANSWER
    return np.where(inside, np.where(span == len(ends) - 1, last, AN_ANSWER), 0)[:max_length].astype(np.int8)


def _refuse_long(read: pa.Table, max_length: int) -> None:
    if n_long := pc.sum(read.column("truncated")).as_py():
        longest = pc.max(read.column("n_tokens")).as_py()
        what = f"{n_long:,} of {len(read):,} conversations are longer than {max_length} tokens, the longest has {longest:,}"
        raise Refused(_WHERE, what, f"raise {_WHERE}.max_length, or set {_WHERE}.truncation to truncate or drop")
