"""Launchers and sweepers of others: a fresh process for each run, records as under the local launcher, nothing started that cannot work."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.config_store import ConfigStore

from prepsweep.cli import main, train
from prepsweep.errors import Refused
from prepsweep.launch.fresh import _signals_passed_on
from prepsweep.preflight.compose import compose_runs
from prepsweep.record import plain_config, run_id
from tests.conftest import compose
from tests.integration.test_command_line import FAILING, QUICK, written

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
# A worker that ran one run before would be found out here: the module would be loaded, and its list filled.
LEAKY = """
import os
SEEN = []
def leaky(dataset, *, seed):
    assert not SEEN and "LEAKED" not in os.environ, "an earlier run was in this process"
    SEEN.append(seed)
    os.environ["LEAKED"] = "1"
    return dataset
"""


class Sweeps:
    """Sweeps of a tiny model over the tests' rows, each started as a user starts it."""

    def __init__(self, folder: Path, data: Path, model: Path) -> None:
        self.folder, self.given = folder, ["data=csv", f"data.path={data.name}", f"model.name={model}", *QUICK]

    def stage(self, name: str, source: str) -> str:
        (self.folder / f"{name}.py").write_text(source)
        return f"+augment.{name}={{_target_:{name}.{name},_partial_:true}}"

    def run(self, study: str, *overrides: str, cpu: int | None = None) -> subprocess.CompletedProcess[str]:
        code = "import sys; from prepsweep.cli import train; sys.exit(train())"
        packages = ",".join(path.stem for path in self.folder.glob("*.py"))
        environment = os.environ | ONE_THREAD | {"PREPSWEEP_PACKAGES": packages, "PYTHONPATH": str(self.folder)}
        bound = ["taskset", "-c", str(cpu)] if cpu is not None else []
        command = [*bound, sys.executable, "-c", code, "-m", *self.given, f"study={study}", *overrides]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)

    def records(self, study: str) -> dict[str, dict[str, Any]]:
        return {path.parent.name: json.loads(path.read_text()) for path in self.folder.glob(f"multirun/{study}/*/run.json")}


@pytest.fixture
def sweeps(tmp_path: Path, reviews_csv: Path, tiny_model: Path) -> Sweeps:
    return Sweeps(tmp_path, reviews_csv, tiny_model)


def scores(records: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, Any]]:
    return {name: (record["status"], record["metrics"]["test"]) for name, record in records.items()}


@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param(["hydra/launcher=joblib", "hydra.launcher.n_jobs=1"], id="joblib"),
        pytest.param(["hydra/launcher=submitit_local"], id="submitit_local"),
        pytest.param(
            ["hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2", "+hydra.launcher.ray.init.include_dashboard=false"],
            marks=pytest.mark.slow,
            id="ray",
        ),
    ],
)
def test_every_launcher_gives_each_run_a_fresh_process_and_the_scores_of_the_local_one(launcher: list[str], sweeps: Sweeps) -> None:
    arms = ["seed=0,1,2", sweeps.stage("leaky", LEAKY), "logger=wandb"]
    local = sweeps.run("local", *arms, cpu=min(os.sched_getaffinity(0)))
    assert local.returncode == 0, local.stderr
    other = sweeps.run("other", *arms, *launcher)
    assert other.returncode == 0, other.stderr + "".join(path.read_text() for path in sweeps.folder.glob("multirun/other/*/train.log"))
    assert len(sweeps.records("other")) == 3
    assert scores(sweeps.records("other")) == scores(sweeps.records("local"))
    assert "3 of 3 runs finished" in other.stderr
    for run_dir in sweeps.folder.glob("multirun/other/*/run.json"):
        assert len(list(run_dir.parent.glob("wandb/offline-run-*"))) == 1, "a W&B run for each run"
        assert not (run_dir.parent / "frozen.json").exists()


def test_failing_runs_are_told_of_by_their_records_and_finished_ones_are_not_run_again(sweeps: Sweeps) -> None:
    command = ["seed=0,1,3", sweeps.stage("failing", FAILING), "logger=none", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    ended = sweeps.run("torn", *command)
    assert ended.returncode == 3, ended.stderr
    by_seed = {record["seeds"]["data"]: record for record in sweeps.records("torn").values()}
    assert {seed: record["status"] for seed, record in by_seed.items()} == {0: "finished", 1: "failed", 3: "failed"}
    assert by_seed[1]["error"] == {"type": "ValueError", "message": "no good"}
    assert by_seed[3]["error"]["message"] == "killed by SIGKILL"
    assert "1 of 3 runs finished" in ended.stderr

    (sweeps.folder / "failing.py").write_text(FAILING.replace("seed == 1", "seed == 99"))
    again = sweeps.run("torn", *command)
    assert again.returncode == 3, again.stderr
    after = {record["seeds"]["data"]: record for record in sweeps.records("torn").values()}
    assert {seed: record["status"] for seed, record in after.items()} == {0: "finished", 1: "finished", 3: "failed"}


def test_a_signal_lets_the_run_save_before_the_launcher_hears_of_it() -> None:
    script = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\nprint(flush=True)\ntime.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    heard: list[int | None] = []
    before = signal.signal(signal.SIGUSR2, lambda *_: heard.append(child.returncode))
    try:
        with _signals_passed_on(child):
            os.kill(os.getpid(), signal.SIGUSR2)
            child.wait(30)
        assert heard == [75], "whoever requeues does so once the run is on disk, and once"
    finally:
        signal.signal(signal.SIGUSR2, before)
        child.kill()
        child.stdout.close()


PLUGINS = {
    "hydra/launcher=joblib": ("launcher", "joblib", "hydra/launcher: 'joblib' is not installed. fix: pip install 'prepsweep[joblib]'"),
    "hydra/launcher=ray": ("launcher", "ray", "error: hydra/launcher: 'ray' is not installed. fix: pip install 'prepsweep[ray]'"),
    "hydra/launcher=ray_gpu": ("launcher", "ray", "fix: pip install 'prepsweep[ray]'"),
    "hydra/launcher=slurm": ("launcher", "submitit_slurm", "fix: pip install 'prepsweep[slurm]'"),
    "hydra/launcher=submitit_local": ("launcher", "submitit_local", "fix: pip install 'prepsweep[slurm]'"),
    "hydra/sweeper=tune": ("sweeper", "optuna", "error: hydra/sweeper: 'optuna' is not installed. fix: pip install 'prepsweep[optuna]'"),
    "experiment=tune_recipe": ("sweeper", "optuna", "fix: pip install 'prepsweep[optuna]'"),
}  # fmt: skip


@pytest.mark.parametrize("override", PLUGINS)
def test_a_missing_extra_is_refused_with_its_pip_command_and_nothing_written(
    override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compose()  # Hydra looks for plugins once, and what they put in is taken out again.
    group, option, message = PLUGINS[override]
    monkeypatch.delitem(ConfigStore.instance().repo["hydra"][group], f"{option}.yaml", raising=False)
    before = written(tmp_path)
    assert train(["-m", "seed=0,1", override]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert written(tmp_path) == before


def test_slurm_is_submitit_with_requeue_and_long_jobs() -> None:
    config = launcher_of("slurm")
    assert config["_target_"].endswith("SlurmLauncher")
    assert config["max_num_timeout"] == 3
    assert config["signal_delay_s"] == 120, "what the plugin sets, and this does not, is there and can be overridden"


def test_ray_gpu_is_ray_with_a_gpu_for_each_run() -> None:
    config = launcher_of("ray_gpu")
    assert config["_target_"].endswith("RayLauncher")
    assert config["ray"]["remote"] == {"num_gpus": 1}


def launcher_of(option: str) -> dict[str, Any]:
    from hydra import compose, initialize_config_module
    from omegaconf import OmegaConf

    with initialize_config_module("prepsweep.conf", version_base="1.3"):
        cfg = compose("config", [f"hydra/launcher={option}", "study=x"], return_hydra_config=True)
        launcher = OmegaConf.to_container(cfg.hydra.launcher, resolve=False)
    assert isinstance(launcher, dict)
    return {str(key): value for key, value in launcher.items()}


def test_optuna_looks_for_the_best_validation_score(sweeps: Sweeps) -> None:
    search = ["hydra/sweeper=tune", "hydra.sweeper.n_trials=3", "hydra.sweeper.sampler.seed=0", "logger=none"]
    ended = sweeps.run("search", *search, "model.learning_rate=tag(log,interval(1e-4,1e-1))", "seed=1")
    assert ended.returncode == 0, ended.stderr
    records = sweeps.records("search").values()
    best = yaml.safe_load((sweeps.folder / "multirun" / "search" / "optimization_results.yaml").read_text())
    assert best["best_value"] == max(record["metrics"]["val"]["macro_f1"] for record in records)
    assert len({record["config"]["model"]["learning_rate"] for record in records}) == 3
    assert {record["seeds"]["model"] for record in records} == {1}
    assert "3 of 3 runs finished" in ended.stderr


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["hydra/sweeper=optuna", "seed=0,1"], "hydra.sweeper.direction: minimize would look for the worst validation score"),
        (["hydra/sweeper=tune", "model.learning_rate=interval(-1,1)"], "model.learning_rate: must be above 0, got -1"),
        (["hydra/sweeper=tune", "model.warmup_fraction=interval(0,1)"], "model.warmup_fraction: must be at least 0 and below 1"),
        (["hydra/sweeper=tune", "augment=choice(none,synonim)"], "augment: no option 'synonim'"),
        (["experiment=tune_recipe", "model.batch_size=16,0"], "model.batch_size: must be a whole number of at least 1, got 0"),
    ],
)
def test_a_search_is_refused_where_its_bounds_cannot_be_meant(
    overrides: list[str], message: str, reviews_csv: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = written(tmp_path)
    assert train(["-m", "data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", *overrides]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert written(tmp_path) == before


def test_an_interval_needs_a_sweeper_that_searches() -> None:
    with pytest.raises(Refused, match="has an interval, which only a sweeper that searches takes"):
        compose_runs(["model.learning_rate=interval(1e-5,1e-3)"], multirun=True)


def test_a_sweep_can_be_written_in_yaml_and_narrowed_on_the_command_line() -> None:
    whole = compose_runs(["experiment=film_sweep"], multirun=True)
    assert len({run_id(plain_config(cfg)) for cfg in whole}) == 2 * 2 * 5
    narrowed = compose_runs(["experiment=film_sweep", "seed=3"], multirun=True)
    assert [cfg.seed for cfg in narrowed] == [3] * 4
    assert {(tuple(cfg.augment), tuple(cfg.balance)) for cfg in narrowed} == set(
        itertools.product([(), ("backtranslate",)], [(), ("oversample",)])
    )


def test_hydra_runs_the_sweep_that_preflight_composed(sweeps: Sweeps, tmp_path: Path) -> None:
    sweep = ["experiment=film_sweep", "augment=none", "--plan"]
    ended = sweeps.run("planned", *sweep)
    assert ended.returncode == 0
    assert "runs: 10 to train" in ended.stderr, ended.stderr
    assert "finished:" not in ended.stderr, "nothing ran that could be told of"


def test_arms_that_are_no_grid_are_files_picked_by_a_pattern() -> None:
    runs = compose_runs(["experiment=glob(film_arm_*)", "seed=0,1"], multirun=True)
    arms = {(tuple(cfg.augment), tuple(cfg.balance), cfg.seed) for cfg in runs}
    pairs = [((), ()), ((), ("oversample",)), (("duplicate",), ("class_weights",))]
    assert arms == {(*pair, seed) for pair in pairs for seed in (0, 1)}
    named = compose_runs(["experiment=film_arm_plain,film_arm_oversample"], multirun=True)
    assert [tuple(cfg.balance) for cfg in named] == [(), ("oversample",)]
    with pytest.raises(Refused, match="nothing matches"):
        compose_runs(["experiment=glob(no_such_*)"], multirun=True)


def test_a_wandb_sweep_has_the_arms_of_the_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    given = [
        "study=reviews",
        "augment=none,duplicate",
        "clean=none,[normalize_unicode,exact_dedup]",
        "seed=range(2)",
        "model.learning_rate=3e-5",
    ]
    assert main(["wandb-sweep", *given]) == 0
    sweep = yaml.safe_load(capsys.readouterr().out)
    assert (sweep["program"], sweep["method"]) == ("train.py", "grid")
    assert sweep["metric"] == {"name": "val/macro_f1", "goal": "maximize"}
    assert sweep["parameters"]["seed"] == {"values": [0, 1]}
    assert sweep["command"][:4] == ["${env}", "${interpreter}", "${program}", "-m"]
    assert sweep["command"][-1] == "${args_no_hyphens}"
    fixed = sweep["command"][4:-1]
    assert "logger.wandb.mode=online" in fixed
    parameters = {key: parameter["values"] for key, parameter in sweep["parameters"].items()}
    arms = [[f"{key}={value}" for key, value in zip(parameters, values, strict=True)] for values in itertools.product(*parameters.values())]
    composed = [compose_runs([*fixed, *arm], multirun=True) for arm in arms]
    assert {len(runs) for runs in composed} == {1}
    assert {run_id(plain_config(run)) for (run,) in composed} == {run_id(plain_config(run)) for run in compose_runs(given, multirun=True)}
    assert {str(run.study) for (run,) in composed} == {"reviews"}


def test_a_wandb_sweep_over_intervals_is_a_search(capsys: pytest.CaptureFixture[str]) -> None:
    intervals = ["model.learning_rate=tag(log,interval(1e-5,1e-3))", "model.batch_size=int(interval(8,64))"]
    assert main(["wandb-sweep", *intervals, "augment=none,duplicate"]) == 0
    sweep = yaml.safe_load(capsys.readouterr().out)
    assert sweep["method"] == "bayes"
    assert sweep["parameters"] == {
        "model.learning_rate": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-3},
        "model.batch_size": {"distribution": "int_uniform", "min": 8, "max": 64},
        "augment": {"values": ["none", "duplicate"]},
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["augment=none,synonim"], "error: augment: no option 'synonim'. fix: did you mean 'synonym'?"),
        (["seed=0"], "error: command line: nothing has several values."),
        (["seed=0,1", "logger=csv"], "error: logger: the runs of a W&B sweep must report to it."),
        (["seed=0,1", "model.batch_size=16,0"], "error: model.batch_size: must be a whole number of at least 1, got 0."),
        (["model.batch_size=interval(8,64)"], "error: model.batch_size: must be a whole number of at least 1, got 8.0."),
        (
            ["--method=grid", "model.batch_size=int(interval(8,64))"],
            "error: --method: a grid cannot list the interval of model.batch_size.",
        ),
    ],
)
def test_a_wandb_sweep_is_refused_as_the_sweep_would_be(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wandb-sweep", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
