"""imbalanced-learn's `sampling_strategy`, on the class counts of the train split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from prepsweep.errors import Refused, nearest
from prepsweep.randomness import draw_by_label
from prepsweep.row_classes import strata

if TYPE_CHECKING:
    import pyarrow as pa

Strategy = str | float | Mapping[str, int]
WORDS = ("auto", "minority", "majority", "not minority", "not majority", "all")
# Of each row so many new ones: what asks for more is a mistake, mostly of many rare sets of labels.
_MOST = 100


def check_strategy(strategy: Strategy, *, where: str) -> None:
    """Refuse a strategy that is none whatever the rows are."""
    if isinstance(strategy, str) and strategy not in WORDS:
        raise Refused(where, f"unknown strategy {strategy!r}", nearest(strategy, WORDS))
    if isinstance(strategy, float) and not 0 < strategy <= 1:
        raise Refused(where, f"a ratio must be above 0 and at most 1, got {strategy}", 'use "auto" for equal classes')


def sampling_targets(labels: list[str], strategy: Strategy, *, where: str, kind: str) -> dict[str, int]:
    """`{label: n_rows}` as imbalanced-learn reads `strategy`: rows to add ("over-sampling") or to keep ("under-sampling").

    Its vocabulary: "auto", "minority", "majority", "not minority", "not majority", "all", a ratio for two classes, or
    the wanted count of each class.
    """
    from imblearn.utils import check_sampling_strategy

    known = sorted(set(labels))
    unknown = sorted(set(strategy) - set(known)) if isinstance(strategy, Mapping) else []
    if unknown:
        raise Refused(where, f"names the class {unknown[0]!r}, which train does not have", "use only " + ", ".join(map(repr, known)))
    plain = dict(strategy) if isinstance(strategy, Mapping) else strategy
    try:
        return {str(label): int(n_rows) for label, n_rows in check_sampling_strategy(plain, labels, kind).items()}
    except ValueError as error:
        raise Refused(where, " ".join(str(error).split()).rstrip("."), "see imbalanced-learn's sampling_strategy") from error


def parents_to_target(table: pa.Table, strategy: Strategy, *, seed: int, stage: str) -> list[int]:
    """Places of the rows to make one new row of each, after which every class has the size that `strategy` asks for.

    The rows of a class take turns in a random order, so none is a parent twice before each was once: the spread that
    drawing with replacement adds is left out.
    """
    where = f"balance.{stage}.sampling_strategy"
    labels = strata(table).to_pylist()
    targets = sampling_targets(labels, strategy, where=where, kind="over-sampling")
    if (n_added := sum(targets.values())) > _MOST * len(table):
        what = f"would make {n_added:,} rows of {len(table):,}: there are {len(targets) + 1:,} classes or sets of them"
        raise Refused(where, what, "name the sets and their sizes, or use balance=weighted_sampler")
    drawn = draw_by_label(table.column("uid").to_pylist(), labels, seed=seed, stage=stage)
    return [rows[place % len(rows)] for label, rows in drawn.items() for place in range(targets.get(label, 0))]
