"""What `${…}` may ask for: OmegaConf's own resolvers, less what makes code or secrets out of text."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import Container, DictConfig, Node, OmegaConf
from omegaconf.resolvers import oc

from prepsweep.errors import Refused
from prepsweep.preflight.secrets import names_a_secret
from prepsweep.record import plain_config, run_id

_NOTHING = object()


def register_resolvers() -> None:
    """Make `${run_id:}` and `${user_cache:}` known to OmegaConf, and put bounds to those that it has."""
    own: dict[str, Callable[..., Any]] = {
        "run_id": _run_id_of_root,
        "user_cache": _user_cache,
        "oc.env": _env,
        "oc.create": _create,
        "oc.decode": _decode,
    }
    for name, resolver in own.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)


def _run_id_of_root(*, _root_: DictConfig) -> str:
    return run_id(plain_config(_root_))


def _user_cache() -> str:
    """What `PREPSWEEP_CACHE_DIR` names, else a folder in the user's home; a variable that is empty is not set."""
    try:
        if named := os.environ.get("PREPSWEEP_CACHE_DIR"):
            return str(Path(named).expanduser())
        return str(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prepsweep")
    except RuntimeError as error:
        raise Refused("paths.cache_dir", "this user has no home folder to keep a cache in", "set PREPSWEEP_CACHE_DIR") from error


def _env(key: str, default: Any = _NOTHING) -> str | None:
    """An environment variable; a secret would go into the record, the cache and W&B."""
    if names_a_secret(str(key)):
        raise Refused("${oc.env:" + str(key) + "}", "would write a secret into the record of the run", "leave it in the environment")
    return oc.env(str(key)) if default is _NOTHING else oc.env(str(key), default)


def _create(*_: Any) -> Any:
    raise Refused("${oc.create:…}", "makes configuration out of text, which nobody can check", "write the values out")


def _decode(text: str | None, *, _parent_: Container, _node_: Node) -> Any:
    value = oc.decode(text, _parent_, _node_)
    return _create() if isinstance(value, (dict, list, Container)) else value
