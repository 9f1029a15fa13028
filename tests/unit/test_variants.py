"""A configuration made by putting values into another is the one that Hydra composes, and where that is not sure Hydra does it."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_module
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from prepsweep.cli import train
from prepsweep.errors import Refused
from prepsweep.preflight import check
from prepsweep.preflight.compose import composed
from prepsweep.preflight.runs import handed_over, known_run, resolved
from prepsweep.preflight.variants import Composed, compose_variants
from prepsweep.record import plain_config, run_id


@pytest.fixture
def conf() -> Iterator[None]:
    with initialize_config_module("prepsweep.conf", version_base="1.3"):
        yield


def with_hydra(overrides: list[str]) -> DictConfig:
    return compose("config", overrides, return_hydra_config=True)


def variants(sweeps: list[list[str]]) -> list[Composed]:
    """Every combination, composed as few times as can be."""
    return compose_variants([list(one) for one in itertools.product(*sweeps)], with_hydra)


def n_composed(made: list[Composed]) -> int:
    return len({id(one.template) for one in made})


def same(one: DictConfig, other: DictConfig) -> bool:
    """Equal values as they are written, interpolations and missing ones included, and equal flags."""
    flags = [(cfg._get_flag("struct"), cfg._get_flag("readonly"), cfg.hydra._get_flag("readonly")) for cfg in (one, other)]
    return OmegaConf.to_yaml(one) == OmegaConf.to_yaml(other) and flags[0] == flags[1]


VALUES = {
    "numbers": [["seed=0", "seed=7"], ["model.learning_rate=1e-5", "model.learning_rate=0.1"], ["augment=none"]],
    "one seed of several": [["seed=3"], ["seeds.model=0", "seeds.model=1"]],
    "words": [["study=a", "study=b-c", "study='two words'"], ["model.name=x", "model.name='a,b'"]],
    "truth and nothing": [
        ["data.limit=null", "data.limit=5"],
        ["augment=antonym"],
        ["augment.antonym.allow_label_change=true", "augment.antonym.allow_label_change=false"],
    ],
    "in place of an interpolation": [
        ["preprocess.tokenize.checkpoint=a", "preprocess.tokenize.checkpoint=b"],
        ["model.name=m", "model.name=n"],
    ],
    "a value that is missing": [["data=csv"], ["data.path=a.csv", "data.path=b.csv"]],
    "a value of a stage that is chosen": [["augment=[synonym,eda]"], ["augment.eda.n_aug=1", "augment.eda.n_aug=2"]],
    "values under an experiment": [["experiment=film_reviews_bert"], ["model.learning_rate=1e-5", "model.learning_rate=2e-5"]],
    "a value set before its group is chosen": [["data.limit=1", "data.limit=2"], ["data=csv"], ["data.path=x"]],
    "with Hydra's own part": [["seed=0", "seed=1"], ["hydra.job.name=x"], ["hydra.launcher.n_slots=2"]],
}


@pytest.mark.usefixtures("conf")
@pytest.mark.parametrize("name", VALUES)
def test_plain_values_are_put_into_one_composition(name: str) -> None:
    made = variants(VALUES[name])
    assert n_composed(made) == 1
    for one in made:
        assert same(one.cfg, with_hydra(one.overrides)), one.overrides


UNUSUAL = {
    "groups": [["augment=none", "augment=eda"], ["balance=none", "balance=[oversample,focal]"]],
    "a group inside a stage": [["augment=sometimes"], ["augment@augment.sometimes.stage=eda", "augment@augment.sometimes.stage=duplicate"]],
    "an experiment": [["experiment=film_reviews_bert"], ["model=minilm", "model=distilbert"]],
    "additions": [["+model.extra=1", "+model.extra=2"]],
    "a value beside an addition": [["+model.extra=1"], ["seed=0", "seed=1"]],
    "a value beside a deletion": [["~data.limit"], ["seed=0", "seed=1"]],
    "forced additions": [["++model.extra=1", "++model.batch_size=2"]],
    "interpolations": [["seeds.model=${seed}", "seeds.model=${seeds.data}"]],
    "lists": [["data=csv"], ["data.classes=[a,b]", "data.classes=[b,a]"]],
    "mappings": [["model={batch_size:3}", "model={batch_size:4}"]],
    "a value and the mapping around it": [["model={batch_size:3}"], ["model.batch_size=4", "model.batch_size=5"]],
    "a value under one that replaces its mapping": [["seeds.model=4", "seeds.model=5"], ["seeds=x"]],
    "one key twice": [["seed=0", "seed=1"], ["seed=2"]],
    "a group given as a mapping": [["split=stratified"], ["split.stratified={test_fraction:0.2}", "split.stratified={test_fraction:0.3}"]],
}


@pytest.mark.usefixtures("conf")
@pytest.mark.parametrize("name", UNUSUAL)
def test_all_else_is_composed_by_hydra(name: str) -> None:
    made = variants(UNUSUAL[name])
    assert n_composed(made) == len(made)
    for one in made:
        assert same(one.cfg, with_hydra(one.overrides)), one.overrides


@pytest.mark.usefixtures("conf")
def test_choices_and_values_together_take_one_composition_for_each_choice() -> None:
    seeds, rates = ([f"{key}={value}" for value in range(1, 4)] for key in ("seed", "model.learning_rate"))
    made = variants([["augment=none", "augment=eda"], rates, seeds, ["balance=none", "balance=focal"]])
    assert (len(made), n_composed(made)) == (36, 4)
    for one in made:
        assert same(one.cfg, with_hydra(one.overrides)), one.overrides
        assert same(pickle.loads(pickle.dumps(one)).cfg, one.cfg), "a job's process makes it again"


@pytest.mark.usefixtures("conf")
def test_runs_that_set_other_keys_have_other_templates() -> None:
    made = compose_variants([["seed=1", "budget.epochs=7"], ["seed=2", "model.batch_size=9"], ["seed=3", "budget.epochs=8"]], with_hydra)
    assert n_composed(made) == 2
    assert [(one.cfg.seed, one.cfg.budget.epochs, one.cfg.model.batch_size) for one in made][1][0] == 2
    for one in made:
        assert same(one.cfg, with_hydra(one.overrides))


@pytest.mark.usefixtures("conf")
def test_a_key_that_is_not_there_is_refused_as_hydra_refuses_it() -> None:
    with pytest.raises(ConfigCompositionException):
        variants([["model.learnin_rate=1", "model.learnin_rate=2"]])


@pytest.mark.usefixtures("conf")
def test_a_run_is_made_as_the_launcher_of_a_sweep_would_have_it() -> None:
    loader = GlobalHydra.instance().config_loader()
    master = loader.load_configuration("config", ["hydra.launcher.n_slots=2", "seed=1,2", "study=s"], RunMode.MULTIRUN)

    def by_launcher(overrides: list[str]) -> DictConfig:
        return loader.load_sweep_config(master, overrides)

    for one in compose_variants([[f"seed={seed}", "study=s"] for seed in range(3)], by_launcher):
        assert same(one.cfg, by_launcher(one.overrides))
        assert one.cfg.hydra.launcher.n_slots == 2


def test_runs_are_resolved_as_their_records_will_hold_them() -> None:
    sweep = ["augment=none,eda", "seed=range(3)", "study=s${seeds.data}", "model.learning_rate=1e-5,1e-4", "paths.output_dir=out-${seed}"]
    runs = resolved(composed(sweep, multirun=True)[0])
    assert len(runs) == 12
    for run in runs:
        assert run.config == plain_config(run.cfg)
        assert run.run_id == run_id(plain_config(run.cfg))
    assert {run.config["study"] for run in runs} == {"s0", "s1", "s2"}


def test_the_launcher_is_handed_what_preflight_found(reviews_csv: Path) -> None:
    sweep = ["data=csv", f"data.path={reviews_csv}", "augment=none,duplicate", "seed=0,1", "model.learning_rate=1e-5,1e-4", "study=s"]
    runs = check([*sweep, "hydra.launcher.n_slots=1"], multirun=True).runs
    given = ["data=csv", f"data.path={reviews_csv}", "augment=duplicate", "seed=1", "model.learning_rate=1e-05", "study=s"]
    assert known_run(given) is None
    with handed_over(runs):
        run = known_run(given)
        assert run is not None
        assert (run.config["seed"], run.overrides) == (1, given)
        assert known_run([*given, "seed=5"]) is None
    assert known_run(given) is None
    assert len({run.run_id for run in runs}) == 8
    keys = {tuple(stage.key for stage in run.stages) for run in runs}
    assert len(keys) == 4, "the learning rate is no part of a preparation"


def test_a_sweep_composes_each_choice_once_whoever_asks(
    reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    composed: list[list[str]] = []
    original = ConfigLoaderImpl.load_configuration

    def counted(self: ConfigLoaderImpl, config_name: str | None, overrides: list[str], *arguments: Any, **named: Any) -> DictConfig:
        composed.append(overrides)
        return original(self, config_name, overrides, *arguments, **named)

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", counted)
    sweep = ["augment=none,duplicate", "model.learning_rate=1e-5,1e-4,1e-3", "seed=range(2)", "study=s", "hydra.launcher.plan_only=true"]
    assert train(["-m", "data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "logger=none", *sweep]) == 0
    assert "runs: 12 to train, 0 finished before" in capsys.readouterr().err
    assert len(composed) <= 2 + 3, "two choices; and Hydra for the sweep as a whole, as preflight does"


@pytest.mark.parametrize("key", ["hydra.sweep.dir", "hydra.sweep.subdir"])
def test_runs_of_a_study_cannot_lie_where_nobody_looks_for_them(key: str) -> None:
    with pytest.raises(Refused, match=f"{key}: runs of a study lie in <paths.multirun_dir>/<study>/<run_id>"):
        composed([f"{key}=elsewhere", "seed=1,2"], multirun=True)


def test_null_among_the_options_of_a_sweep_is_refused() -> None:
    with pytest.raises(Refused, match="augment: null is not an option"):
        composed(["augment=null,none"], multirun=True)
