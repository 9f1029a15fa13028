"""What an arm costs is what it would cost alone and with an empty cache; the front holds what nothing beats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from prepsweep.compare.costs import ArmCost, costs
from tests.unit.compare.made_study import write_arms


def arm(f1: float, *, train: float, prepare: float = 1.0, stages: Sequence[float] = ()) -> Callable[[int], dict[str, Any]]:
    """A run with this score and seconds; of its stages those that they took when they were computed."""
    return lambda seed: {
        "metrics": {"test": {"macro_f1": f1 + seed / 100, "confusion": [[1]]}},
        "data": {"stages": [{"seconds": seconds} for seconds in stages]},
        "cost": {"prepare_seconds": prepare, "train_seconds": train},
    }


def of(folder: Path, arms: dict[str, Callable[[int], dict[str, Any]]], **baselines: str) -> dict[str, ArmCost]:
    return {one.arm: one for one in costs(write_arms(folder, arms, n_seeds=3), metric="macro_f1", baselines=baselines)}


def test_a_point_has_a_price(tmp_path: Path) -> None:
    found = of(tmp_path, {"none": arm(0.70, train=10.0), "eda": arm(0.75, train=20.0, prepare=1.0)})
    none, eda = found["augment=none"], found["augment=eda"]
    assert (none.gain, none.seconds_per_point) == (None, None)
    assert eda.gain == pytest.approx(0.05)
    assert eda.seconds_per_point == pytest.approx(2.0), "ten seconds for five points"
    assert (eda.n_runs, eda.mean, eda.sd, eda.steps, eda.examples_seen) == (3, pytest.approx(0.76), pytest.approx(0.01), 100, 1600)


def test_what_the_cache_saved_is_part_of_the_cost_and_counted_once(tmp_path: Path) -> None:
    arms = {
        "none": arm(0.70, train=10.0),
        "cached": arm(0.75, train=10.0, prepare=0.5, stages=[40.0, 0.25]),
        "computed": arm(0.75, train=10.0, prepare=41.0, stages=[40.0, 0.25]),
    }
    found = of(tmp_path, arms)
    assert [found[f"augment={name}"].prepare_seconds for name in arms] == [1.0, 40.25, 41.0]
    assert found["augment=cached"].seconds == 50.25


def test_nothing_on_the_front_is_beaten(tmp_path: Path) -> None:
    arms = {"none": arm(0.70, train=10.0), "eda": arm(0.75, train=20.0), "slow": arm(0.74, train=30.0), "dear": arm(0.80, train=90.0)}
    found = of(tmp_path, arms | {"twin": arm(0.75, train=20.0)})
    assert {name for name, one in found.items() if one.pareto} == {f"augment={name}" for name in ("none", "eda", "twin", "dear")}
    assert found["augment=slow"].seconds_per_point is not None


def test_a_loss_has_no_price_and_the_baseline_may_be_another(tmp_path: Path) -> None:
    found = of(tmp_path, {"none": arm(0.70, train=10.0), "eda": arm(0.75, train=20.0)}, augment="eda")
    assert found["augment=none"].gain == pytest.approx(-0.05)
    assert found["augment=none"].seconds_per_point is None
