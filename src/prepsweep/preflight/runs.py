"""The runs of a command, each with what is worked out about it before it starts, for the checks and then for the launcher."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from prepsweep.errors import Refused, refusal_behind
from prepsweep.identity import hash_json
from prepsweep.planning import Planned
from prepsweep.preflight.values import check_values
from prepsweep.preflight.variants import Composed
from prepsweep.record import finished_before, run_id

# `${name}` of a key, or `${resolver:`; resolvers in `_MACHINE` look at no key.
_INTERPOLATION = re.compile(r"\$\{(?:([A-Za-z_][\w.]*)\}|([A-Za-z_][\w.]*):)")
_MACHINE = ("oc.env", "user_cache")


@dataclass
class Run:
    """One run of a command: as it was composed and, resolved in plain containers, as its record will hold it."""

    composed: Composed
    config: dict[str, Any]
    stages: list[Planned] = field(default_factory=list)

    @property
    def cfg(self) -> DictConfig:
        return self.composed.cfg

    @property
    def overrides(self) -> list[str]:
        """Its overrides without those of Hydra's own part, which are the same for all runs of a command."""
        return [one for one in self.composed.overrides if not one.lstrip("+~").startswith(("hydra.", "hydra/"))]

    @cached_property
    def run_id(self) -> str:
        return run_id(self.config)

    @cached_property
    def is_finished(self) -> bool:
        """Whether its study holds it, finished, with the stages that were planned for it."""
        return finished_before(study_dir(self.config) / self.run_id, [stage.key for stage in self.stages])


def study_dir(config: Mapping[str, Any]) -> Path:
    """Where the runs of a study lie, each in a folder of its own called by its `run_id`."""
    return Path(config["paths"]["multirun_dir"]) / str(config["study"])


def refuse_unwritable(run: Run, *, multirun: bool) -> None:
    """Refuse a folder of results in which no run could be begun: Hydra would say so with a traceback."""
    key = "multirun_dir" if multirun else "output_dir"
    folder = study_dir(run.config) if multirun else Path(run.config["paths"][key])
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise Refused(f"paths.{key}", f"{there} is no folder", f"move it away, or set paths.{key}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise Refused(f"paths.{key}", f"{there} cannot be written to", f"work in a folder of your own, or set paths.{key}")


def refuse_several_studies(runs: Sequence[Run]) -> None:
    """Refuse a sweep whose runs would lie in several folders: it is told of, begun again and compared as one."""
    folders = sorted({str(study_dir(run.config)) for run in runs})
    if len(folders) > 1:
        raise Refused("study", f"a sweep is one study, got {folders[0]!r} and {folders[1]!r}", "start a sweep for each")


def resolved(composed: Iterable[Composed]) -> list[Run]:
    """The runs with their configurations resolved; refused where an interpolation leads nowhere.

    Values are put into one copy of each template after the other, and only parts that they can change are resolved anew.
    """
    templates: dict[int, tuple[DictConfig, dict[str, Any], list[str]]] = {}
    runs: list[Run] = []
    for one in composed:
        if id(one.template) not in templates:
            cfg = copy.deepcopy(one.template)
            templates[id(one.template)] = cfg, _plain(cfg, list(map(str, cfg))), _changing(cfg, one.values)
        cfg, config, changing = templates[id(one.template)]
        one.put_into(cfg)
        runs.append(Run(one, config | _plain(cfg, changing)))
    return runs


def _plain(cfg: DictConfig, parts: Iterable[str]) -> dict[str, Any]:
    try:
        nodes = ((part, cfg[part]) for part in parts)
        return {part: OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node for part, node in nodes}
    except OmegaConfBaseException as error:
        if (refused := refusal_behind(error)) is not None:
            raise refused from error
        # A value that is missing is said better by its own check.
        with suppress(OmegaConfBaseException):
            check_values(cfg)
        raise Refused(str(error.full_key or "command line"), " ".join(str(error).split()), "check the ${…} in the value") from error


def _changing(cfg: DictConfig, values: Iterable[str]) -> list[str]:
    """The parts at the top of `cfg` that hold one of the keys `values`, or refer to such a part, or to who knows what."""
    changing = {key.partition(".")[0] for key in values}
    raw: dict[Any, Any] = OmegaConf.to_container(cfg, resolve=False)  # type: ignore[assignment]
    refers = {str(part): _referred(str(node)) for part, node in raw.items()}
    while more := {part for part, others in refers.items() if part not in changing and (others is None or others & changing)}:
        changing |= more
    return [str(part) for part in cfg if part in changing]


def _referred(text: str) -> set[str] | None:
    """The parts that the interpolations in `text` name; None where one is more than a name or a fact about the machine."""
    found = _INTERPOLATION.findall(text)
    names = {name.partition(".")[0] for name, resolver in found if name}
    known = all(resolver in _MACHINE for name, resolver in found if resolver)
    return names if known and len(found) == text.count("${") else None


def alike(runs: Iterable[Run], *parts: str) -> list[list[Run]]:
    """The runs in groups of those whose configurations agree in these parts, in the order of their first."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(hash_json({part: run.config.get(part) for part in parts}), []).append(run)
    return list(groups.values())


_handed_over: ContextVar[dict[tuple[str, ...], Run]] = ContextVar("_handed_over", default={})  # noqa: B039 - never written to


@contextmanager
def handed_over(runs: Sequence[Run]) -> Iterator[None]:
    """Let the launcher, which only Hydra calls, have what is known of these runs."""
    token = _handed_over.set({tuple(run.overrides): run for run in runs})
    try:
        yield
    finally:
        _handed_over.reset(token)


def known_run(overrides: Sequence[str]) -> Run | None:
    """The checked run with these overrides; None where a sweeper made them up since."""
    return _handed_over.get().get(tuple(overrides))
