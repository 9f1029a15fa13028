"""What a language model is asked about a text, how its answer is read, and what is done about one that cannot be read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.endpoint.asking import THOUGHT, recorded
from prepsweep.endpoint.client import Endpoint
from prepsweep.endpoint.replies import Reply, Request

Texts = tuple[str, ...]
_PLACE = re.compile(r"\{(text|text_pair|classes)\}")
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)
_AGAIN = "That is not one of the classes. Answer with one of: {names}."


@dataclass(frozen=True)
class Question:
    """What is asked about every text; `classes` are names with a description each, or "" for none."""

    prompt: str
    classes: Mapping[str, str]
    model: str
    structure: str
    options: Mapping[str, Any]

    def request(self, texts: Texts, refused: Sequence[Reply]) -> Request:
        """The body of the request about `texts`, after the replies so far that could not be read."""
        told = "\n".join(f"- {name}: {description}" if description else f"- {name}" for name, description in self.classes.items())
        places = dict(zip(("text", "text_pair"), texts, strict=False)) | {"classes": told}
        # Put in at once, so that a "{classes}" in the text stays what it is.
        content = _PLACE.sub(lambda place: places.get(place[1], place[0]), self.prompt)
        messages = [{"role": "user", "content": content}]
        for reply in refused:
            again = _AGAIN.format(names=", ".join(self.classes))
            messages += [{"role": "assistant", "content": reply.text}, {"role": "user", "content": again}]
        return dict(self.options) | {"model": self.model, "messages": messages} | self._structure()

    def _structure(self) -> dict[str, Any]:
        if self.structure == "none":
            return {}
        if self.structure == "json_object":
            return {"response_format": {"type": "json_object"}}
        label = {"type": "string", "enum": list(self.classes)}
        schema = {"type": "object", "properties": {"label": label}, "required": ["label"], "additionalProperties": False}
        return {"response_format": {"type": "json_schema", "json_schema": {"name": "label", "strict": True, "schema": schema}}}

    def label(self, reply: Reply) -> str | None:
        """The class that a reply names; None where it names none."""
        text = THOUGHT.sub("", reply.text).strip()
        if (found := _OBJECT.search(text)) is not None:
            try:
                text = str(json.loads(found[0])["label"])
            except (ValueError, KeyError, TypeError):
                return None
        said = text.strip().strip("`\"'.").casefold()
        named = [name for name in self.classes if name.casefold() == said]
        return (text if text in named else named[0]) if named else None


@dataclass(frozen=True)
class Answers:
    """The labels by text, None where no reply could be read, and all replies that were taken for them."""

    labels: dict[Texts, str | None]
    replies: list[Reply]

    def facts(self, labels: pa.Array, gold: pa.ChunkedArray, price: Sequence[float] | None) -> dict[str, Any]:
        """Counts of rows, requests and tokens, and what they cost by `price`."""
        n_prompt, n_reply = (sum(getattr(reply, name) for reply in self.replies) for name in ("n_prompt_tokens", "n_reply_tokens"))
        judged = pc.sum(pc.and_(pc.is_valid(gold), pc.is_valid(labels))).as_py() or 0
        right = pc.sum(pc.equal(gold, labels)).as_py() or 0
        facts = {
            "n_labelled": len(labels) - labels.null_count,
            "n_requests": len(self.replies),
            "n_texts_without_answer": sum(label is None for label in self.labels.values()),
            "n_cut_off": sum(reply.finish_reason == "length" for reply in self.replies),
            "n_prompt_tokens": n_prompt,
            "n_reply_tokens": n_reply,
            "accuracy": round(right / judged, 4) if judged else None,
            "n_gold": judged,
        }
        return facts if not price else facts | {"dollars": round((n_prompt * price[0] + n_reply * price[1]) / 1e6, 4)}


def answers(
    question: Question, texts: Sequence[Texts], where: str, replies_file: str, endpoint: Endpoint | None, *, n_tries: int, n_parallel: int
) -> Answers:
    """A label for each of `texts` (distinct): those whose reply cannot be read are asked about again, with the reply shown."""
    labels: dict[Texts, str | None] = dict.fromkeys(texts)
    refused: dict[Texts, list[Reply]] = {both: [] for both in texts}
    taken: list[Reply] = []
    for _ in range(n_tries):
        open_ = [both for both in texts if labels[both] is None]
        requests = {both: question.request(both, refused[both]) for both in open_}
        recording = recorded(where, replies_file, list(requests.values()), endpoint, n_parallel=n_parallel)
        for both in open_:
            reply = recording.find(requests[both])
            assert reply is not None
            taken.append(reply)
            labels[both] = question.label(reply)
            refused[both].append(reply)
    return Answers(labels, taken)
