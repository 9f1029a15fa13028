"""Effects have the coverage that they claim, whichever source of chance is the larger."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from prepsweep.compare.pseudovalues import macro_f1, per_class_f1
from prepsweep.compare.statistics import (
    Differences,
    arms_swap_p,
    bootstrap_interval,
    crossed_effect,
    holm,
    p_better,
    p_better_unpaired,
    sign_flip_p,
    unpaired_effect,
)
from prepsweep.compare.verdict import verdict


def drawn(rng: np.random.Generator, *, n_seeds: int, n_rows: int, seed: float, row: float, rest: float, effect: float = 0.0) -> Differences:
    """Differences from the crossed model: effect + seed + row + rest."""
    values = effect + rng.normal(0, seed, (n_seeds, 1)) + rng.normal(0, row, (1, n_rows)) + rng.normal(0, rest, (n_seeds, n_rows))
    return Differences(values.ravel(), np.repeat(np.arange(n_seeds), n_rows), np.tile(np.arange(n_rows), n_seeds))


@pytest.mark.parametrize("n_seeds", [2, 3, 5, 10])
@pytest.mark.parametrize(("seed", "row", "rest"), [(0.0, 0.3, 0.3), (0.1, 0.1, 0.3), (0.02, 0.3, 0.3)], ids=["rows", "seeds", "both"])
def test_intervals_cover_the_truth(n_seeds: int, seed: float, row: float, rest: float) -> None:
    rng = np.random.default_rng([n_seeds, int(100 * seed)])
    covered = 0
    for _ in range(400):
        effect = crossed_effect(drawn(rng, n_seeds=n_seeds, n_rows=200, seed=seed, row=row, rest=rest, effect=0.05))
        low, high = effect.interval()
        covered += low <= 0.05 <= high
    # Three standard errors of a share of 0.95 over 400 draws are 0.033.
    assert covered / 400 > 0.917


def test_a_t_interval_over_seeds_alone_would_not() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        by_seed = drawn(rng, n_seeds=10, n_rows=200, seed=0.0, row=0.3, rest=0.3).by_seed()
        covered += abs(by_seed.mean()) <= 2.262 * by_seed.std(ddof=1) / np.sqrt(10)
    assert covered / 200 < 0.75


def test_own_test_rows_for_each_seed_are_allowed() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        values, seeds, rows, row_luck = [], [], [], rng.normal(0, 0.3, 400)
        for seed in range(5):
            own = rng.choice(400, 100, replace=False)
            values.append(rng.normal(0, 0.02) + row_luck[own] + rng.normal(0, 0.3, 100))
            seeds.append(np.full(100, seed))
            rows.append(own)
        _, numbers = np.unique(np.concatenate(rows), return_inverse=True)
        low, high = crossed_effect(Differences(np.concatenate(values), np.concatenate(seeds), numbers)).interval()
        covered += low <= 0 <= high
    assert covered / 300 > 0.91


def test_the_bootstrap_agrees_in_width() -> None:
    rng = np.random.default_rng(1)
    differences = drawn(rng, n_seeds=10, n_rows=300, seed=0.03, row=0.2, rest=0.3)
    low, high = crossed_effect(differences).interval()
    started = time.process_time()
    lower, higher = bootstrap_interval(differences, rng=rng)
    assert time.process_time() - started < 2
    assert 0.8 < (higher - lower) / (high - low) < 1.5


def test_the_bootstrap_weighs_by_how_often_seed_and_row_are_drawn() -> None:
    rng = np.random.default_rng(2)
    values, seeds, rows = rng.normal(0, 1, 60), np.repeat([0, 1, 2], 20), np.tile(np.arange(20), 3) + 5  # Row numbers with a gap.
    kept = rng.random(60) < 0.9
    differences = Differences(values[kept], seeds[kept], rows[kept])
    means = []
    for _ in range(4000):
        row_weights = np.bincount(rng.integers(20, size=20), minlength=20)[rows[kept] - 5]
        weights = np.bincount(rng.integers(3, size=3), minlength=3)[seeds[kept]] * row_weights
        means.append(np.average(values[kept], weights=weights) if weights.any() else 0.0)
    assert bootstrap_interval(differences, rng=rng) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.05)


def test_pseudovalues_have_the_score_as_their_mean_and_its_derivative_as_their_spread() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    predictions = np.where(rng.random(300) < 0.7, labels, rng.integers(0, 3, 300))
    assert macro_f1(labels, predictions, 3).mean() == pytest.approx(f1_score(labels, predictions, average="macro"))
    assert per_class_f1(labels, predictions, 3).mean(axis=0) == pytest.approx(f1_score(labels, predictions, average=None))
    # Without row i the score moves by -(value_i - score) / n to first order: the jackknife.
    moved = [f1_score(np.delete(labels, i), np.delete(predictions, i), average="macro") for i in range(300)]
    score = f1_score(labels, predictions, average="macro")
    values = macro_f1(labels, predictions, 3)
    assert np.array(moved) - score == pytest.approx(-(values - score) / 300, abs=2e-5)


def test_a_class_that_nobody_has_or_predicts_scores_zero() -> None:
    assert per_class_f1(np.array([0, 1]), np.array([0, 1]), 3).mean(axis=0).tolist() == [1.0, 1.0, 0.0]


def test_five_seeds_cannot_reach_a_twentieth_by_their_signs() -> None:
    assert sign_flip_p(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == 2 / 2**5
    assert sign_flip_p(np.array([1.0, -1.0])) == 1.0
    assert p_better(np.array([1.0, -1.0, 0.0, 2.0])) == 0.625


@pytest.mark.parametrize("scale", [1e-14, 1.0, 1e10], ids=["small errors", "scores", "errors of prices"])
def test_signs_are_counted_alike_whatever_the_unit(scale: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert sign_flip_p(scale * abs(rng.normal(1, 0.3, 7))) == 2 / 2**7


def test_holm_steps_down() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_verdicts() -> None:
    rng = np.random.default_rng(0)
    clear = crossed_effect(drawn(rng, n_seeds=10, n_rows=500, seed=0.005, row=0.1, rest=0.1, effect=0.1))
    assert verdict(clear, p_adjusted=clear.p_value(), delta=0.01).word == "helps"
    assert verdict(clear, p_adjusted=0.2, delta=0.5).word == "equivalent"
    noisy = crossed_effect(drawn(rng, n_seeds=3, n_rows=5000, seed=0.05, row=0.05, rest=0.1))
    said = verdict(noisy, p_adjusted=1.0, delta=0.02)
    assert said.word == "needs more seeds"
    assert said.n_seeds is not None
    assert 10 < said.n_seeds < 500
    few_rows = crossed_effect(drawn(rng, n_seeds=10, n_rows=50, seed=0.0, row=0.5, rest=0.1))
    assert verdict(few_rows, p_adjusted=1.0, delta=0.01).word == "no evidence", "no number of seeds makes up for 50 rows"


def test_no_difference_at_all_is_no_effect() -> None:
    same = crossed_effect(Differences(np.zeros(20), np.repeat(np.arange(2), 10), np.tile(np.arange(10), 2)))
    assert (same.estimate, same.p_value(), same.p_within(0.01)) == (0.0, 1.0, 0.0)


# Student 1908 ("The probable error of a mean", Biometrika 6): hours of sleep that two drugs gained ten patients (Cushny & Peebles
# 1905); R's `sleep`. The pairs' t is 4.06 with 9 degrees, p 0.00283; as two samples Welch's t is 1.86 with 17.8, p 0.0794.
_DRUG_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
_DRUG_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def one_row(by_seed: np.ndarray) -> Differences:
    """Seeds without rows: what is left is the t test over seeds."""
    return Differences(by_seed, np.arange(len(by_seed)), np.zeros(len(by_seed), dtype=np.int64))


def test_students_sleep_is_a_paired_t_test() -> None:
    effect = crossed_effect(one_row(_DRUG_2 - _DRUG_1))
    assert effect.estimate == pytest.approx(1.58)
    assert effect.p_value() == pytest.approx(0.00283, abs=5e-6)
    assert effect.interval() == pytest.approx((0.7001142, 2.4598858), abs=1e-6)


def test_students_sleep_unpaired_is_welchs_test() -> None:
    effect = unpaired_effect(one_row(_DRUG_1), one_row(_DRUG_2))
    assert effect.seed_freedom == pytest.approx(17.776, abs=1e-3)
    assert effect.p_value() == pytest.approx(0.07939, abs=1e-5)
    assert effect.interval() == pytest.approx((-0.2054832, 3.3654832), abs=1e-6)
    found = stats.mannwhitneyu(_DRUG_2, _DRUG_1)
    assert p_better_unpaired(_DRUG_1, _DRUG_2) == pytest.approx(found.statistic / 100)
    assert arms_swap_p(_DRUG_1, _DRUG_2, rng=np.random.default_rng(0)) == pytest.approx(0.08, abs=0.01)


def test_the_crossed_variance_is_that_of_the_two_way_layout_in_the_mean_squares() -> None:
    rng = np.random.default_rng(4)
    table = drawn(rng, n_seeds=6, n_rows=40, seed=0.2, row=0.3, rest=0.3)
    values = table.values.reshape(6, 40)
    means, of_rows, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    ms_seed, ms_row = 40 * means.var(ddof=1), 6 * of_rows.var(ddof=1)
    ms_rest = ((values - means[:, None] - of_rows + mean) ** 2).sum() / (5 * 39)
    effect = crossed_effect(table)
    assert effect.standard_error**2 == pytest.approx((ms_seed + ms_row - ms_rest) / 240)
    satterthwaite = (ms_seed + ms_row - ms_rest) ** 2 / (ms_seed**2 / 5 + ms_row**2 / 39 + ms_rest**2 / 195)
    assert effect.degrees_of_freedom == pytest.approx(satterthwaite)


@pytest.mark.parametrize(("seed", "row"), [(0.0, 0.3), (0.1, 0.1), (0.03, 0.3)], ids=["rows", "seeds", "both"])
def test_intervals_of_arms_with_seeds_of_their_own_cover_the_truth(seed: float, row: float) -> None:
    rng = np.random.default_rng(int(100 * seed))
    covered = 0
    for _ in range(400):
        hard = rng.normal(0, 0.3, 200)  # In both arms, so that it is in no difference.
        sides = []
        for n_seeds in (4, 7):
            table = drawn(rng, n_seeds=n_seeds, n_rows=200, seed=seed, row=row / 2**0.5, rest=0.3)
            sides.append(Differences(table.values + hard[table.rows], table.seeds, table.rows))
        low, high = unpaired_effect(*sides).interval()
        covered += low <= 0 <= high
    assert covered / 400 > 0.917


def test_planning_numbers_agree_with_one_another() -> None:
    rng = np.random.default_rng(5)
    effect = crossed_effect(drawn(rng, n_seeds=5, n_rows=4000, seed=0.03, row=0.05, rest=0.1))
    needed = effect.seeds_needed(0.02)
    assert needed is not None
    assert effect.further_seeds(0.02) == needed - 5 > 0
    assert effect.minimum_detectable() > 0.02
    assert effect.seeds_needed(effect.minimum_detectable()) in (5, 6)
    assert effect.further_seeds(1.0) == 0
    assert crossed_effect(drawn(rng, n_seeds=5, n_rows=50, seed=0, row=0.5, rest=0.1)).further_seeds(0.01) is None
