"""Rows that turn are found both ways and counted beside what chance turns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prepsweep.compare.flips import flips
from prepsweep.compare.records import read_studies
from tests.unit.compare.made_study import CLASSES, Rows, only_contrast, two_arms, write_predictions


def test_planted_rows_are_found_both_ways(tmp_path: Path) -> None:
    rows = Rows(60)
    wrong = (rows.labels + 1) % 3
    for seed in range(3):
        none, eda = rows.labels.copy(), rows.labels.copy()
        none[:4] = wrong[:4]  # Won in all three seeds.
        none[4] = wrong[4] if seed else rows.labels[4]  # Won in two of three.
        none[5] = wrong[5] if seed == 0 else rows.labels[5]  # Right in two of three under both: none of them.
        eda[10:12] = wrong[10:12]  # Lost.
        write_predictions(tmp_path, rows, none, choices={"augment": "none"}, seed=seed)
        write_predictions(tmp_path, rows, eda, choices={"augment": "eda"}, seed=seed)
    study = read_studies([tmp_path])
    found = flips(study, only_contrast(study), most=5)
    assert (found.contrast, found.n_rows, found.n_gained, found.n_lost) == ("augment=eda", 60, 5, 2)
    assert [row.uid for row in found.gained] == rows.uids[:5]
    assert [row.uid for row in found.lost] == rows.uids[10:12]
    clear, last = found.gained[0], found.gained[-1]
    assert (clear.label, clear.before, clear.after) == (CLASSES[rows.labels[0]], CLASSES[wrong[0]], CLASSES[rows.labels[0]])
    assert (clear.share_before, clear.share_after, clear.n_seeds) == (0.0, 1.0, 3)
    assert (last.share_before, last.share_after) == (pytest.approx(1 / 3), 1.0)
    assert (found.lost[0].before, found.lost[0].after) == (CLASSES[rows.labels[10]], CLASSES[wrong[10]])
    assert [row.uid for row in flips(study, only_contrast(study), most=2).gained] == rows.uids[:2]


def test_of_two_equal_arms_chance_explains_what_flips(tmp_path: Path) -> None:
    study = two_arms(tmp_path, Rows(2000), n_seeds=5, p_none=0.7, p_eda=0.7)
    found = flips(study, only_contrast(study))
    assert found.n_by_chance == pytest.approx((found.n_gained + found.n_lost) / 2, rel=0.2)
    assert found.n_by_chance > 50


def test_a_real_effect_flips_more_rows_than_chance(tmp_path: Path) -> None:
    rows = Rows(2000)
    better = np.zeros(2000)
    better[:300] = 0.6
    study = two_arms(tmp_path, rows, n_seeds=9, p_none=0.7 - better, p_eda=0.7)
    found = flips(study, only_contrast(study))
    assert found.n_gained > 1.5 * found.n_by_chance
    assert len(found.gained) == 10
    assert all(int(row.uid[4:], 16) < 300 for row in found.gained)
