"""The stages of a run in order, their keys, and what can be refused before they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prepsweep.flow import Rows, run
from prepsweep.identity import hash_json
from prepsweep.label_kinds import refuse_unfit
from prepsweep.leaks.order import refuse_misplaced
from prepsweep.schema import SPLITS
from prepsweep.stages import PREPARATION, Stage, adopt_of, limit_of, source_of, stages_of

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from prepsweep.cache import Cache


def before_split(cfg: DictConfig) -> list[Stage]:
    return stages_of(cfg, "clean") + stages_of(cfg, "annotate")


def split_and_limit(cfg: DictConfig) -> list[Stage]:
    return stages_of(cfg, "split") + adopt_of(cfg) + limit_of(cfg)


def train_only(cfg: DictConfig) -> list[Stage]:
    return stages_of(cfg, "refine") + stages_of(cfg, "augment") + stages_of(cfg, "balance")


def built_stages(cfg: DictConfig) -> list[Stage]:
    """Every stage of a run, checked against its signature and its place, before the first row is read."""
    stages = [source_of(cfg)] + [stage for group in PREPARATION for stage in stages_of(cfg, group)] + adopt_of(cfg) + limit_of(cfg)
    for stage in stages:
        refuse_misplaced(stage)
    refuse_unfit(cfg, stages)
    for stage in stages:
        stage.check_run(cfg)
    return stages


def check_train_rows(stages: Sequence[Stage], train: Rows) -> None:
    """Refuse train rows that one of the stages of `train_only` cannot work on, before the first of them is run.

    Balance is asked only where no row is added or dropped before it: else what it will be given is not known yet.
    """
    for stage in [stage for stage in stages if stage.group != "balance"] or stages:
        stage.check_rows(train.dataset)


def check_rows_to_read(stages: Sequence[Stage], whole: Rows, cache: Cache, asked: set[tuple[str, str]]) -> None:
    """Refuse rows that preprocess cannot work on, each only once for all runs: `asked` holds what was asked before.

    `stages` are those of a run. Train rows are asked about only where none may be dropped on the way: dev and test come as they are now.
    A stage that must read rows to refuse them is run, and the run finds in the cache what it has read.
    """
    may_drop = any(stage.group in ("refine", "balance") for stage in stages)
    for stage in (stage for stage in stages if stage.group == "preprocess"):
        for rows in (whole.of(split) for split in (SPLITS[1:] if may_drop else SPLITS)):
            if (question := (hash_json(stage.spec), rows.key)) not in asked:
                stage.check_rows(rows.dataset)
                if stage.refuses_when_run():
                    run(stage, rows, cache, [])
                asked.add(question)


@dataclass(frozen=True)
class Planned:
    """A stage as it will run: its key, the key of the stage it reads and, where it reads one split alone, which."""

    stage: Stage
    key: str
    parent: str | None
    split: str | None


@dataclass(frozen=True)
class Unseeded:
    """A stage of a run whatever its seeds, with the hashes of what it reads, and the splits that it reads one by one, if it does."""

    stage: Stage
    files: Mapping[str, str]
    splits: tuple[str, ...] = ()


def flow_of(cfg: DictConfig) -> list[Unseeded]:
    """All stages of a run in order, from configuration and files alone; refuses a file or tool that is missing."""
    whole = [Unseeded(stage, stage.files()) for stage in (source_of(cfg), *before_split(cfg), *split_and_limit(cfg))]
    on_train = [Unseeded(stage, stage.files(), ("train",)) for stage in train_only(cfg)]
    return whole + on_train + [Unseeded(stage, stage.files(), SPLITS) for stage in stages_of(cfg, "preprocess")]


def keyed(flow: Iterable[Unseeded], seeds: Mapping[str, int]) -> list[Planned]:
    """The stages as they run under these seeds."""
    steps: list[Planned] = []
    last, at = dict[str, str](), dict[str, str]()
    for one in flow:
        stage = one.stage.seeded(seeds)
        for split in one.splits:
            steps.append(Planned(stage, stage.key(at[split], one.files), last[split], split))
            at[split] = last[split] = steps[-1].key
        if not one.splits:
            parent = steps[-1].key if steps else None
            steps.append(Planned(stage, stage.key(parent, one.files), parent, None))
            # The last entry holds all splits: what reads one of them reads `<key>/<split>`.
            last = dict.fromkeys(SPLITS, steps[-1].key)
            at = {split: f"{key}/{split}" for split, key in last.items()}
    return steps


def planned(cfg: DictConfig) -> list[Planned]:
    """The stages of a run as they will run, see `flow_of`."""
    return keyed(flow_of(cfg), cfg.seeds)


def planned_keys(cfg: DictConfig) -> list[str]:
    """Keys of all stages of a run, in the order of `planned`."""
    return [step.key for step in planned(cfg)]
