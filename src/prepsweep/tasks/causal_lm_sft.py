"""Instructions and dialogues: a causal language model learns the answers of the assistant, and nothing else of a conversation."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.errors import Refused, nearest
from prepsweep.length_groups import each_group
from prepsweep.monitors import monitor_of
from prepsweep.preprocess.chat import THE_LAST, chat_tokenizer
from prepsweep.row_classes import in_ranges
from prepsweep.schema import ANSWER_MASK, ANSWERS, MESSAGES, TEXT_PAIR
from prepsweep.sources.files import short
from prepsweep.sources.task_labels import NotALabel, each_cell

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import Tensor
    from torch.nn import Module

    from prepsweep.sources.table import Rows

Values = NDArray[np.float32]
FORMS = ("messages", "prompt")
ROLES = ("system", "user", "assistant")
# What stands in labels where nothing is learned, as PyTorch has it.
IGNORED = -100
_EXAMPLE = '[{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]'


def check(task: DictConfig) -> None:
    """Refuse a form that is none, and numbers that cannot be meant."""
    if task.labels.form not in FORMS:
        raise Refused("task.labels.form", f"unknown form {task.labels.form!r}", nearest(str(task.labels.form), FORMS))
    for where, value in (("labels.n_ranges", task.labels.n_ranges), ("max_new_tokens", task.max_new_tokens)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise Refused(f"task.{where}", f"must be a whole number of at least 1, got {value!r}", f"try task.{where}=3")


class Conversations:
    """Messages of a system (at most one, the first), a user and an assistant who take turns; the last is an answer.

    Form `messages`: `data.text_column` holds lists of {role, content}. Form `prompt`: it holds what the user says, and
    `data.label_column` the answer. In the rows `messages` is the list in JSON, `text` its contents, a line each, by which
    rows are compared and judged, and `label` the last answer without white space around it. A row's class is the range
    that the length of this answer in characters is in.
    """

    kind, named = ANSWERS, False

    def __init__(self, form: str, n_ranges: int) -> None:
        self.n_ranges, self.tokens = n_ranges, form == "messages"

    def read(self, rows: Rows) -> Rows:
        """`rows` as conversations; refused is one that does not end in an answer, and roles in another order."""
        if TEXT_PAIR in rows.further:
            raise Refused("data.text_pair_column", "conversations have no second text", "leave it out")
        if self.tokens:
            found = each_cell(rows, rows.texts, _messages)
        else:
            asked = each_cell(rows, rows.texts, lambda cell: _said("user", cell, "the prompt"))
            answers = each_cell(rows, rows.labels, lambda cell: _said("assistant", cell, "the answer"))
            found = [list(turns) for turns in zip(asked, answers, strict=True)]
        messages, texts, labels = (
            pa.chunked_array([pa.array(column, pa.string())])
            for column in (
                [json.dumps(turns, ensure_ascii=False) for turns in found],
                ["\n".join(turn["content"] for turn in turns) for turns in found],
                [turns[-1]["content"].strip() for turns in found],
            )
        )
        return replace(rows, texts=texts, labels=labels, further={**rows.further, MESSAGES: messages})

    def classes(self, labels: pa.ChunkedArray) -> pa.ListArray:
        """The range that the length of each answer is in."""
        return in_ranges(pc.utf8_length(labels).to_numpy(), self.n_ranges)


class CausalLmSft:
    """Mean cross-entropy of the answers' tokens, a token a vote, whatever row it is of; a row's weight counts for its tokens."""

    monitor = monitor_of("causal_lm_sft")
    n_passes = 1

    def __init__(self, classes: Sequence[str], *, labels: Conversations, max_new_tokens: int) -> None:
        self.classes, self.max_new_tokens = list(classes), max_new_tokens
        self.decision: dict[str, float] = {}
        self.tokenizer: Any = None
        self._numbers: dict[str, int] = {}

    def load_model(self, folder: Path) -> Module:
        """The checkpoint with the head that it was trained with; refused where a token could see those after it."""
        self.tokenizer = chat_tokenizer(folder)
        return _causal(folder)

    def targets(self, labels: pa.ChunkedArray) -> NDArray[np.int64]:
        """A number for each distinct last answer, shape (n_rows,): what is learned stands in the tokens."""
        return np.array([self._numbers.setdefault(label, len(self._numbers)) for label in labels.to_pylist()], dtype=np.int64)

    def training_loss(self, model: Module, inputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """Mean over the tokens of answers, each by the weight of its row (0-dimensional)."""
        import torch

        labels, found, weights = labels_of(batch), [], []
        for (rows, places), logits in each_group(model, inputs):
            losses, there, _ = _losses(logits, labels[rows, places])
            found.append(losses)
            weights.append(batch["weights"][rows][:, None].expand_as(there)[there])
        weight = torch.cat(weights)
        return (torch.cat(found) * weight).sum() / weight.sum().clamp_min(1e-9)

    def evaluated(self, model: Module, inputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """Of each row the loss of its answers, their tokens, how many of these come first, whether the last is met, what is written.

        Shape (n_rows, 4 + max_new_tokens), the token ids that are written filled up with -1. Greedy decoding gives an answer token by
        token exactly if each of its tokens is the most probable after the true ones before it, so only rows of which
        this does not hold are decoded.
        """
        import torch

        labels = labels_of(batch)
        losses, there, right = _losses(model(**inputs).logits, labels)
        sums = torch.zeros(there.shape, device=losses.device).masked_scatter(there, losses).sum(dim=1)
        last = batch[ANSWER_MASK][:, 1:] == THE_LAST
        met = last.any(dim=1) & ~(last & ~right).any(dim=1)
        written = torch.full((len(met), self.max_new_tokens), -1, device=losses.device)
        lengths = (batch[ANSWER_MASK] == THE_LAST).int().argmax(dim=1)
        for rows in _together(model, torch.nonzero(last.any(dim=1) & ~met).flatten(), lengths):
            written[rows] = self._written(model, batch["input_ids"][rows], lengths[rows])
        told = torch.stack([sums, there.sum(dim=1), right.sum(dim=1), met], dim=1)
        return torch.cat([told, written], dim=1).float()

    def _written(self, model: Any, ids: Tensor, lengths: Tensor) -> Tensor:
        """Token ids that the model writes after the first `lengths` of each row, (n_rows, max_new_tokens), filled up with -1."""
        import torch
        from transformers import GenerationConfig

        longest = int(lengths.max())
        # Prompts end at one place, so they begin at different ones: what stands before is padding.
        places = torch.arange(longest, device=ids.device) - (longest - lengths)[:, None]
        prompts = ids.gather(1, places.clamp_min(0))
        ends = sorted(self._ends(model))
        plan = GenerationConfig(do_sample=False, max_new_tokens=self.max_new_tokens, eos_token_id=ends, pad_token_id=ends[0])
        with warnings.catch_warnings():
            # Of prompt tuning, whose rows are not padded (`_together`).
            warnings.filterwarnings("ignore", message="Position ids are not supported")
            found = model.generate(input_ids=prompts, attention_mask=(places >= 0).long(), generation_config=plan)[:, longest:]
        ended = torch.isin(found, torch.tensor(ends, device=found.device)).cumsum(dim=1) > 0
        return torch.nn.functional.pad(found.masked_fill(ended, -1), (0, self.max_new_tokens - found.shape[1]), value=-1)

    def _ends(self, model: Any) -> set[int]:
        """Token ids that end an answer, by the tokenizer and by the model (Llama 3 has several)."""
        told = getattr(model.generation_config, "eos_token_id", None)
        return {*(told if isinstance(told, list) else [told]), self.tokenizer.eos_token_id} - {None}

    def decide(self, logits: Values, labels: NDArray[np.int64]) -> None:
        """Nothing: the most probable tokens are written."""

    def scores(self, logits: Values, labels: NDArray[np.int64]) -> dict[str, Any]:
        """`loss` is the mean over all tokens of answers, `log_likelihood` minus that and `perplexity` its exponential.

        `token_accuracy` counts tokens that are the most probable after the true ones before them, `exact_match` rows
        whose last answer is written as it is, white space around it aside.
        """
        losses, n_tokens, n_right = logits[:, :3].astype(np.float64).sum(axis=0)
        loss = float(losses / max(n_tokens, 1))
        names = list(self._numbers)
        right = [said == names[label] for said, label in zip(self._answers(logits, [names[n] for n in labels]), labels, strict=True)]
        return {
            "log_likelihood": -loss,
            "perplexity": math.exp(min(loss, 700.0)),
            "token_accuracy": float(n_right / max(n_tokens, 1)),
            "exact_match": float(np.mean(right)),
            "loss": loss,
            "per_class": {},
        }

    def predictions(self, logits: Values, labels: pa.ChunkedArray) -> dict[str, Any]:
        """What is written in place of the last answer; the loss of all answers of a row, and how many tokens they are."""
        columns: dict[str, Any] = {"prediction": self._answers(logits, labels.to_pylist())}
        return columns | {"answer_loss": pa.array(logits[:, 0], pa.float32()), "answer_tokens": pa.array(logits[:, 1].astype(np.int32))}

    def report(self, test: dict[str, Any]) -> str:
        """The scores, one a line."""
        return "\n".join(f"{name:>14} {test[name]:10.4f}" for name in ("perplexity", "log_likelihood", "token_accuracy", "exact_match"))

    def _answers(self, logits: Values, labels: Sequence[str]) -> list[str]:
        """The label of rows that are met token by token: a tokenizer may not give a text back as it was."""
        written = self.tokenizer.batch_decode([row[row >= 0] for row in logits[:, 4:].astype(np.int64)], skip_special_tokens=True)
        return [label if met else said.strip() for label, said, met in zip(labels, written, logits[:, 3] > 0, strict=True)]


def labels_of(batch: Mapping[str, Tensor]) -> Tensor:
    """The token ids of answers, `IGNORED` at all other places, shape of `input_ids`."""
    return batch["input_ids"].masked_fill(batch[ANSWER_MASK] == 0, IGNORED)


def _losses(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy of the tokens to be learned, one after the other; where they stand, and which are the most probable there.

    The latter two have a place for each token but the first, which nothing foretells.
    """
    from torch.nn import functional

    # Learned tokens before the text (prompt tuning) have logits too.
    logits, wanted = logits[:, -labels.shape[1] :][:, :-1], labels[:, 1:]
    there = wanted != IGNORED
    losses = functional.cross_entropy(logits[there].float(), wanted[there], reduction="none")
    return losses, there, there & (logits.argmax(dim=2) == wanted)


def _together(model: Module, rows: Tensor, lengths: Tensor) -> list[Tensor]:
    """Rows whose prompts can be read in one batch: all, or those of one length where peft has no way to pad before them."""
    if not len(rows) or not hasattr(model, "prompt_encoder"):
        return [rows] if len(rows) else []
    return [rows[lengths[rows] == length] for length in sorted(set(lengths[rows].tolist()))]


def _causal(folder: Path) -> Module:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    model: Module
    info: Any
    model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    ids = torch.arange(2).repeat(2, 4)
    ids[1, -1] = 0
    with torch.no_grad():
        first, other = model.eval()(input_ids=ids).logits[:, 0]
    if info["missing_keys"] or not torch.allclose(first, other, atol=1e-4):
        what = f"{folder.name} was not trained to write: " + (
            "its head is new" if info["missing_keys"] else "its tokens see those after them"
        )
        raise Refused("model.name", what, "choose a causal language model (GPT-2, Llama, Qwen)")
    return model


def _messages(cell: str) -> list[dict[str, str]]:
    """The messages of a cell, in order; raises `NotALabel`."""
    try:
        given: Any = json.loads(cell)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, list) or not all(isinstance(message, dict) for message in given):
        raise NotALabel(f"{short(cell)} is no list of messages", f"write it as {_EXAMPLE}, or set task.labels.form=prompt")
    if not given:
        raise NotALabel("a conversation without messages", "take the row out")
    found = [_message(message, f"message {number}") for number, message in enumerate(given, start=1)]
    roles = [message["role"] for message in found]
    if "assistant" not in roles:
        raise NotALabel("a conversation without an answer of the assistant", "add a message with the role assistant, or take the row out")
    turns = roles[1:] if roles[0] == "system" else roles
    for number, role in enumerate(turns):
        if role != (wanted := ROLES[1 + number % 2]):
            place = number + 1 + len(roles) - len(turns)
            raise NotALabel(
                f"message {place} is of the {role}, where one of the {wanted} belongs", "let user and assistant take turns, the user first"
            )
    if roles[-1] != "assistant":
        raise NotALabel("a conversation that ends without an answer", "add the answer of the assistant, or take the last message out")
    return found


def _message(given: Mapping[str, Any], where: str) -> dict[str, str]:
    role, content = given.get("role"), given.get("content")
    if "role" not in given or "content" not in given:
        raise NotALabel(f"{where} has the keys {', '.join(given) or '(none)'}, not role and content", f"write it as {_EXAMPLE}")
    if role not in ROLES:
        raise NotALabel(f"{where} has the role {short(str(role))}", f"use {', '.join(ROLES)}")
    if further := sorted(name for name in given if name not in ("role", "content") and given[name] is not None):
        raise NotALabel(f"{where} has {further[0]!r}, which would not be read", "take it out: a message is a role and a content")
    return _said(role, content, where)


def _said(role: str, content: Any, where: str) -> dict[str, str]:
    if not isinstance(content, str) or not content.strip():
        raise NotALabel(f"{where} is {'blank' if isinstance(content, str) else 'no text'}", "write what is said, or take the row out")
    return {"role": role, "content": content}
