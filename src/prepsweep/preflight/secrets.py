"""What looks like a secret, by its name or its value: it may stand in the environment and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from prepsweep.errors import Refused

_WORDS = {"password", "passwd", "passphrase", "secret", "secrets", "credential", "credentials", "apikey", "auth", "bearer", "token"}
_PAIRS = ("api_key", "access_key", "private_key", "secret_key", "auth_key")
# `mask_token` and the like are words of a tokenizer; `api_key_env` names a variable.
_OF_TOKENIZERS = {"pad", "mask", "cls", "sep", "unk", "bos", "eos", "special", "end", "start", "per", "id"}
_NAMES_A_VARIABLE = "_env"
_PASSWORD_IN_URL = re.compile(r"[A-Za-z][\w+.-]*://[^/\s:@]*:[^/\s@]+@")
_TOKEN = re.compile(r"\b(hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[A-Z0-9]{16}|xox[abp]-[\w-]{20,})")
_SHORTEST = 8
_FIX = "take it out and set an environment variable such as WANDB_API_KEY or HF_TOKEN"


def names_a_secret(name: str) -> bool:
    """Whether a key or a variable with this name holds a secret."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("-", "_")
    words = set(re.split(r"[^a-z]+", name))
    if name.endswith(_NAMES_A_VARIABLE) or words & _OF_TOKENIZERS:
        return False
    return bool(words & _WORDS) or any(pair in name for pair in _PAIRS)


def refuse_secrets_in_overrides(overrides: list[str]) -> None:
    """Refuse an argument that holds a secret: it would be in the shell's history, in `.hydra`, in the record and in W&B."""
    for override in overrides:
        key, _, value = override.partition("=")
        _check(key.lstrip("+~"), key.rpartition(".")[2], value)


def refuse_secrets(config: Any, at: str = "") -> None:
    """Refuse a configuration that holds a secret, wherever it was read."""
    for place, name, value in _values(config, at):
        _check(place, name, value)


def _check(place: str, name: str, value: Any) -> None:
    # The value is in no message.
    if value in (None, "", "null"):
        return
    if names_a_secret(name) and not isinstance(value, bool):
        raise Refused(place, "a secret does not belong into a configuration, which is copied into the record of the run", _FIX)
    if isinstance(value, str) and (_PASSWORD_IN_URL.search(value) or _TOKEN.search(value) or any(s in value for s in _of_environment())):
        raise Refused(place, "the value holds a secret, which would be copied into the record of the run", _FIX)


def _of_environment() -> list[str]:
    return [value for name, value in os.environ.items() if names_a_secret(name) and len(value) >= _SHORTEST and not value.startswith("/")]


def _values(config: Any, at: str, name: str = "") -> Iterator[tuple[str, str, Any]]:
    if isinstance(config, Mapping):
        for key, value in config.items():
            yield from _values(value, f"{at}.{key}" if at else str(key), str(key))
    elif isinstance(config, (list, tuple)):
        for value in config:
            yield from _values(value, at, name)
    else:
        yield at, name, config
