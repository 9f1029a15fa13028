"""The one place that turns stage configuration into functions."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

from prepsweep.errors import Refused, nearest
from prepsweep.identity import content_of_files, is_path, stage_key
from prepsweep.lineage import Result
from prepsweep.targets import refuse_foreign

if TYPE_CHECKING:
    from datasets import Dataset

INJECTED = ("seed", "num_proc")
PREPARATION = ("clean", "annotate", "split", "refine", "augment", "balance", "preprocess")
# These draw from `seeds.split`, the others from `seeds.data`.
_SPLIT_SEED = ("data", "clean", "annotate", "split")


@dataclass(frozen=True)
class Stage:
    """One configured stage: where it stands, what it is called with, and the seed it draws from (None if it draws not)."""

    group: str
    name: str
    spec: Mapping[str, Any]
    injected: Mapping[str, int]

    @property
    def where(self) -> str:
        """Dotted key of the stage in the configuration."""
        return self.group if self.group == "data" else f"{self.group}.{self.name}"

    @property
    def inner(self) -> Iterator[Stage]:
        """The stages that this one wraps; it passes `seed` and `num_proc` on to them itself."""
        return (Stage(self.group, f"{self.name}.{slot}", spec, self.injected) for slot, spec in _inner_specs(self.spec))

    def check(self) -> None:
        """Refuse values that cannot be meant: the stage's module may define `check(**arguments)`."""
        self._hook("check")

    def check_run(self, cfg: DictConfig) -> None:
        """Refuse what other groups are set to: the stage's module may define `check_run(cfg, **arguments)`."""
        self._hook("check_run", cfg)

    def files(self) -> dict[str, str]:
        """Content hashes of all that the stage reads besides rows; refuses a file or tool that is missing."""
        return self._fingerprint() | content_of_files(self.spec, where=self.where)

    def key(self, parent: str | None, files: Mapping[str, str] | None = None) -> str:
        """Identity of the result, see `identity.stage_key`; `files`, where they were hashed already, is what `files()` gave."""
        read = self.files() if files is None else files
        return stage_key(parent=parent, spec=self.spec, seed=self.injected.get("seed"), files=read)

    def seeded(self, seeds: Mapping[str, int]) -> Stage:
        """The stage under other `seeds` (`split` and `data`)."""
        return replace(self, injected={**self.injected, "seed": _seed(self.group, seeds)}) if "seed" in self.injected else self

    def check_rows(self, dataset: Dataset) -> None:
        """Refuse rows that the stage cannot work on: its module may define `check_rows(dataset, **arguments)`."""
        self._hook("check_rows", dataset)
        for stage in self.inner:
            stage.check_rows(dataset)

    def refuses_when_run(self) -> bool:
        """Whether it finds rows that it refuses only in its own work: its module may define `refuses_when_run(**arguments)`."""
        return bool(self._hook("refuses_when_run"))

    def __call__(self, *dataset: Dataset) -> Result:
        """Run the stage: on a data set, or on nothing for a source."""
        from hydra.utils import instantiate

        function: Callable[..., Dataset | Result] = instantiate(dict(self.spec), _convert_="all")
        given = function(*dataset, **self.injected)
        return given if isinstance(given, Result) else Result(given)

    def _fingerprint(self) -> dict[str, str]:
        files: dict[str, str] = self._hook("fingerprint") or {}
        return files | {f"{stage.where}.{name}": digest for stage in self.inner for name, digest in stage._fingerprint().items()}

    def _hook(self, name: str, *given: Any) -> Any:
        module_name, _, function = self.spec["_target_"].rpartition(".")
        hook: Callable[..., Any] | None = getattr(importlib.import_module(module_name), name, None)
        try:
            return hook(*given, **_arguments(self.spec)) if hook else None
        except Refused as error:
            # A module names its options as they stand outside a wrapper.
            alone = f"{self.group}.{function}"
            texts = (re.sub(rf"\b{re.escape(alone)}\b", self.where, text) for text in (error.where, error.what, error.fix))
            raise Refused(*texts) from error


def source_of(cfg: DictConfig) -> Stage:
    """The stage that reads the raw rows; `data.limit` belongs to the split and is not passed to it."""
    spec = _plain(cfg.data, "data")
    spec.pop("limit", None)
    return _stage(cfg, "data", str(spec["_target_"]).rpartition(".")[2], spec)


def stages_of(cfg: DictConfig, group: str) -> list[Stage]:
    """The stages of a preparation group in the order of the command line; none for `group=none`."""
    return [_stage(cfg, group, str(name), _plain(spec, f"{group}.{name}")) for name, spec in cfg[group].items()]


def limit_of(cfg: DictConfig) -> list[Stage]:
    """`data.limit` as the stage that it is: after the split, before augmentation."""
    if cfg.data.limit is None:
        return []
    spec = {"_target_": "prepsweep.split.limit.limit", "_partial_": True, "n_rows": cfg.data.limit}
    return [_stage(cfg, "split", "limit", spec)]


def adopt_of(cfg: DictConfig) -> list[Stage]:
    """The step that gives train rows the labels which annotate proposed: after the split, which only then is the same without them."""
    if not cfg.annotate:
        return []
    return [_stage(cfg, "annotate", "adopt", {"_target_": "prepsweep.annotate.origins.adopt", "_partial_": True})]


def _stage(cfg: DictConfig, group: str, name: str, spec: dict[str, Any]) -> Stage:
    refuse_foreign(spec, group if group == "data" else f"{group}.{name}")
    return _checked(Stage(group, name, spec, dict(zip(INJECTED, (_seed(group, cfg.seeds), cfg.runtime.num_proc), strict=True))))


def _seed(group: str, seeds: Mapping[str, int]) -> int:
    return seeds["split" if group in _SPLIT_SEED else "data"]


def _checked(stage: Stage) -> Stage:
    """`stage` bound to its function's signature, with the injected values that this one takes; what it wraps as well."""
    try:
        parameters = inspect.signature(_function(stage.spec["_target_"])).parameters
    except ImportError as error:
        raise Refused(stage.where, f"its code cannot be imported: {error}", "install what it imports") from error
    injected = {name: value for name, value in stage.injected.items() if name in parameters}
    _bind(parameters, set(_arguments(stage.spec)), stage.where, takes_rows=stage.group != "data")
    bound = Stage(stage.group, stage.name, stage.spec, injected)
    for inner in bound.inner:
        if not (isinstance(inner.spec, Mapping) and isinstance(inner.spec.get("_target_"), str) and inner.spec.get("_partial_") is True):
            raise Refused(inner.where, "is not a stage: it needs a _target_ and _partial_: true", f"choose an option of {stage.group}")
        _checked(inner)
    bound.check()
    return bound


def _inner_specs(spec: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A stage wraps what its arguments `stage` (one) and `stages` (several, by name) hold; other targets are its tools."""
    if "stage" in spec:
        yield "stage", spec["stage"]
    stages = spec.get("stages", {})
    if isinstance(stages, Mapping):
        for slot, inner in sorted(stages.items()):
            yield f"stages.{slot}", inner


def _function(target: str) -> Callable[..., Any]:
    module, _, name = target.rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _bind(parameters: Mapping[str, inspect.Parameter], given: set[str], where: str, *, takes_rows: bool) -> None:
    keywords = {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    if len(parameters) - len(keywords) != int(takes_rows):
        raise Refused(where, "is not a stage: it must take the rows first and all else by keyword", "see docs/architecture.md")
    options = set(keywords) - set(INJECTED)
    for name in sorted(given - options):
        raise Refused(f"{where}.{name}", "unknown option", nearest(name, options) if options else f"{where} has no options")
    for name in sorted(options - given):
        if keywords[name].default is inspect.Parameter.empty:
            raise Refused(f"{where}.{name}", "is not set", f"add {where}.{name}=…")


def _arguments(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in ("_target_", "_partial_")}


def _plain(node: DictConfig, where: str) -> dict[str, Any]:
    try:
        spec = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        key = str(error.full_key)
        hint = "the file to read" if is_path(key.rpartition(".")[2]) else "a value"
        raise Refused(key, "is not set", f"add {key}=… ({hint})") from error
    except InterpolationResolutionError as error:
        raise Refused(where, " ".join(str(error).split()), "check the ${…} in the value") from error
    if not isinstance(spec, dict) or "_target_" not in spec:
        raise Refused(where, "is not a stage: it has no _target_", f"choose an option of the group {where.split('.')[0]}")
    return {str(key): value for key, value in spec.items()}


def instance(node: DictConfig, where: str, **given: Any) -> Any:
    """The object that a `_target_` node (a task, a tracker) describes, under the same rules as a stage."""
    from hydra.utils import instantiate

    spec = _plain(node, where)
    refuse_foreign(spec, where)
    return instantiate(spec, _convert_="all", **given)
