"""How far the annotators of a crowd agree, each number with its interval over rows drawn anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prepsweep.annotate.agreement import Level, alpha_of_counts, bootstrap_interval, cohen_kappa, fleiss_kappa
from prepsweep.annotate.ballots import Ballots
from prepsweep.errors import Refused

_WHERE = "annotate.crowd"
# Pairs of annotators are compared where they share so many rows; of more pairs the ones that share most are told.
_MIN_SHARED = 10
_MAX_PAIRS = 5
_RESAMPLES = 1000


def agreement(ballots: Ballots, *, level: Level | str, order: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    """Name of a statistic → its `value`, 95% interval (`low`, `high`) and `n_rows`; what cannot be computed is left out.

    Krippendorff's alpha of all, Fleiss' kappa where each labelled row has the same number of labels, Cohen's kappa of pairs
    of annotators who share rows.
    """
    counts = ballots.counts()
    several = counts[counts.sum(axis=1) > 1]
    values = _values(ballots.classes, str(level), order)
    places = np.argsort(values, kind="stable")
    ranked, sizes = several[:, places], several.sum(axis=1)

    def alpha(rows: NDArray[np.intp]) -> float:
        return alpha_of_counts(ranked[rows], values=values[places], level=level)  # type: ignore[arg-type]

    found = {f"Krippendorff alpha ({level})": _with_interval(alpha, len(ranked))}
    if len(sizes) and sizes.min() == sizes.max():
        found["Fleiss kappa"] = _with_interval(lambda rows: fleiss_kappa(several[rows]), len(several))
    for (one, other), (first, second) in _pairs(ballots):
        name = f"Cohen kappa {ballots.names[one]} / {ballots.names[other]}"
        found[name] = _with_interval(lambda rows, a=first, b=second: cohen_kappa(a[rows], b[rows]), len(first))  # type: ignore[misc]
    return {name: told for name, told in found.items() if told is not None}


def _with_interval(statistic: Callable[[NDArray[np.intp]], float], n_rows: int) -> dict[str, Any] | None:
    value = statistic(np.arange(n_rows)) if n_rows else math.nan
    if math.isnan(value):
        return None
    low, high = bootstrap_interval(statistic, n_rows, seed=0, n_resamples=_RESAMPLES)
    return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4), "n_rows": n_rows}


def _pairs(ballots: Ballots) -> list[tuple[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]]]:
    """The pairs of annotators who share most rows, with the labels of both on these; few annotators are compared all with all."""
    n_labels = np.bincount(ballots.voters, minlength=len(ballots.names))
    busiest = sorted(range(len(ballots.names)), key=lambda place: (-n_labels[place], place))[: 2 * _MAX_PAIRS]
    of = {
        voter: dict(zip(ballots.rows[m].tolist(), ballots.codes[m].tolist(), strict=True))
        for voter in busiest
        if (m := ballots.voters == voter).any()
    }
    shared = [(one, other, sorted(of[one].keys() & of[other].keys())) for one, other in combinations(sorted(of), 2)]
    most = sorted((pair for pair in shared if len(pair[2]) >= _MIN_SHARED), key=lambda pair: (-len(pair[2]), pair[:2]))[:_MAX_PAIRS]
    return [
        ((one, other), (np.array([of[one][row] for row in rows]), np.array([of[other][row] for row in rows]))) for one, other, rows in most
    ]


def _values(classes: Sequence[str], level: str, order: Sequence[str] | None) -> NDArray[np.float64]:
    """The classes as numbers: by their place in `order`, or as the numbers that they are."""
    if order is not None:
        if unknown := sorted(set(classes) - set(order)):
            raise Refused(f"{_WHERE}.order", f"the class {unknown[0]!r} has no place in it", "list all classes, lowest first")
        return np.array([list(order).index(name) for name in classes], dtype=np.float64)
    if level == "nominal":
        return np.arange(len(classes), dtype=np.float64)
    try:
        return np.array([float(name) for name in classes])
    except ValueError as error:
        raise Refused(
            f"{_WHERE}.order", f"level={level} needs an order, and the classes are no numbers", "list the classes, lowest first"
        ) from error
