"""The test rows of a contrast under both arms, one entry for each seed and row, for what looks at single rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.compare.contrasts import Contrast, pairs_of
from prepsweep.compare.pseudovalues import Values
from prepsweep.compare.records import Run, Study
from prepsweep.compare.statistics import Differences
from prepsweep.compare.tested import Tested

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PairedRows:
    """A contrast as a table with one entry for each seed and test row, all of shape (n,).

    `seeds` and `rows` number seeds and rows from 0; `uids` is the uid of each row number. `lengths` are those under the
    baseline: how long a text is depends on how it was cleaned. `runs` are the pairs of each seed.
    """

    runs: list[list[tuple[Run, Run]]]
    seeds: NDArray[np.int64]
    rows: NDArray[np.int64]
    uids: pa.Array
    lengths: NDArray[np.int64] | None

    @property
    def classes(self) -> list[str]:
        return self.runs[0][0][0].classes

    @property
    def task(self) -> str:
        return self.runs[0][0][0].task

    def of_baseline(self, values: Callable[[Tested], Values]) -> Values:
        """`values` of the first run of each seed, for what all runs agree on, shape (n, …)."""
        return np.concatenate([values(pairs[0][0].tested) for pairs in self.runs])

    def mean(self, values: Callable[[Tested], Values], *, side: int, within: Mask | None = None) -> Values:
        """`values` of the baseline's runs (side 0) or the choice's (side 1), the settings of a seed averaged, shape (n, …).

        `within` marks the entries that `values` is to see, and n is how many there are.
        """
        found = []
        for seed, pairs in enumerate(self.runs):
            marked = None if within is None else within[self.seeds == seed]
            tested = [pair[side].tested if marked is None else pair[side].tested.only(marked) for pair in pairs]
            found.append(np.mean([values(rows) for rows in tested], axis=0))
        return np.concatenate(found)

    def difference(self, values: Callable[[Tested], Values], within: Mask | None = None) -> Values:
        """`values` under the choice less those under the baseline, shape (n, …)."""
        return self.mean(values, side=1, within=within) - self.mean(values, side=0, within=within)

    def differences(self, values: Values, mask: Mask) -> Differences:
        """`values` of the entries under `mask` as a table of seeds by rows of its own."""
        _, seeds = np.unique(self.seeds[mask], return_inverse=True)
        _, rows = np.unique(self.rows[mask], return_inverse=True)
        return Differences(values, seeds, rows)


def paired_rows(study: Study, contrast: Contrast) -> PairedRows:
    """The test rows of a contrast that is paired, and so has checked that its runs were tested on the same ones."""
    by_seed: defaultdict[str, list[tuple[Run, Run]]] = defaultdict(list)
    pairs = pairs_of(study, contrast.factor, contrast.choice, contrast.baseline)
    for seed, one, other in pairs:
        by_seed[seed].append((one, other))
    runs = list(by_seed.values())
    first = [pairs[0][0].tested for pairs in runs]
    encoded = pa.chunked_array([rows.uids for rows in first]).combine_chunks().dictionary_encode()
    lengths = [rows.lengths for rows in first if rows.lengths is not None]
    return PairedRows(
        runs=runs,
        seeds=np.repeat(np.arange(len(runs)), [len(rows.uids) for rows in first]),
        rows=np.asarray(encoded.indices.to_numpy(), dtype=np.int64),
        uids=encoded.dictionary,
        lengths=np.concatenate(lengths) if len(lengths) == len(first) else None,
    )
