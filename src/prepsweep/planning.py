"""The stages of a run in order, their keys, and what can be refused before they run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prepsweep.flow import Rows
from prepsweep.label_kinds import refuse_unfit
from prepsweep.leaks.order import refuse_misplaced
from prepsweep.schema import SPLITS
from prepsweep.stages import PREPARATION, Stage, adopt_of, limit_of, source_of, stages_of

if TYPE_CHECKING:
    from omegaconf import DictConfig


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


def check_train_rows(cfg: DictConfig, train: Rows) -> None:
    """Refuse train rows that a later stage cannot work on, before that stage is run.

    Balance is asked only where no row is added or dropped before it: else what it will be given is not known yet.
    """
    for stage in stages_of(cfg, "refine") + stages_of(cfg, "augment") or stages_of(cfg, "balance"):
        stage.check_rows(train.dataset)


def check_rows_to_read(cfg: DictConfig, whole: Rows, asked: set[str]) -> None:
    """Refuse rows that preprocess cannot work on, each only once for all runs: `asked` holds what was asked before.

    Train rows are asked about only where none may be dropped on the way: dev and test come as they are now.
    """
    may_drop = stages_of(cfg, "refine") + stages_of(cfg, "balance")
    for stage in stages_of(cfg, "preprocess"):
        for rows in (whole.of(split) for split in (SPLITS[1:] if may_drop else SPLITS)):
            if (key := stage.key(rows.key)) not in asked:
                stage.check_rows(rows.dataset)
                asked.add(key)


@dataclass(frozen=True)
class Planned:
    """A stage as it will run: its key, the key of the stage it reads and, where it reads one split alone, which."""

    stage: Stage
    key: str
    parent: str | None
    split: str | None


def planned(cfg: DictConfig) -> list[Planned]:
    """All stages of a run in order, from configuration and files alone; refuses a file or tool that is missing."""
    source = source_of(cfg)
    steps = [Planned(source, source.key(None), None, None)]
    for stage in before_split(cfg) + split_and_limit(cfg):
        steps.append(Planned(stage, stage.key(steps[-1].key), steps[-1].key, None))
    # The last entry holds all splits: what reads one of them reads `<key>/<split>`.
    last = dict.fromkeys(SPLITS, steps[-1].key)
    at = {split: f"{key}/{split}" for split, key in last.items()}
    for splits, stages in ((("train",), train_only(cfg)), (SPLITS, stages_of(cfg, "preprocess"))):
        for stage in stages:
            for split in splits:
                steps.append(Planned(stage, stage.key(at[split]), last[split], split))
                at[split] = last[split] = steps[-1].key
    return steps


def planned_keys(cfg: DictConfig) -> list[str]:
    """Keys of all stages of a run, in the order of `planned`."""
    return [step.key for step in planned(cfg)]
