"""Sixty-odd ways to make a configuration, a checkpoint or a cache run code: none does, and nothing is written."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from prepsweep.cli import main, train

TOUCH = "touch canary"
# What a `_target_` should not name: what Hydra blocks, what unpickles, and roundabout ways to the same through this package.
TARGETS = [
    "os.system", "os.popen", "os.execv", "posix.system", "subprocess.run", "subprocess.Popen", "pty.spawn", "builtins.eval",
    "builtins.exec", "builtins.open", "builtins.__import__", "builtins.compile", "pandas.read_pickle", "numpy.load",
    "pickle.load", "pickle.loads", "torch.load", "joblib.load", "shutil.rmtree", "importlib.import_module", "runpy.run_path",
    "ctypes.CDLL", "yaml.unsafe_load", "hydra.utils.instantiate", "hydra.utils.get_method", "webbrowser.open", "canary_module.touch",
    "prepsweep.cli.main", "prepsweep.cache.write_atomically", "prepsweep.stages.instance", "prepsweep.launch.fresh.FreshProcess",
    "prepsweep.sources.wheels.subprocess.run", "prepsweep.sources.wheels._publish", "prepsweep.augment.eda.np.load",
]  # fmt: skip
# Where it may stand; `evil` is the node as YAML and as an override.
PLACES = [
    "+augment.evil={}", "+augment.sometimes.stage={}", "+augment.evil.tools=[{}]", "+augment.evil.a.b=[[{}]]", "+clean.evil={}",
    "data={}", "+data.reader={}", "task={}", "task.loss={}", "+logger.evil={}", "+anything={}", "+runtime.evil={}",
    "+hydra.launcher.evil={}", "hydra.sweeper={}", "+hydra.callbacks.evil={}", "+hydra.job.evil={}",
]  # fmt: skip
BY_TARGET = {
    f"{target} at {place.partition('=')[0]}": [place.replace("{}", f"{{_target_:{target},command:'{TOUCH}'}}")]
    for target, place in ((target, PLACES[number % len(PLACES)]) for number, target in enumerate(TARGETS))
}
LOGGING = {
    "a factory": "+hydra.{}.handlers.evil={{'()':os.system,command:'touch canary'}}",
    "a factory of formatters": "+hydra.{}.formatters.evil={{'()':os.system,command:'touch canary'}}",
    "a filter": "+hydra.{}.filters.evil={{'()':os.system,command:'touch canary'}}",
    "a class": "+hydra.{}.handlers.evil={{class:canary_module.Touch}}",
    "a class of formatters": "+hydra.{}.formatters.evil={{class:canary_module.Touch}}",
    "an external name": "+hydra.{}.handlers.evil={{class:logging.StreamHandler,stream:'ext://canary_module.touch'}}",
    "an external name as a level": "+hydra.{}.root.level='ext://canary_module.touch'",
    "a file elsewhere": "+hydra.{}.handlers.evil={{class:logging.FileHandler,filename:canary}}",
}
DOORS = {
    **{f"{name} in {part}": [text.format(part)] for name, text in LOGGING.items() for part in ("job_logging", "hydra_logging")},
    "a log that is named": ["hydra.job_logging.handlers.file.filename=canary"],
    "an environment variable": ["+hydra.job.env_set.PYTHONSTARTUP=canary_module.py"],
    "a run elsewhere": ["hydra.run.dir=../canary"],
    "a run at an absolute place": ["hydra.run.dir=/tmp/canary"],
    "a sweep elsewhere": ["-m", "hydra.sweep.dir=../canary"],
    "a sweep's run elsewhere": ["-m", "hydra.sweep.subdir=../../canary"],
    "a study elsewhere": ["-m", "study=../../canary"],
    "notes elsewhere": ["hydra.output_subdir=../../canary"],
    "a log elsewhere": ["hydra.job.name=../../canary"],
    "a sweep in disguise": ["hydra.mode=MULTIRUN"],
    "a package to search": ["hydra.searchpath=[pkg://canary_module]"],
    "a package to search, added": ["+hydra.searchpath=[pkg://canary_module]"],
    "another configuration": ["--config-path=pkg://canary_module"],
    "another configuration by name": ["--config-name=canary"],
    "a pickle to run again": ["--experimental-rerun", "config.pickle"],
    "help with loggers": ["--help", "+hydra.hydra_logging.handlers.evil={'()':os.system,command:'touch canary'}"],
    "Hydra's help with loggers": ["--hydra-help", "+hydra.hydra_logging.handlers.evil={'()':os.system,command:'touch canary'}"],
    "text that becomes a target": ["+hydra.callbacks=${oc.create:'{a: {_target_: os.system}}'}"],
    "text that becomes a stage": ["+augment.evil=${oc.decode:'{_target_: os.system}'}"],
    "a target by reference": ["+name=os.system", "+augment.evil._target_=${name}"],
    "a target in pieces": ["+augment.evil._target_=os.${oc.decode:system}"],
    "no name for a target": ["+augment.evil._target_=[os.system]"],
    "a search space": ["-m", "hydra/sweeper=tune", "hydra.sweeper.custom_search_space=canary_module.touch"],
    "a sampler": ["-m", "hydra/sweeper=tune", "hydra.sweeper.sampler._target_=os.system"],
    "a launcher": ["-m", "hydra.launcher._target_=canary_module.touch"],
    "a model's own code": ["model.name=remote"],
    "a key of somebody's": ["logger.wandb.project=${oc.env:HF_TOKEN}"],
}  # fmt: skip
# The same by a file of somebody else's: node in YAML.
EXPERIMENTS = {
    "a callback": "hydra:\n  callbacks:\n    evil: {_target_: os.system, command: touch canary}\n",
    "a stage": "augment:\n  evil: {_target_: os.system, command: touch canary, _partial_: true}\n",
    "a logger": "hydra:\n  job_logging:\n    handlers:\n      evil: {(): os.system, command: touch canary}\n",
    "a loss": "task:\n  loss: {_target_: builtins.eval, _partial_: true}\n",
    "an environment variable": "hydra:\n  job:\n    env_set: {PYTHONPATH: .}\n",
    "where runs go": "paths:\n  output_dir: canary\n",
    "where sweeps go": "paths:\n  multirun_dir: /tmp/canary\n",
    "where the cache is": "paths:\n  cache_dir: canary\n",
    "where one run goes": "hydra:\n  run:\n    dir: ${paths.output_dir}/../canary\n",
    "a sweep over places": "hydra:\n  sweeper:\n    params:\n      paths.output_dir: canary,other\n",
    "a sweep over callbacks": "hydra:\n  sweeper:\n    params:\n      +hydra.callbacks.x._target_: os.system\n",
    "a job's name": "hydra:\n  job:\n    name: ../canary\n",
    "a Python object": "augment: !!python/object/apply:os.system ['touch canary']\n",
    "a Python name": "augment:\n  evil: !!python/name:os.system ''\n",
    "a list of stages": "augment:\n  evil:\n    - [{_target_: os.system}]\n",
    "a secret": "logger:\n  wandb:\n    project: ${oc.env:WANDB_API_KEY}\n",
    "a key": "model:\n  api_key: canary-0123456789\n",
    "a search path": "hydra:\n  searchpath: [pkg://canary_module]\n",
    "interpolated to a target": "what: os.system\naugment:\n  evil: {_target_: '${what}'}\n",
}


@pytest.fixture
def planted(reviews_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A module, a pickle and a model that leave a canary where they are run; the arguments of a sound command."""
    (tmp_path / "canary_module.py").write_text("open('canary', 'w').close()\n\ndef touch(*_, **__): ...\nTouch = touch\n")
    (tmp_path / "config.pickle").write_bytes(pickle.dumps(_Touch()))
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote" / "config.json").write_text(json.dumps({"model_type": "x", "auto_map": {"AutoConfig": "evil.Evil"}}))
    (tmp_path / "remote" / "evil.py").write_text("open('canary', 'w').close()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "canary-of-the-hub-012345")
    monkeypatch.setenv("WANDB_API_KEY", "canary-of-wandb-0123456789")
    return ["data=csv", f"data.path={reviews_csv.name}", "logger=wandb"]


class _Touch:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.system, (TOUCH,)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*") if path.suffix != ".pyc"
    }


def refused(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that the command is refused with, nothing written."""
    before = contents(folder)
    assert train(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert ". fix: " in line
    assert "canary-of-" not in line, "a secret in a message"
    assert contents(folder) == before
    assert "canary_module" not in sys.modules
    return line


def test_there_are_enough() -> None:
    assert len(BY_TARGET) + len(DOORS) + len(EXPERIMENTS) >= 60


@pytest.mark.parametrize("payload", [*BY_TARGET, *DOORS])
def test_on_the_command_line(payload: str, planted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {**BY_TARGET, **DOORS}[payload]
    flags = [one for one in given if one.startswith("-")]
    n_flags = 2 if flags == ["--experimental-rerun"] else len(flags)
    refused([*given[:n_flags], *planted, *given[n_flags:]], tmp_path, capsys)


@pytest.mark.parametrize("payload", EXPERIMENTS)
def test_in_an_experiment_of_others(payload: str, planted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    (tmp_path / "theirs" / "experiment" / "evil.yaml").write_text(f"# @package _global_\n{EXPERIMENTS[payload]}")
    flags = ["-m"] if "sweep over" in payload else []
    refused([*flags, "--config-dir=theirs", *planted, "experiment=evil"], tmp_path, capsys)


def test_a_folder_of_configuration_may_be_named(planted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "short.yaml").write_text("# @package _global_\nmodel:\n  learning_rate: -3\n")
    line = refused(["--config-dir=mine", *planted, "experiment=short"], tmp_path, capsys)
    assert "model.learning_rate: must be above 0, got -3" in line


BOMBS = {
    "aliases": "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)),
    "an alias of itself": "a: &a [*a]\n",
    "deep lists": "a: " + "[" * 5000 + "]" * 5000 + "\n",
    "deep mappings": "".join(" " * n + f"k{n}:\n" for n in range(400)),
    "a large file": "a: |\n" + "  x\n" * 100_000,
    "many values": "a: [" + "x," * 50_000 + "]\n",
    "no YAML": "a: [\n",
    "references that double": "".join(f"b{n}: ${{b{n + 1}}}${{b{n + 1}}}\n" for n in range(40)) + "b40: xxxxxxxx\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_in_an_experiment_is_refused_at_once(bomb: str, planted: list[str], tmp_path: Path) -> None:
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    (tmp_path / "theirs" / "experiment" / "evil.yaml").write_text(f"# @package _global_\n{BOMBS[bomb]}")
    # Not ru_maxrss, which a process takes over from the one that started it.
    code = (
        "import pathlib, re, sys, time\nfrom prepsweep.cli import train\nstarted = time.process_time()\nrc = train(sys.argv[1:])\n"
        "peak_kb = int(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])\n"
        "assert time.process_time() - started < 5\nassert peak_kb < 1_000_000\nsys.exit(rc)"
    )
    command = [sys.executable, "-c", code, "--config-dir=theirs", *planted, "experiment=evil"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 2, ran.stderr
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    assert "evil.yaml" in ran.stderr or "${" in ran.stderr


@pytest.mark.parametrize("as_module", [True, False], ids=["module", "package"])
def test_a_planted_plugin_is_not_imported(as_module: bool, planted: list[str], tmp_path: Path) -> None:
    (tmp_path / "hydra_plugins" / "evil").mkdir(parents=True)
    (tmp_path / "hydra_plugins" / "evil" / "__init__.py").write_text("open('canary', 'w').close()\n")
    if not as_module:
        (tmp_path / "hydra_plugins" / "__init__.py").touch()
    (tmp_path / "train.py").write_text("import sys\nfrom prepsweep.cli import train\nsys.exit(train())\n")
    before = contents(tmp_path)
    for options in ([], ["-m"], ["--help"]):
        ran = subprocess.run([sys.executable, "train.py", *options, *planted], capture_output=True, text=True, check=False)
        assert ran.returncode == 2, ran.stderr
        assert len(ran.stderr.splitlines()) == 1
        assert "hydra_plugins" in ran.stderr
        assert contents(tmp_path) == before


def test_in_the_record_of_a_run(planted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {"data": {"_target_": "os.system", "command": TOUCH}, "paths": {"cache_dir": "cache"}}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(json.dumps({"status": "finished", "config": config, "data": {"stages": []}}))
    assert main(["rows", "run"]) == 2
    assert "is not in a trusted package" in capsys.readouterr().err
    assert not (tmp_path / "canary").exists()


def test_an_environment_variable_widens_the_list_and_configuration_does_not(planted: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def same(dataset):\n    return dataset\n")
    code = (
        "import sys; from prepsweep.walk import configured\nfrom prepsweep.errors import Refused\n"
        "try: configured(sys.argv[1:])\nexcept Refused as error: sys.exit(str(error))"
    )
    stage = "+clean.same={_target_:mine.same,_partial_:true}"
    for packages, expected in (("", "mine.same' is not in a trusted package"), ("other,mine", "")):
        environment = os.environ | {"PREPSWEEP_PACKAGES": packages, "PYTHONPATH": str(tmp_path)}
        ran = subprocess.run([sys.executable, "-c", code, *planted, stage], env=environment, capture_output=True, text=True, check=False)
        assert (ran.returncode == 0) is (not expected), ran.stderr
        assert expected in ran.stderr
