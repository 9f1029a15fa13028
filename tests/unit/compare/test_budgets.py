"""What more steps gave is told from what better rows gave."""

from __future__ import annotations

from pathlib import Path

import pytest

from prepsweep.compare.budgets import budgets, controls
from prepsweep.compare.records import Study, read_studies
from tests.unit.compare.made_study import Rows, two_arms, write_run

OPTIONS = {"metric": "accuracy", "delta": 0.01, "baselines": {}}


def study_of(folder: Path, p_right: dict[tuple[str, str], float]) -> Study:
    for (augment, budget), p in p_right.items():
        for seed in range(4):
            write_run(folder, Rows(900), choices={"augment": augment, "budget": budget}, seed=seed, p_right=p)
    return read_studies([folder])


def test_each_budget_has_its_own_contrasts(tmp_path: Path) -> None:
    p_right = {("none", "epochs"): 0.6, ("eda", "epochs"): 0.75, ("none", "equal_steps"): 0.6, ("eda", "equal_steps"): 0.6}
    views = budgets(study_of(tmp_path, p_right), **OPTIONS)
    assert [view.budget for view in views] == ["epochs", "equal_steps"]
    assert [[contrast.name for contrast in view.contrasts] for view in views] == [["augment=eda"]] * 2
    (epochs,), (equal_steps,) = (view.contrasts for view in views)
    assert epochs.verdict.word == "helps"
    assert equal_steps.verdict.word != "helps"
    assert epochs.n_settings == 1


def test_one_budget_is_no_comparison(tmp_path: Path) -> None:
    study = two_arms(tmp_path, Rows(60), n_seeds=2, p_none=0.7, p_eda=0.7)
    assert budgets(study, **OPTIONS) == []
    assert controls(study, **OPTIONS) == []


def test_augmentations_are_compared_with_plain_copies(tmp_path: Path) -> None:
    for augment, p_right in (("none", 0.6), ("duplicate", 0.75), ("eda", 0.75), ("backtranslate", 0.9)):
        for balance in ("none", "oversample"):
            for seed in range(4):
                write_run(tmp_path, Rows(600), choices={"augment": augment, "balance": balance}, seed=seed, p_right=p_right)
    found = {contrast.name: contrast for contrast in controls(read_studies([tmp_path]), **OPTIONS)}
    assert set(found) == {"augment=eda", "augment=backtranslate"}
    assert {contrast.baseline for contrast in found.values()} == {"duplicate"}
    assert (found["augment=backtranslate"].verdict.word, found["augment=backtranslate"].n_settings) == ("helps", 2)
    assert found["augment=eda"].verdict.word != "helps"
    raw = [contrast.effect.p_value() for contrast in found.values()]
    assert min(contrast.p_adjusted for contrast in found.values()) == pytest.approx(min(1.0, 2 * min(raw))), "Holm over these alone"
