"""How well a cheap setting (`model=minilm_probe`) ranks the arms of a factorial against full fine-tuning.

    python benchmarks/probe_ranking.py [--seeds 3] [--cheap model=minilm_probe] [--out benchmarks/probe_ranking.json] [OVERRIDE ...]

Every arm of `GRID` is run with every seed in both settings. Scores are macro F1 on test. The table holds the mean of each arm; then
Spearman's correlation of the means with a 95% interval (seeds drawn with replacement, the same for both settings, so that it
tells of new seeds, not of new arms), the same of full fine-tuning with itself (one half of the seeds against the other: what
noise alone leaves of it), and what the arm that the cheap setting picks loses under full fine-tuning.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from prepsweep.cache import Cache
from prepsweep.preflight.compose import compose_runs
from prepsweep.preflight.resolvers import register_resolvers
from prepsweep.training import train

GRID = {"augment": ["none", "eda", "duplicate"], "balance": ["none", "oversample", "undersample", "class_weights"]}
ARMS = [[f"{group}={option}" for group, option in zip(GRID, options, strict=True)] for options in product(*GRID.values())]
N_DRAWS = 2000
Scores = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", type=int, default=len(ARMS), help="only the first of them")
    parser.add_argument("--cheap", default="model=minilm_probe", help="overrides of the cheap setting, with spaces between")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("overrides", nargs="*")
    asked = parser.parse_args()
    register_resolvers()
    arms, settings = ARMS[: asked.arms], {"full": ["method=full"], "cheap": asked.cheap.split()}
    scores = {name: np.empty((len(arms), asked.seeds)) for name in settings}
    with tempfile.TemporaryDirectory() as folder:
        for seed, (number, arm), (name, setting) in product(range(asked.seeds), enumerate(arms), settings.items()):
            scores[name][number, seed] = score([*setting, *arm, f"seed={seed}", "logger=none", *asked.overrides], Path(folder))
            print(f"seed {seed} {' '.join(arm)} {name}: {scores[name][number, seed]:.4f}", flush=True)
    show(arms, scores["full"], scores["cheap"])
    if asked.out:
        found = {"arms": [" ".join(arm) for arm in arms]} | {name: values.tolist() for name, values in scores.items()}
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


def score(overrides: list[str], folder: Path) -> float:
    """Macro F1 on test of one run; all runs share a cache."""
    (cfg,) = compose_runs(overrides, multirun=False)
    with tempfile.TemporaryDirectory(dir=folder) as run_dir, contextlib.redirect_stdout(io.StringIO()):
        train(cfg, run_dir=run_dir, choices={}, cache=Cache(folder / "cache"))
        record = json.loads((Path(run_dir) / "run.json").read_text(encoding="utf-8"))
    return float(record["metrics"]["test"]["macro_f1"])


def show(arms: list[list[str]], full: Scores, cheap: Scores) -> None:
    """The arms in the order of full fine-tuning, then how far the orders agree."""
    for number in np.argsort(-full.mean(axis=1)):
        print(f"{' '.join(arms[number]):44}{full[number].mean():10.4f}{cheap[number].mean():10.4f}")
    rng, n_seeds = np.random.default_rng(0), full.shape[1]
    draws = [rng.integers(n_seeds, size=n_seeds) for _ in range(N_DRAWS)]
    low, high = np.nanquantile([agreement(full[:, draw], cheap[:, draw]) for draw in draws], [0.025, 0.975])
    print(f"Spearman of cheap and full: {agreement(full, cheap):.2f} [{low:.2f}, {high:.2f}]")
    if n_seeds > 1:
        halves = [rng.permutation(n_seeds) for _ in range(N_DRAWS)]
        itself = [agreement(full[:, order[: n_seeds // 2]], full[:, order[n_seeds // 2 :]]) for order in halves]
        print(f"Spearman of full and full, half of the seeds each: {np.nanmean(itself):.2f}")
    lost = full.mean(axis=1).max() - full.mean(axis=1)[cheap.mean(axis=1).argmax()]
    print(f"The arm that cheap picks loses {100 * lost:.2f} points of macro F1 under full")


def agreement(left: Scores, right: Scores) -> float:
    """Spearman's correlation of the arms' means; not a number where one side has all arms equal."""
    means = [side.mean(axis=1) for side in (left, right)]
    return float("nan") if any(np.ptp(mean) == 0 for mean in means) else float(spearmanr(*means).statistic)


if __name__ == "__main__":
    main()
