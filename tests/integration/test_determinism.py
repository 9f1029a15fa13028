"""`--check-determinism` says that two runs of a sound configuration are equal, and what differs first in any other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from prepsweep import targets
from prepsweep.cli import train
from prepsweep.determinism import first_difference

QUICK = ["--check-determinism", "trainer=cpu", "budget=steps", "budget.steps=4", "preprocess.tokenize.max_length=32", "model.batch_size=8"]
UNSOUND = """
from prepsweep.augment.children import make_children

def two_words(uid, text):
    return [" ".join(sorted(set(text.split()), key=hash)[:2])]

def by_hash(dataset):
    return make_children(dataset, two_words, stage="by_hash", num_proc=1)
"""


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Checks a command: exit code and the line it prints; nothing may be left, neither here nor among temporary files."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    def check(*overrides: str) -> tuple[int, str]:
        before = set(tmp_path.rglob("*"))
        code = train([*QUICK, *overrides])
        assert set(tmp_path.rglob("*")) == before
        return code, capsys.readouterr().out

    return check


def test_a_sound_run_is_found_deterministic(checked: Callable[..., tuple[int, str]], reviews_csv: Path, tiny_model: Path) -> None:
    said = "deterministic: rows of all stages, 4 losses, weights, predictions and scores are the same in two runs\n"
    assert checked("data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "augment=eda") == (0, said)


def test_a_stage_that_asks_the_hash_of_words_is_named(
    checked: Callable[..., tuple[int, str]], tmp_path: Path, reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unsound.py").write_text(UNSOUND)
    monkeypatch.setattr(targets, "TRUSTED_PACKAGES", ("unsound",))
    monkeypatch.syspath_prepend(tmp_path)
    # For the processes of the two runs.
    monkeypatch.setenv("PREPSWEEP_PACKAGES", "unsound")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    stage = "+augment.by_hash={_target_:unsound.by_hash,_partial_:true}"
    said = "not deterministic: two runs differ first in train rows after augment=by_hash\n"
    assert checked("data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", stage) == (1, said)


def test_a_sweep_and_what_any_command_is_refused_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert train(["-m", *QUICK]) == 2
    assert train([*QUICK, "data=csv", "data.path=none.csv"]) == 2
    sweep, missing = capsys.readouterr().err.splitlines()
    assert sweep == "error: --check-determinism: checks one run, not a sweep. fix: leave -m out"
    assert missing.startswith("error: data.path: no such file: none.csv")


def test_the_first_difference_is_named() -> None:
    made = {"train rows after augment=eda": "a", "the loss of step 1": 0.5, "model/model.safetensors": "b"}
    assert first_difference(made, dict(made)) is None
    for name in made:
        assert first_difference(made, made | {name: "other"} | {"model/model.safetensors": "other"}) == name
    assert first_difference(made, {"train rows after augment=eda": "a"}) == "the loss of step 1"
    assert first_difference({}, made) == "train rows after augment=eda"
