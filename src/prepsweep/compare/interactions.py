"""Whether two choices together are worth more or less than both alone add up to."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from prepsweep.compare.baselines import choices_of
from prepsweep.compare.contrasts import FEWEST_ROWS, Scores, by_seed_of, cells_of, table, together
from prepsweep.compare.records import Study
from prepsweep.compare.statistics import Effect, crossed_effect, holm, sign_flip_p
from prepsweep.compare.verdict import Verdict, verdict

_FEWEST_SEEDS = 2
# Signs of the four cells in a sum over seed and row: neither choice, a alone, b alone, both.
_INTERACTION, _A_WITHOUT_B, _A_WITH_B = (1, -1, -1, 1), (-1, 1, 0, 0), (0, 0, -1, 1)


@dataclass(frozen=True)
class Interaction:
    """Two choices of two factors, each beside its baseline, in the seeds that all four cells were run with.

    `effect` is what a adds beside b less what it adds without b, which is the same with a and b swapped: above 0 the two
    are worth more together than both alone add up to. `effect_a_without_b` and `effect_a_with_b` are the two simple
    effects that it is the difference of. Other factors are averaged over the settings that all four cells were run in.
    `by_seed` is `effect` in each seed, `p_permutation` the p of its signs (`sign_flip_p`); `p_adjusted` is over all
    interactions of the study (Holm), a family of their own beside that of the contrasts.
    """

    factor_a: str
    choice_a: str
    baseline_a: str
    factor_b: str
    choice_b: str
    baseline_b: str
    n_seeds: int
    effect: Effect
    effect_a_without_b: Effect
    effect_a_with_b: Effect
    by_seed: dict[str, float]
    p_permutation: float
    p_adjusted: float
    delta: float

    @property
    def name(self) -> str:
        """Both choices as the command line writes them."""
        return f"{self.factor_a}={self.choice_a} {self.factor_b}={self.choice_b}"

    @property
    def verdict(self) -> Verdict:
        """As for a contrast: "helps" where the two help each other, "hurts" where each takes from the other."""
        return verdict(self.effect, p_adjusted=self.p_adjusted, delta=self.delta)


def interactions(study: Study, *, metric: str, delta: float, baselines: Mapping[str, str]) -> list[Interaction]:
    """One for every two choices of two factors whose four cells share two seeds or more; the others are not in a factorial sweep."""
    scores = Scores(metric)
    found: list[Interaction] = []
    for (factor_a, (base_a, choices_a)), (factor_b, (base_b, choices_b)) in itertools.combinations(choices_of(study, baselines).items(), 2):
        for choice_a, choice_b in itertools.product(choices_a, choices_b):
            cells = [(base_a, base_b), (choice_a, base_b), (base_a, choice_b), (choice_a, choice_b)]
            runs = together([cells_of(study, {factor_a: a, factor_b: b}) for a, b in cells])
            if len({seed for seed, _ in runs}) < _FEWEST_SEEDS or len(runs[0][1][0].tested.uids) < FEWEST_ROWS:
                continue
            tables = [table(by_seed_of(runs, signs), scores) for signs in (_INTERACTION, _A_WITHOUT_B, _A_WITH_B)]
            effect, without_b, with_b = map(crossed_effect, tables)
            by_seed = tables[0].by_seed()
            found.append(
                Interaction(
                    factor_a=factor_a,
                    choice_a=choice_a,
                    baseline_a=base_a,
                    factor_b=factor_b,
                    choice_b=choice_b,
                    baseline_b=base_b,
                    n_seeds=effect.n_seeds,
                    effect=effect,
                    effect_a_without_b=without_b,
                    effect_a_with_b=with_b,
                    by_seed=dict(zip(dict(runs), by_seed.tolist(), strict=True)),
                    p_permutation=sign_flip_p(by_seed, rng=np.random.default_rng(0)),
                    p_adjusted=effect.p_value(),
                    delta=delta,
                )
            )
    adjusted = holm([one.effect.p_value() for one in found])
    return [replace(one, p_adjusted=p) for one, p in zip(found, adjusted, strict=True)]
