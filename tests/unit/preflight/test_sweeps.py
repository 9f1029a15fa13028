"""What a sweep is called and how it is launched, refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from prepsweep.errors import Refused
from prepsweep.preflight import check, check_configurations
from prepsweep.preflight.compose import compose_runs, study_in_files

DATA = ["data=csv", "data.path=reviews.csv"]


@pytest.mark.parametrize("study", ["''", ".", "..", "/tmp/x", "a/../..", "[x]", "{x:1}", "2024", "1e3", "true", "x" * 256, "'a\\\nb'"])
def test_a_study_is_a_folder_below_multirun(study: str) -> None:
    with pytest.raises(Refused, match="^(study: must be the name of a folder|command line: )"):
        compose_runs([*DATA, f"study={study}"], multirun=True)


@pytest.mark.parametrize("study", ["reviews", "a/b", "'a b'", '"2024"', "'*[x]'", ".hidden", "-x", "'数据 ü'", "x" * 255])
def test_most_names_will_do(study: str) -> None:
    (cfg,) = compose_runs([*DATA, f"study={study}"], multirun=True)
    assert cfg.study == study.strip("'\"")


@pytest.mark.parametrize("several", ["study=a,b", "paths.multirun_dir=a,b", "study='x${seed}'"])
def test_a_sweep_is_one_study(several: str, reviews_csv: Path) -> None:
    with pytest.raises(Refused, match="study: a sweep is one study, got '"):
        check_configurations([*DATA, "study=x", "seed=0,1", several], multirun=True)


def test_an_experiment_can_name_the_study(tmp_path: Path) -> None:
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\nstudy: from_file\n", encoding="utf-8")
    where = f"hydra.searchpath=['file://{tmp_path}/conf']"
    assert study_in_files([*DATA, "seed=0,1", where, "experiment=mine"]) == "from_file"
    assert study_in_files([*DATA, "seed=0,1"]) is None


@pytest.mark.parametrize(
    "value",
    [
        "n_slots=-1",
        "n_slots=0",
        "n_slots=two",
        "n_slots=1.5",
        "runs_per_gpu=0",
        "timeout_seconds=-1",
        "timeout_seconds=1h",
        "plan_only=maybe",
    ],
)
def test_values_of_the_launcher_that_cannot_be_meant(value: str) -> None:
    with pytest.raises(Refused, match=rf"hydra\.launcher\.{value.partition('=')[0]}: must be "):
        compose_runs([*DATA, f"hydra.launcher.{value}"], multirun=True)


def test_values_of_the_launcher_that_can() -> None:
    values = ["n_slots=2", "runs_per_gpu=2", "timeout_seconds=0.5", "plan_only=true"]
    assert compose_runs([*DATA, *(f"hydra.launcher.{value}" for value in values)], multirun=True)


@pytest.mark.parametrize(("multirun", "key"), [(True, "multirun_dir"), (False, "output_dir")])
def test_results_that_have_no_place_are_refused_before_a_row_is_read(tmp_path: Path, multirun: bool, key: str) -> None:
    taken = tmp_path / "taken"
    taken.write_text("not a folder")
    named = ["study=x"] if multirun else []
    with pytest.raises(Refused, match=f"paths.{key}: {taken} is no folder. fix: move it away, or set paths.{key}"):
        check([*DATA, *named, f"paths.{key}={taken}/below"], multirun=multirun)


@pytest.mark.parametrize("multirun", [True, False])
def test_results_that_may_not_be_written_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, multirun: bool) -> None:
    # Root may write anywhere, so the right is taken away here.
    monkeypatch.setattr("prepsweep.preflight.runs.os.access", lambda path, _: Path(path) != tmp_path)
    with pytest.raises(Refused, match=f"{tmp_path} cannot be written to"):
        check([*DATA, "study=x", f"paths.multirun_dir={tmp_path}/a", f"paths.output_dir={tmp_path}/b"], multirun=multirun)
