"""Stages inside stages: composed by Hydra's own means, checked like any other, each complaint with its full key."""

from __future__ import annotations

from pathlib import Path

import pytest

from prepsweep.errors import Refused
from prepsweep.lineage import settle, table_of
from prepsweep.preflight.compose import compose_runs
from prepsweep.stages import Stage, stages_of
from tests.conftest import compose, make_reviews, rows_of

CHOSEN = ("augment=to_balance",)
DUPLICATE = (*CHOSEN, "augment@augment.to_balance.stage=duplicate")


def stage_of(*overrides: str) -> Stage:
    (found,) = stages_of(compose(*overrides), "augment")
    return found


def test_the_inner_option_is_chosen_and_set_on_the_command_line() -> None:
    stage = stage_of("augment=to_balance", "augment@augment.to_balance.stage=duplicate", "augment.to_balance.stage.n_copies=3")
    assert stage.where == "augment.to_balance"
    assert [(inner.where, inner.spec["n_copies"]) for inner in stage.inner] == [("augment.to_balance.stage", 3)]
    rows = rows_of(make_reviews(40), "train")
    kept = settle(rows, stage(rows).rows, stage=stage.where, group="augment").kept
    assert set(table_of(kept).column("origin").to_pylist()) == {"source", "to_balance:duplicate"}


def test_wrappers_nest_and_stand_beside_what_they_wrap() -> None:
    cfg = compose(
        "augment=[duplicate,sometimes]",
        "augment@augment.sometimes.stage=one_of",
        "augment@augment.sometimes.stage.stages.first=duplicate",
        "augment@augment.sometimes.stage.stages.second=backtranslate",
        "augment.sometimes.stage.weights.second=0",
    )
    alone, wrapped = stages_of(cfg, "augment")
    (inner,) = wrapped.inner
    assert [stage.where for stage in inner.inner] == [f"augment.sometimes.stage.stages.{slot}" for slot in ("first", "second")]
    rows = rows_of(make_reviews(20), "train")
    between = settle(rows, alone(rows).rows, stage="a", group="augment").kept
    kept = settle(between, wrapped(between).rows, stage="b", group="augment").kept
    assert set(table_of(kept).column("origin").to_pylist()) == {"source", "duplicate", "sometimes:one_of:duplicate"}


def test_a_sweep_over_the_inner_option() -> None:
    runs = compose_runs([*CHOSEN, "augment@augment.to_balance.stage=duplicate,eda"], multirun=True)
    names = [run.augment.to_balance.stage._target_.rpartition(".")[2] for run in runs]
    assert names == ["duplicate", "eda"]


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (["augment.to_balance.stage.n_copiess=2"], "augment.to_balance.stage.n_copiess: unknown option. fix: did you mean 'n_copies'?"),
        (["+augment.to_balance.stage.n_copiess=2"], "augment.to_balance.stage.n_copiess: unknown option. fix: did you mean 'n_copies'?"),
        (["~augment.to_balance.stage.n_copies"], "augment.to_balance.stage.n_copies: is not set"),
        (["augment.to_balance.stage.n_copies=0"], "augment.to_balance.stage.n_copies: must be at least 1, got 0"),
        (["+augment.to_balance.stage.seed=3"], "augment.to_balance.stage.seed: unknown option"),
        (["augment.to_balance.stage._target_=os.system"], "_target_ 'os.system' is not in a trusted package"),
        (
            ["augment.to_balance.stage._target_=prepsweep.augment.duplicate.duplicat"],
            "to_balance.stage: prepsweep.augment.duplicate",
        ),
        (["augment.to_balance.stage._partial_=false"], "augment.to_balance.stage: is not a stage"),
        (["augment.to_balance.stage=3"], "augment.to_balance.stage: is not a stage"),
        (["augment.to_balance.sampling_strategy=al"], "augment.to_balance.sampling_strategy: unknown strategy 'al'"),
    ],
)
def test_an_inner_stage_obeys_the_rules_of_any_stage(overrides: list[str], complaint: str) -> None:
    with pytest.raises(Refused) as error:
        stage_of(*DUPLICATE, *overrides)
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (
            [*CHOSEN, "augment@augment.to_balance.stage=duplicat"],
            "augment: no option 'duplicat'. fix: did you mean 'duplicate'?",
        ),
        ([*CHOSEN, "augment@augment.to_balance.stagee=eda"], "fix: did you mean 'augment@augment.to_balance.stage'?"),
        (
            ["augment=eda", "augment@augment.to_balance.stage=eda"],
            "no such place for an option. fix: choose augment=to_balance as well",
        ),
        ([*CHOSEN, "augment@augment.to_balance.stage=null"], "augment@augment.to_balance.stage: takes one option"),
        (
            [*CHOSEN, "augment@augment.to_balance.stage=[eda,duplicate]"],
            "takes one option. fix: name one of the group augment",
        ),
        ([*CHOSEN, "augment@augment.to_balance.stage=none"], "augment.to_balance.stage: is not a stage"),
        ([*CHOSEN, "augment@augment.to_balance.stage=eda,duplicate"], "has several values. fix: add -m"),
        (
            [*CHOSEN, "augment@augment.to_balance.stage=antonym"],
            "augment.to_balance.stage.allow_label_change: an antonym often",
        ),
        (["augment=one_of", "+augment@augment.one_of.stages.third=duplicate"], "fix: add +augment.one_of.weights.third=1"),
    ],
)
def test_a_wrong_choice_is_refused_with_what_would_work(overrides: list[str], complaint: str) -> None:
    with pytest.raises(Refused) as error:
        stage_of(*overrides)
    assert complaint in str(error.value)


def test_the_inner_stage_is_part_of_the_identity(wordnet_folder: Path, tmp_path: Path) -> None:
    def key(*overrides: str) -> str:
        return stage_of("augment=sometimes", f"augment.sometimes.stage.wordnet_dir={wordnet_folder}", *overrides).key("p")

    keys = {key(), key("augment.sometimes.stage.n_copies=2"), key("augment@augment.sometimes.stage=antonym", ALLOWED), key("seed=1")}
    assert len(keys) == 4
    assert key() == key("runtime.num_proc=2")
    with pytest.raises(Refused, match=r"sometimes\.stage\.wordnet_dir: no WordNet at .* set augment\.sometimes\.stage\.wordnet_dir"):
        stage_of("augment=sometimes", f"augment.sometimes.stage.wordnet_dir={tmp_path}").key("p")


ALLOWED = "augment.sometimes.stage.allow_label_change=true"


def test_the_inner_stage_refuses_rows_by_its_own_key() -> None:
    rows = rows_of([("我喜欢这部电影", "x"), ("很好看", "y")], "train")
    with pytest.raises(Refused) as error:
        stage_of("augment=sometimes", "augment@augment.sometimes.stage=antonym", ALLOWED).check_rows(rows)
    assert error.value.where.startswith("augment.sometimes.stage")


def test_the_tools_of_a_stage_are_no_stages() -> None:
    assert list(stage_of("augment=backtranslate").inner) == []
