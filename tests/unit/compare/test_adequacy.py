"""Runs that were stopped too early, that did not learn or that took more steps are named; sound ones are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prepsweep.compare.adequacy import Concern, adequacy
from prepsweep.compare.records import read_studies
from tests.unit.compare.made_records import curve
from tests.unit.compare.made_study import Rows, write_arms, write_predictions


def looks(start: float, end: float, *, n: int = 8, noise: float = 0.005) -> Callable[[int], dict[str, Any]]:
    """What a run records whose dev score goes from start to end in `n` looks, with other noise for each seed."""

    def said(seed: int) -> dict[str, Any]:
        values = np.linspace(start, end, n) + np.random.default_rng(seed).normal(0, noise, n)
        return {"metrics": {"val_curve": curve(values.tolist())}}

    return said


def test_an_arm_that_still_improves_is_named_and_a_flat_one_is_not(tmp_path: Path) -> None:
    study = write_arms(tmp_path, {"none": looks(0.7, 0.7), "eda": looks(0.4, 0.8), "synonym": looks(0.8, 0.7)})
    (concern,) = adequacy(study, metric="macro_f1")
    assert (concern.kind, concern.arm) == ("still improving", "augment=eda")
    assert concern.words.endswith("points of macro F1 on dev in the last 50 steps; try more epochs")


def test_flat_arms_are_seldom_named(tmp_path: Path) -> None:
    arms = {f"arm{number}": lambda seed, number=number: looks(0.7, 0.7, n=2, noise=0.02)(100 * number + seed) for number in range(60)}
    named = [concern for concern in adequacy(write_arms(tmp_path, arms), metric="macro_f1") if concern.kind == "still improving"]
    assert len(named) <= 8, "two looks, the noisiest case: 5% of 60 and three standard errors"


def test_one_look_says_nothing_of_the_pace(tmp_path: Path) -> None:
    assert not adequacy(write_arms(tmp_path, {"none": looks(0.7, 0.7, n=1), "eda": looks(0.9, 0.9, n=1)}), metric="macro_f1")


def test_runs_that_did_not_learn_and_classes_that_are_never_predicted(tmp_path: Path) -> None:
    rows = Rows(90)
    for seed in range(3):
        one_class = np.zeros(90, dtype=np.int64)
        without_plot = np.where(rows.labels == 2, 0, rows.labels)
        write_predictions(tmp_path, rows, rows.labels, choices={"augment": "none"}, seed=seed)
        write_predictions(tmp_path, rows, one_class if seed == 0 else without_plot, choices={"augment": "eda"}, seed=seed)
    assert adequacy(read_studies([tmp_path]), metric="macro_f1") == [
        Concern("one class only", "augment=eda", "1 of 3 runs predict one class for every row: they did not learn"),
        Concern("class never predicted", "augment=eda", "2 of 3 runs never predict 'plot'"),
    ]


def test_many_missing_classes_are_one_concern(tmp_path: Path) -> None:
    names = [f"intent {number:02}" for number in range(20)]
    confusion = np.zeros((20, 20), dtype=int)
    confusion[:, :2] = 5  # Two classes alone are predicted.
    said = {"data": {"classes": names}, "metrics": {"test": {"macro_f1": 0.1, "confusion": confusion.tolist()}}}
    (concern,) = (one for one in adequacy(write_arms(tmp_path, {"none": lambda _: said}), metric="macro_f1") if one.kind != "few test rows")
    assert concern.words == "5 of 5 runs never predict 'intent 02', 'intent 03', 'intent 04' and 15 more"


def test_few_test_rows_are_named_by_the_class_where_macro_f1_asks_it(tmp_path: Path) -> None:
    rows = Rows(40)
    rows.labels = np.array([0] * 20 + [1] * 18 + [2] * 2)
    for name, some in (("rare", rows), ("tiny", Rows(29, shares=(0.6, 0.4, 0.0)))):
        for seed in range(2):
            write_predictions(tmp_path / name, some, some.labels, choices={"augment": "none"}, seed=seed)
    rare, tiny = (read_studies([tmp_path / name]) for name in ("rare", "tiny"))
    (concern,) = adequacy(rare, metric="macro_f1")
    assert (concern.kind, concern.arm) == ("few test rows", "")
    assert concern.words.startswith("few test rows of 'plot' (2): single")
    assert not adequacy(rare, metric="accuracy")
    kinds = [concern.words for concern in adequacy(tiny, metric="accuracy") if concern.kind == "few test rows"]
    assert kinds == ["few test rows (29): with fewer than 30 intervals and p are rough"]


def taking(steps: int, *, f1: float, late: float = 0.0) -> Callable[[int], dict[str, Any]]:
    """A run of so many steps with this test score, the last of its four looks on dev higher by `late`."""
    values = curve([f1, f1, f1, f1 + late], every=steps // 4)
    return lambda seed: {"budget": {"kind": "epochs", "steps": steps}, "metrics": {"val_curve": values, "test": scored(f1 + seed / 1000)}}


def scored(f1: float) -> dict[str, Any]:
    return {"macro_f1": f1, "confusion": [[1, 1, 1]] * 3}


def test_arms_with_more_steps_are_told(tmp_path: Path) -> None:
    study = write_arms(tmp_path, {"none": taking(100, f1=0.7), "eda": taking(300, f1=0.8)})
    (concern,) = adequacy(study, metric="macro_f1")
    assert (concern.kind, concern.arm) == ("different steps", "")
    assert concern.words == (
        "under budget=epochs the arms take from 100 steps (augment=none) to 300 (augment=eda); budget=equal_steps would give them the same"
    )


def test_arms_that_ended_early_by_patience_are_told(tmp_path: Path) -> None:
    def impatient(seed: int) -> dict[str, Any]:
        run = taking(100, f1=0.7)(seed)
        return run | {"budget": {"kind": "equal_steps", "steps": 100, "planned_steps": 300}}

    whole = taking(300, f1=0.8)
    study = write_arms(
        tmp_path,
        {"none": impatient, "eda": lambda seed: whole(seed) | {"budget": {"kind": "equal_steps", "steps": 300, "planned_steps": 300}}},
    )
    (concern,) = adequacy(study, metric="macro_f1")
    assert concern.words.endswith("budget.patience=null would give them the same")


@pytest.mark.parametrize(("f1_of_copies", "named"), [(0.75, True), (0.71, False)])
def test_a_gain_no_larger_than_that_of_plain_copies_is_told(tmp_path: Path, f1_of_copies: float, named: bool) -> None:
    arms = {"none": taking(100, f1=0.7), "eda": taking(200, f1=0.74), "duplicate": taking(200, f1=f1_of_copies)}
    found = [concern for concern in adequacy(write_arms(tmp_path, arms), metric="macro_f1") if concern.kind == "extra steps"]
    assert [concern.arm for concern in found] == ["augment=eda"] * named
    words = "gains +4.0 points of macro F1 with 2.0 times the steps of none; extra steps alone bring +5.0 points (duplicate)"
    assert [concern.words for concern in found] == [words] * named


@pytest.mark.parametrize(("late", "named"), [(0.02, True), (0.002, False)])
def test_without_copies_the_last_steps_of_the_baseline_are_the_measure(tmp_path: Path, late: float, named: bool) -> None:
    # 25 steps brought `late`: 100 more would bring four times as much.
    study = write_arms(tmp_path, {"none": taking(100, f1=0.7, late=late), "eda": taking(200, f1=0.74)})
    found = [concern for concern in adequacy(study, metric="macro_f1") if concern.kind == "extra steps"]
    assert [concern.arm for concern in found] == ["augment=eda"] * named
    assert not named or "extra steps alone bring +8.0 points (at the pace of its last steps)" in found[0].words
