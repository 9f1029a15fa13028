"""Paraphrases by a language model behind an OpenAI-compatible endpoint, every reply recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prepsweep.augment.values import check_whole
from prepsweep.endpoint.asking import THOUGHT, check_asking, endpoint_of, recorded, recording_of
from prepsweep.endpoint.replies import Reply, Request
from prepsweep.lineage import Result, add_children, table_of
from prepsweep.randomness import row_rng

if TYPE_CHECKING:
    from datasets import Dataset

_WHERE = "augment.paraphrase"
_PLACE = re.compile(r"\{(text|label)\}")


def paraphrase(
    dataset: Dataset,
    *,
    seed: int,
    mode: str,
    base_url: str | None,
    model: str,
    prompt: str,
    n_aug: int,
    temperature: float,
    max_tokens: int,
    api_key_env: str | None,
    replies_file: str,
    n_parallel: int,
) -> Result:
    """`n_aug` children per row, each the reply of `model` at `base_url` to `prompt` with `{text}` (and `{label}`) put in.

    `record` asks what `replies_file` does not answer yet, and writes each reply there; `replay` asks nothing and refuses
    what was not recorded. A reply belongs to the whole request (model, prompt, temperature, max_tokens, seed), not to the
    address: give different models different names. The cached stage depends on the requests under `record`, on the
    content of the file under `replay`. Each child has a seed of its own, made of `seed` and its row, which the request
    carries: another `seed` asks anew, so `seeds.data=0` makes all seeds of a study share one set of paraphrases.

    The key is read from the environment variable named `api_key_env` and goes nowhere but into the header. A reply that
    is empty or has the words of the text leaves as `unchanged`. Whether the label survives is up to model and prompt:
    nothing here checks it, and `n_cut_off` counts the replies that `max_tokens` ended. The texts leave this machine.
    """
    asked_for: dict[str, Any] = {"prompt": prompt, "n_aug": n_aug, "temperature": temperature, "max_tokens": max_tokens}
    check(mode=mode, base_url=base_url, api_key_env=api_key_env, n_parallel=n_parallel, **asked_for)
    rows = table_of(dataset).select(["uid", "text", "label"]).to_pylist()
    requests = [request for row in rows for request in _requests(row, model, seed=seed, **asked_for)]
    endpoint = endpoint_of(_WHERE, mode=mode, base_url=base_url, api_key_env=api_key_env)
    recording = recorded(_WHERE, replies_file, [request for request in requests if request], endpoint, n_parallel=n_parallel)
    parents = [number for number in range(len(rows)) for _ in range(n_aug)]
    replies = [recording.find(request) if request else None for request in requests]
    texts = [_child(rows[parent]["text"], reply) for parent, reply in zip(parents, replies, strict=True)]
    children = add_children(dataset, parents=parents, texts=texts, stage="paraphrase")
    n_cut_off = sum(reply is not None and reply.finish_reason == "length" for reply in replies)
    return Result(children, facts={"n_requests": sum(map(bool, requests)), "n_cut_off": n_cut_off})


def check(
    *,
    mode: str,
    base_url: str | None,
    prompt: str,
    n_aug: int,
    temperature: float,
    max_tokens: int,
    api_key_env: str | None,
    n_parallel: int,
    **_: object,
) -> None:
    """Refuse what cannot be asked: no endpoint, no text in the prompt, a key in the place of its name."""
    check_asking(_WHERE, mode=mode, base_url=base_url, api_key_env=api_key_env, prompt=prompt, temperature=temperature)
    for name, value in (("n_aug", n_aug), ("max_tokens", max_tokens), ("n_parallel", n_parallel)):
        check_whole(value, where=f"{_WHERE}.{name}")


def fingerprint(*, mode: str, replies_file: str, **_: object) -> dict[str, str]:
    """Content hash of the recording that is replayed; under `record` the requests say it all, and the file may grow."""
    return recording_of(_WHERE, mode=mode, replies_file=replies_file)


def _requests(row: dict[str, str], model: str, *, prompt: str, seed: int, n_aug: int, **options: Any) -> Iterator[Request | None]:
    """The bodies of a row's requests; None where it has no text to paraphrase."""
    if not row["text"].strip():
        yield from [None] * n_aug
        return
    draw = row_rng(seed, "paraphrase", row["uid"]).random
    # Put in at once, so that a "{label}" in the text stays what it is.
    content = _PLACE.sub(lambda place: row[place[1]], prompt)
    for _ in range(n_aug):
        yield options | {"model": model, "messages": [{"role": "user", "content": content}], "seed": int(draw() * 2**31)}


def _child(text: str, reply: Reply | None) -> str:
    new = THOUGHT.sub("", reply.text).strip() if reply is not None else ""
    return text if not new or new.split() == text.split() else new
