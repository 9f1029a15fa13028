"""What stages that ask a language model share: their options, the key, and replies to all their requests."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from prepsweep.endpoint.client import Endpoint, ask_all
from prepsweep.endpoint.replies import Recording, Request
from prepsweep.errors import Refused, nearest
from prepsweep.fingerprints import hash_file
from prepsweep.progress import track

MODES = ("record", "replay")
# Models that reason aloud put this before their answer.
THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)


def check_asking(where: str, *, mode: str, base_url: str | None, api_key_env: str | None, prompt: str, temperature: float) -> None:
    """Refuse what cannot be asked: no endpoint, no text in the prompt, a key in the place of its name."""
    if mode not in MODES:
        raise Refused(f"{where}.mode", f"unknown mode {mode!r}", nearest(str(mode), MODES))
    if mode == "record":
        _check_endpoint(where, base_url, api_key_env)
    if "{text}" not in str(prompt):
        raise Refused(f"{where}.prompt", "has no {text}, so that every row would ask the same", "put {text} where the text goes")
    if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) or not 0 <= temperature <= 2:
        raise Refused(f"{where}.temperature", f"must be between 0 and 2, got {temperature!r}", f"try {where}.temperature=0.9")


def recording_of(where: str, *, mode: str, replies_file: str) -> dict[str, str]:
    """Content hash of the recording that is replayed; under `record` the requests say it all, and the file may grow."""
    if mode == "record":
        return {}
    if not Path(replies_file).is_file():
        what = f"no recording at {replies_file}, and mode=replay asks no endpoint"
        raise Refused(f"{where}.replies_file", what, f"set {where}.mode=record and {where}.base_url, or name the recording")
    return {"replies_file": hash_file(Path(replies_file))}


def endpoint_of(where: str, *, mode: str, base_url: str | None, api_key_env: str | None) -> Endpoint | None:
    """Whom to ask under `record`; None under `replay`."""
    return Endpoint(str(base_url), where, _key(where, api_key_env)) if mode == "record" else None


def recorded(where: str, replies_file: str, requests: Sequence[Request], endpoint: Endpoint | None, *, n_parallel: int) -> Recording:
    """The recording with a reply to each of `requests`: those that it lacks are asked, or refused without an endpoint."""
    recording = Recording(Path(replies_file))
    missing = [request for request in requests if recording.find(request) is None]
    if missing and endpoint is None:
        what = f"no reply is recorded in {replies_file} for {len(missing)} of {len(requests)} requests"
        fix = f"set {where}.mode=record and {where}.base_url, or the model, prompt and seed that were recorded"
        raise Refused(f"{where}.replies_file", what, fix)
    if missing and endpoint is not None:
        _record(recording, requests, endpoint, n_parallel, where.rpartition(".")[2])
    return recording


def _record(recording: Recording, requests: Sequence[Request], endpoint: Endpoint, n_parallel: int, stage: str) -> None:
    with recording.writing():
        missing = [request for request in requests if recording.find(request) is None]
        for _, (request, reply) in zip(track(missing, stage), ask_all(endpoint, missing, n_parallel=n_parallel), strict=False):
            recording.add(request, reply)


def _check_endpoint(stage: str, base_url: str | None, api_key_env: str | None) -> None:
    where = f"{stage}.base_url"
    if base_url is None:
        what = "no endpoint is set, and no recording is replayed"
        raise Refused(where, what, f"set {where}=http://localhost:8000/v1 (any OpenAI-compatible server), or {stage}.mode=replay")
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        # Not shown: what is wrong with it may be a password.
        raise Refused(where, "must be http(s)://HOST/PATH without user, password or query", "try http://localhost:8000/v1")
    if api_key_env is not None and not re.fullmatch(r"[A-Za-z_]\w*", str(api_key_env), re.ASCII):
        fix = f"export the key, and set {stage}.api_key_env=OPENAI_API_KEY or whatever it is exported as"
        raise Refused(f"{stage}.api_key_env", "is not the name of an environment variable; a key itself must not stand here", fix)
    _key(stage, api_key_env)


def _key(stage: str, api_key_env: str | None) -> str | None:
    if api_key_env is None:
        return None
    key = os.environ.get(api_key_env, "").strip()
    if not key:
        # The name is not shown either: it may be a key that was put in its place.
        fix = "export it, or set the name of the one that holds the key (null for a server without keys)"
        raise Refused(f"{stage}.api_key_env", "names an environment variable that is not set", fix)
    return key
