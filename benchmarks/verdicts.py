"""How often the verdict rule of `compare` errs: false verdicts where nothing helps, coverage of its intervals, and power.

    python benchmarks/verdicts.py [--studies 1000] [--arms 4] [--rows 400]

Each simulated study has a baseline and some arms that are compared with it as `compare` does: paired by seed, Holm over
the arms. A run predicts each test row right or wrong by a chance that depends on the row, the seed and the arm.
"""

from __future__ import annotations

import argparse
import itertools
import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from prepsweep.compare.pseudovalues import macro_f1
from prepsweep.compare.statistics import Differences, Effect, crossed_effect, holm
from prepsweep.compare.verdict import verdict

DELTA = 0.01
SEEDS, ROWS, POINTS = (5, 10, 20), (400, 2000), (0.5, 1, 2, 3, 5)
POWER_WORLD = "accuracy, seeds matter"
# Name: metric, shares of the classes, spread of an arm's and seed's luck in logits, degrees of freedom of that luck,
# and how far an arm changes single rows beyond its mean, in logits.
World = tuple[str, tuple[float, ...], float, float, float]
WORLDS: dict[str, World] = {
    "accuracy, seeds alike": ("accuracy", (0.5, 0.5), 0.02, math.inf, 0.0),
    POWER_WORLD: ("accuracy", (0.5, 0.5), 0.15, math.inf, 0.3),
    "accuracy, heavy-tailed seeds": ("accuracy", (0.5, 0.5), 0.1, 2.5, 0.3),
    "accuracy, rows matter": ("accuracy", (0.5, 0.5), 0.02, math.inf, 1.0),
    "macro F1, classes 90/8/2": ("macro_f1", (0.9, 0.08, 0.02), 0.1, math.inf, 0.3),
    "macro F1, 90/8/2, heavy-tailed": ("macro_f1", (0.9, 0.08, 0.02), 0.1, 2.5, 0.3),
}
RARE_WORLD: World = ("macro_f1", (0.5, 0.5, 0.0), 0.1, math.inf, 2.0)
RARE = (1, 2, 3, 5, 10, 30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--arms", type=int, default=4)
    parser.add_argument("--rows", type=int, default=400)
    asked = parser.parse_args()
    null = partial(null_line, n_studies=asked.studies, n_arms=asked.arms, n_rows=asked.rows)
    with ProcessPoolExecutor() as pool:
        print("| no arm helps | seeds | any false verdict | coverage of 95% | false equivalent at δ |\n|---|---|---|---|---|")
        for line in pool.map(null, *zip(*itertools.product(WORLDS, SEEDS), strict=True)):
            print(line, flush=True)
        print(f"\n| {POWER_WORLD} | {' | '.join(f'+{points:g}' for points in POINTS)} points |\n|---|{'---|' * len(POINTS)}")
        for line in pool.map(partial(power_line, n_studies=asked.studies // 2), *zip(*itertools.product(ROWS, SEEDS), strict=True)):
            print(line, flush=True)
        print(f"\n| test rows of the third class | {' | '.join(map(str, RARE))} |\n|---|{'---|' * len(RARE)}")
        shares = pool.map(partial(rare_share, n_studies=asked.studies, n_rows=asked.rows), RARE)
        print(f"| false verdicts | {' | '.join(f'{share:.0%}' for share in shares)} |")


def rare_share(n_rare: int, *, n_studies: int, n_rows: int) -> float:
    """Share of studies of one arm and five seeds with a false verdict where the test has so many rows of its third class."""
    rng = np.random.default_rng(n_rare)
    effects = [study(rng, RARE_WORLD, n_seeds=5, n_rows=n_rows, gains=[0.0], n_rare=n_rare)[0] for _ in range(n_studies)]
    return float(np.mean([effect.p_value() <= 0.05 for effect in effects]))


def null_line(world: str, n_seeds: int, *, n_studies: int, n_arms: int, n_rows: int) -> str:
    """Of studies in which no arm differs from the baseline: how many have a false verdict, how many intervals hold 0.

    And of studies in which every arm differs by δ exactly, the intervals moved, how many call an arm equivalent.
    """
    rng = np.random.default_rng([n_seeds, *world.encode()])
    false, covered, equivalent = 0, 0, 0
    for _ in range(n_studies):
        effects = study(rng, WORLDS[world], n_seeds=n_seeds, n_rows=n_rows, gains=[0.0] * n_arms)
        adjusted = holm([effect.p_value() for effect in effects])
        words = [verdict(effect, p_adjusted=p, delta=DELTA).word for effect, p in zip(effects, adjusted, strict=True)]
        false += any(word in ("helps", "hurts") for word in words)
        covered += sum(low <= 0 <= high for low, high in (effect.interval() for effect in effects))
        equivalent += sum(moved(effect).p_within(DELTA) <= 0.05 for effect in effects)
    shares = (false / n_studies, covered / (n_studies * n_arms), equivalent / (n_studies * n_arms))
    return f"| {world} | {n_seeds} | " + " | ".join(f"{share:.1%}" for share in shares) + " |"


def moved(effect: Effect) -> Effect:
    return replace(effect, estimate=effect.estimate + DELTA)


def power_line(n_rows: int, n_seeds: int, *, n_studies: int) -> str:
    """Share of studies of one arm that find an effect of so many points of accuracy."""
    shares = []
    for points in POINTS:
        rng = np.random.default_rng([n_seeds, n_rows, int(10 * points)])
        effects = [study(rng, WORLDS[POWER_WORLD], n_seeds=n_seeds, n_rows=n_rows, gains=[points / 100])[0] for _ in range(n_studies)]
        shares.append(np.mean([effect.p_value() <= 0.05 and effect.estimate > 0 for effect in effects]))
    return f"| {n_seeds} seeds, {n_rows} rows | {' | '.join(f'{share:.0%}' for share in shares)} |"


def study(rng: np.random.Generator, world: World, *, n_seeds: int, n_rows: int, gains: list[float], n_rare: int = 0) -> list[Effect]:
    """Effects of the arms of one study; `gains` are in score, near the mean chance of 0.8.

    With `n_rare` so many rows are of the last class, and no others are taken for it.
    """
    metric, shares, spread, freedom, by_row = world
    n_arms = len(gains) + 1
    labels = rng.choice(len(shares), n_rows, p=shares)
    labels[:n_rare] = len(shares) - 1
    hard = rng.normal(1.9, 1.6, n_rows)
    luck = rng.standard_normal((n_arms, n_seeds)) if math.isinf(freedom) else rng.standard_t(freedom, (n_arms, n_seeds))
    changed = by_row * rng.standard_normal((n_arms, n_rows))
    # A logit moves the mean chance by about its slope there.
    slope = float(np.mean(chance(hard) * (1 - chance(hard))))
    logits = hard + spread * luck[:, :, None] + changed[:, None, :] + np.array([0.0, *gains])[:, None, None] / slope
    # A part of a seed's draw is the same in all arms, as runs of one model have it.
    shared = rng.random((1, n_seeds, n_rows)) < 0.5
    drawn = np.where(shared, rng.random((1, n_seeds, n_rows)), rng.random((n_arms, n_seeds, n_rows)))
    wrong = (labels + rng.integers(1, len(shares), (n_arms, n_seeds, n_rows))) % len(shares)
    if n_rare:
        wrong = np.where(labels < len(shares) - 1, 1 - labels, wrong)
    predictions = np.where(drawn < chance(logits), labels, wrong)
    values = np.array([[scored(metric, labels, run, len(shares)) for run in arm] for arm in predictions])
    seeds, rows = np.repeat(np.arange(n_seeds), n_rows), np.tile(np.arange(n_rows), n_seeds)
    return [crossed_effect(Differences((arm - values[0]).ravel(), seeds, rows)) for arm in values[1:]]


def scored(metric: str, labels: NDArray[np.int64], predictions: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    return macro_f1(labels, predictions, n_classes) if metric == "macro_f1" else (labels == predictions).astype(np.float64)


def chance(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logits))


if __name__ == "__main__":
    main()
