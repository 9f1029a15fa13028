"""imbalanced-learn's `sampling_strategy`, on the class counts of the train split."""

from __future__ import annotations

from collections.abc import Mapping

from prepsweep.errors import Refused, nearest

Strategy = str | float | Mapping[str, int]


WORDS = ("auto", "minority", "majority", "not minority", "not majority", "all")


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
