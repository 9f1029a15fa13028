"""Paraphrases by a language model behind an OpenAI-compatible endpoint, every reply recorded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from prepsweep.augment.paraphrase_endpoint import Endpoint, ask_all
from prepsweep.augment.paraphrase_replies import Recording, Reply, Request
from prepsweep.augment.values import check_whole
from prepsweep.errors import Refused, nearest
from prepsweep.fingerprints import hash_file
from prepsweep.lineage import Result, add_children, table_of
from prepsweep.progress import track
from prepsweep.randomness import row_rng

if TYPE_CHECKING:
    from datasets import Dataset

MODES = ("record", "replay")
_WHERE = "augment.paraphrase"
_PLACE = re.compile(r"\{(text|label)\}")
# Models that reason aloud put this before their answer.
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)


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
    endpoint = Endpoint(str(base_url), _WHERE, _key(api_key_env)) if mode == "record" else None
    recording = _recording(replies_file, [request for request in requests if request], endpoint, n_parallel)
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
    if mode not in MODES:
        raise Refused(f"{_WHERE}.mode", f"unknown mode {mode!r}", nearest(str(mode), MODES))
    if mode == "record":
        _check_endpoint(base_url, api_key_env)
    if "{text}" not in str(prompt):
        raise Refused(f"{_WHERE}.prompt", "has no {text}, so that every row would ask the same", "put {text} where the text goes")
    for name, value in (("n_aug", n_aug), ("max_tokens", max_tokens), ("n_parallel", n_parallel)):
        check_whole(value, where=f"{_WHERE}.{name}")
    if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) or not 0 <= temperature <= 2:
        raise Refused(f"{_WHERE}.temperature", f"must be between 0 and 2, got {temperature!r}", f"try {_WHERE}.temperature=0.9")


def fingerprint(*, mode: str, replies_file: str, **_: object) -> dict[str, str]:
    """Content hash of the recording that is replayed; under `record` the requests say it all, and the file may grow."""
    if mode == "record":
        return {}
    if not Path(replies_file).is_file():
        what = f"no recording at {replies_file}, and mode=replay asks no endpoint"
        raise Refused(f"{_WHERE}.replies_file", what, f"set {_WHERE}.mode=record and {_WHERE}.base_url, or name the recording")
    return {"replies_file": hash_file(Path(replies_file))}


def _check_endpoint(base_url: str | None, api_key_env: str | None) -> None:
    where = f"{_WHERE}.base_url"
    if base_url is None:
        what = "no endpoint is set, and no recording is replayed"
        raise Refused(where, what, f"set {where}=http://localhost:8000/v1 (any OpenAI-compatible server), or {_WHERE}.mode=replay")
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        # Not shown: what is wrong with it may be a password.
        raise Refused(where, "must be http(s)://HOST/PATH without user, password or query", "try http://localhost:8000/v1")
    if api_key_env is not None and not re.fullmatch(r"[A-Za-z_]\w*", str(api_key_env), re.ASCII):
        fix = f"export the key, and set {_WHERE}.api_key_env=OPENAI_API_KEY or whatever it is exported as"
        raise Refused(f"{_WHERE}.api_key_env", "is not the name of an environment variable; a key itself must not stand here", fix)
    _key(api_key_env)


def _key(api_key_env: str | None) -> str | None:
    if api_key_env is None:
        return None
    key = os.environ.get(api_key_env, "").strip()
    if not key:
        # The name is not shown either: it may be a key that was put in its place.
        fix = "export it, or set the name of the one that holds the key (null for a server without keys)"
        raise Refused(f"{_WHERE}.api_key_env", "names an environment variable that is not set", fix)
    return key


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


def _recording(replies_file: str, requests: list[Request], endpoint: Endpoint | None, n_parallel: int) -> Recording:
    """The recording with a reply to each of `requests`: those that it lacks are asked, or refused without an endpoint."""
    recording = Recording(Path(replies_file))
    missing = [request for request in requests if recording.find(request) is None]
    if missing and endpoint is None:
        what = f"no reply is recorded in {replies_file} for {len(missing)} of {len(requests)} requests"
        fix = f"set {_WHERE}.mode=record and {_WHERE}.base_url, or the model, prompt and seed that were recorded"
        raise Refused(f"{_WHERE}.replies_file", what, fix)
    if missing and endpoint is not None:
        _record(recording, requests, endpoint, n_parallel)
    return recording


def _record(recording: Recording, requests: list[Request], endpoint: Endpoint, n_parallel: int) -> None:
    with recording.writing():
        missing = [request for request in requests if recording.find(request) is None]
        for _, (request, reply) in zip(track(missing, "paraphrase"), ask_all(endpoint, missing, n_parallel=n_parallel), strict=False):
            recording.add(request, reply)


def _child(text: str, reply: Reply | None) -> str:
    new = _THOUGHT.sub("", reply.text).strip() if reply is not None else ""
    return text if not new or new.split() == text.split() else new
