"""The stages of a configuration or of a finished run one by one, with the rows before and after each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from prepsweep.cache import Cache
from prepsweep.errors import Refused, nearest
from prepsweep.flow import Rows, given_splits_of, run
from prepsweep.planning import before_split, built_stages, check_train_rows, split_and_limit, train_only
from prepsweep.preflight.compose import compose_runs
from prepsweep.preflight.resolvers import register_resolvers
from prepsweep.preflight.values import check_values
from prepsweep.record import RECORD_FILE
from prepsweep.schema import SPLITS
from prepsweep.stages import Stage, source_of, stages_of
from prepsweep.targets import refuse_foreign

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Step:
    """One stage as it ran: the rows it was given (None for a source), and those that it left."""

    group: str
    name: str
    before: Rows | None
    after: Rows

    @property
    def where(self) -> str:
        """Dotted name of the stage, `data` for the source."""
        return where_of(self.group, self.name)

    @property
    def left(self) -> Dataset:
        """Rows that left here, with the reason in `dropped`."""
        return self.after.entry.left


@dataclass(frozen=True)
class Walk:
    """A configuration and its stages in order; `run_dir` where they are those of a run."""

    cfg: DictConfig
    steps: list[Step]
    run_dir: Path | None = None

    def of(self, where: str) -> list[Step]:
        """The steps of one stage: one, or one for each split where a stage works on each alone."""
        return [step for step in self.steps if step.where == where]

    def prepared(self) -> list[Rows]:
        """What training would see as text: the train rows after the last stage, then dev and test, as far as it came."""
        steps = [step for step in self.steps if step.group != "preprocess"]
        if all(step.group != "split" for step in steps):
            return [steps[-1].after]
        return [_latest(steps, split) for split in SPLITS]


def walk(targets: Sequence[str], *, until: str | None = None) -> Walk:
    """Go through the stages of a run directory, or of the configuration that overrides give.

    `until` is the last stage to run, as `augment.synonym` or `synonym`; without it all run but tokenisation. What the
    cache does not hold is prepared and stored; a refused configuration stores nothing.
    """
    run_dirs = [Path(target) for target in targets if is_run_dir(target)]
    if not run_dirs:
        return _prepared(configured(targets), until)
    if len(targets) > 1:
        raise Refused(
            "command line", f"{len(targets)} arguments, one of them the run {run_dirs[0]}", "give one run directory, or overrides"
        )
    return _recorded(run_dirs[0], until)


def configured(overrides: Sequence[str]) -> DictConfig:
    """The one configuration that overrides give, its values and stages checked."""
    register_resolvers()
    (cfg,) = compose_runs(list(overrides), multirun=False)
    check_values(cfg)
    built_stages(cfg)
    return cfg


def is_run_dir(target: str) -> bool:
    """Whether an argument names a run rather than an override; one that looks like a path must be a run."""
    if (Path(target) / RECORD_FILE).is_file():
        return True
    if "=" in target or target.startswith("~"):
        return False
    what = "has no run.json" if Path(target).is_dir() else "is no run directory and no override"
    raise Refused("command line", f"{target!r} {what}", "give the folder of a run (outputs/…, multirun/…/…), or overrides as key=value")


def where_of(group: str, name: str) -> str:
    """Dotted name of a stage."""
    return group if group == "data" else f"{group}.{name}"


def stage_named(word: str, known: Iterable[str]) -> str:
    """The one of `known` that `word` means: its dotted name, or its last part where that says which."""
    names = list(dict.fromkeys(known))
    meant = [name for name in names if word in (name, name.rpartition(".")[2])]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise Refused("stage", f"{word!r} is the name of {len(meant)} stages", "choose one of " + ", ".join(meant))
    raise Refused("stage", f"no stage {word!r} in this configuration", nearest(word, names))


def _prepared(cfg: DictConfig, until: str | None) -> Walk:
    last = None if until is None else stage_named(until, [stage.where for stage in built_stages(cfg)])
    cache = Cache(Path(cfg.paths.cache_dir), deferred=True)
    steps: list[Step] = []
    for step in _run(cfg, cache, steps, tokens=last is not None and last.startswith("preprocess.")):
        steps.append(step)
        if step.where == last and (step.group != "preprocess" or step.after.split == SPLITS[-1]):
            break
    cache.flush()
    return Walk(cfg, steps)


def _run(cfg: DictConfig, cache: Cache, steps: list[Step], *, tokens: bool) -> Iterator[Step]:
    """Each step when it is asked for, in the order of `pipeline.prepare`; nothing is stored before the rows are split."""
    records: list[dict[str, Any]] = []

    def step(stage: Stage, before: Rows | None) -> Step:
        given = given_splits_of(records[0]) if records else []
        return Step(stage.group, stage.name, before, run(stage, before, cache, records, given))

    yield step(source_of(cfg), None)
    for stage in before_split(cfg) + split_and_limit(cfg):
        yield step(stage, steps[-1].after)
    on_train = train_only(cfg)
    train = _latest(steps, "train")
    check_train_rows(on_train, train)
    key = train.key
    for stage in on_train:  # A file or tool that is missing is refused here, before anything is stored.
        key = stage.key(key)
    cache.flush()
    for stage in on_train:
        yield step(stage, _latest(steps, "train"))
    for stage in stages_of(cfg, "preprocess") if tokens else ():
        for split in SPLITS:
            yield step(stage, _latest(steps, split))


def _recorded(run_dir: Path, until: str | None) -> Walk:
    values = json.loads((run_dir / RECORD_FILE).read_bytes())
    if "data" not in values:
        raise Refused(str(run_dir), f"the run {values['status']} before its rows were prepared", "name another run, or give overrides")
    refuse_foreign(values["config"], "config")
    cfg = OmegaConf.create(values["config"])
    cache = Cache(Path(cfg.paths.cache_dir))
    stages = values["data"]["stages"]
    last = None if until is None else stage_named(until, [where_of(stage["group"], stage["name"]) for stage in stages])
    steps: list[Step] = []
    for stage in stages:
        if steps and ((steps[-1].where == last and stage["group"] != "preprocess") or (last is None and stage["group"] == "preprocess")):
            break
        entry = cache.find(stage["key"])
        if entry is None:
            what = f"{cache.cache_dir} holds no {where_of(stage['group'], stage['name'])} of this run any more"
            raise Refused(
                str(run_dir), what, "give its overrides in place of the folder: " + (" ".join(values["overrides"]) or "it had none")
            )
        before = _latest(steps, stage["split"]) if steps else None
        after = Rows(stage["key"], entry, stage["split"], holds_all_splits=stage["split"] is None)
        steps.append(Step(stage["group"], stage["name"], before, after))
    return Walk(cfg, steps, run_dir)


def _latest(steps: Sequence[Step], split: str | None) -> Rows:
    """The rows of a split as the steps so far left them; of all splits where `split` is None."""
    after = next(step.after for step in reversed(steps) if step.after.split in (None, split))
    return after if after.split == split else after.of(str(split))
