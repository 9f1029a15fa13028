"""A tag for each word: named entities in BIO tags, scored as whole entities, or plain tags (parts of speech), scored word by word."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.errors import Refused, nearest
from prepsweep.length_groups import logits_by_length
from prepsweep.metrics import averages, class_table, per_class
from prepsweep.monitors import monitor_of
from prepsweep.schema import NO_CLASS, TAGS, TOKENS, WORD_STARTS
from prepsweep.sources.files import short
from prepsweep.sources.task_labels import NotALabel, each_cell, list_of_strings
from prepsweep.tasks.heads import token_head
from prepsweep.tasks.spans import OUTSIDE, as_label, is_bio, kinds, spans

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import Tensor
    from torch.nn import Module

    from prepsweep.sources.table import Rows

SCHEMES = ("bio", "plain")
# What stands in `labels` where a sentence has no more words.
NO_WORD = -100


def check(task: DictConfig) -> None:
    """Refuse a scheme that is none."""
    if task.labels.scheme not in SCHEMES:
        raise Refused("task.labels.scheme", f"unknown scheme {task.labels.scheme!r}", nearest(str(task.labels.scheme), SCHEMES))


class Tags:
    """Two lists of one length: `data.text_column` names the tokens, `data.label_column` their tags.

    In the rows `tokens` is the list, `text` the same joined by spaces, and `label` the tags in JSON. The classes of a row
    are the kinds of its entities (scheme `bio`) or its distinct tags (`plain`).
    """

    kind, named, tokens = TAGS, True, True

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme

    def read(self, rows: Rows) -> Rows:
        """`rows` with `tokens`, texts and tags; refused where a token is blank, a tag is none or their numbers differ."""
        tokens, tags = each_cell(rows, rows.texts, _words), each_cell(rows, rows.labels, self._tags)
        for row, (of_row, given) in enumerate(zip(tokens, tags, strict=True)):
            if len(of_row) != len(given):
                raise rows.refused(row, f"{len(of_row)} tokens and {len(given)} tags", "give each token one tag")
        words = pa.array(tokens, pa.list_(pa.string()))
        labels = pa.array([as_label(given) for given in tags], pa.string())
        texts, further = pa.chunked_array([pc.binary_join(words, " ")]), {**rows.further, TOKENS: pa.chunked_array([words])}
        return replace(rows, texts=texts, labels=pa.chunked_array([labels]), further=further)

    def classes(self, labels: pa.ChunkedArray) -> pa.ListArray:
        """The kinds of entities, or the tags, of each row."""
        encoded = pc.dictionary_encode(labels.combine_chunks())
        rows = (json.loads(label) for label in encoded.dictionary.to_pylist())
        found = [(kinds(tags) if self.scheme == "bio" else sorted(set(tags))) or [NO_CLASS] for tags in rows]
        return pa.array(found, pa.list_(pa.string())).take(encoded.indices)

    def names(self, classes: Sequence[str]) -> list[str]:
        """The tags that the head tells apart."""
        return [OUTSIDE, *(f"{mark}-{name}" for name in classes for mark in "BI")] if self.scheme == "bio" else list(classes)

    def _tags(self, cell: str) -> list[str]:
        tags = list_of_strings(cell, "tags")
        for tag in tags:
            if self.scheme == "bio" and not is_bio(tag):
                fix = "write O, B-kind or I-kind; for tags that mark no entities set task.labels.scheme=plain"
                raise NotALabel(f"tag {short(tag)} is not BIO", fix)
        return tags


class TokenClassification:
    """Cross-entropy of the first piece of each word; the other pieces are read and have no tag of their own.

    A word that was cut, or of which the tokenizer leaves nothing, has no piece: it is predicted to be no entity and counts in the score.
    """

    monitor = monitor_of("token_classification")
    n_passes = 1

    def __init__(self, classes: Sequence[str], *, labels: Tags) -> None:
        self.classes, self.labels = list(classes), labels
        self.tags = labels.names(classes)
        self.decision: dict[str, float] = {}

    def load_model(self, folder: Path) -> Module:
        """The checkpoint with a head over the tags."""
        return token_head(folder, self.tags)

    def targets(self, labels: pa.ChunkedArray) -> NDArray[np.int64]:
        """Numbers of the tags of all words, one sentence after the other, shape (n_words,)."""
        number = {tag: i for i, tag in enumerate(self.tags)}
        return np.fromiter((number[tag] for label in labels.to_pylist() for tag in json.loads(label)), dtype=np.int64)

    def training_loss(self, model: Module, inputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """Mean over the words that have a piece, each by the weight of its row (0-dimensional)."""
        from torch.nn import functional

        logits, labels = self._of_words(logits_by_length(model, inputs), batch), batch["labels"]
        read = batch[WORD_STARTS] >= 0
        weights = batch["weights"][:, None].expand_as(labels)[read]
        losses = functional.cross_entropy(logits[read].float(), labels[read], reduction="none")
        return (losses * weights).sum() / weights.sum().clamp_min(1e-9)

    def evaluated(self, model: Module, inputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """Logits of the words (n_rows, most words, n_tags)."""
        return self._of_words(model(**inputs).logits, batch)

    def _of_words(self, logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Logits of the words (n_rows, most words, n_tags), from those of the pieces; a word without a piece leans to `O`."""
        starts = batch[WORD_STARTS]
        picked = logits.gather(1, starts.clamp_min(0)[:, :, None].expand(-1, -1, logits.shape[2]))
        leaning = logits.new_zeros(logits.shape[2])
        leaning[0] = 1e-3
        return picked.where((starts >= 0)[:, :, None], leaning)

    def decide(self, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Nothing: the tag with the highest logit is predicted."""

    def scores(self, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, Any]:
        """`accuracy` counts words; F1, precision and recall whole entities (`bio`), right in both ends and kind, or words (`plain`)."""
        words = labels != NO_WORD
        said = logits.argmax(axis=2)
        shifted = logits[words].astype(np.float64) - logits[words].max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        counts = self._counts(labels, said, words)
        return {
            "accuracy": float((labels == said)[words].mean()),
            **averages(**counts),
            "precision": float(counts["hits"].sum() / max(counts["predicted"].sum(), 1)),
            "recall": float(counts["hits"].sum() / max(counts["support"].sum(), 1)),
            "loss": float(-log_p[np.arange(len(log_p)), labels[words]].mean()),
            "per_class": per_class(self.classes, **counts),
        }

    def predictions(self, logits: NDArray[np.float32], labels: pa.ChunkedArray) -> dict[str, Any]:
        """The predicted tags of each row, in JSON."""
        lengths = [len(json.loads(label)) for label in labels.to_pylist()]
        rows = zip(logits.argmax(axis=2), lengths, strict=True)
        return {"prediction": [as_label([self.tags[number] for number in row[:n_words]]) for row, n_words in rows]}

    def report(self, test: dict[str, Any]) -> str:
        """Each kind of entity, then the averages."""
        return class_table(test, averages=("micro_f1", "macro_f1", "weighted_f1", "accuracy"))

    def _counts(self, labels: NDArray[np.int64], said: NDArray[np.int64], words: NDArray[np.bool_]) -> dict[str, Any]:
        """Entities, or words, of each class: right ones (`hits`), true ones and predicted ones."""
        hits, support, predicted = Counter[str](), Counter[str](), Counter[str]()
        for true, guess in zip(self._found(labels, words), self._found(said, words), strict=True):
            support.update(kind for kind, *_ in true)
            predicted.update(kind for kind, *_ in guess)
            hits.update(kind for kind, *_ in true & guess)
        found = {"hits": hits, "support": support, "predicted": predicted}
        return {name: np.array([counter[kind] for kind in self.classes], dtype=np.int64) for name, counter in found.items()}

    def _found(self, numbers: NDArray[np.int64], words: NDArray[np.bool_]) -> Iterator[set[tuple[str, int, int]]]:
        for row, there in zip(numbers, words, strict=True):
            tags = [self.tags[number] for number in row[there]]
            yield set(spans(tags)) if self.labels.scheme == "bio" else {(tag, place, place + 1) for place, tag in enumerate(tags)}


def _words(cell: str) -> list[str]:
    tokens = list_of_strings(cell, "tokens")
    if not tokens or not all(token.strip() for token in tokens):
        raise NotALabel("a sentence without tokens" if not tokens else "a token that is blank", "take it out")
    return tokens
