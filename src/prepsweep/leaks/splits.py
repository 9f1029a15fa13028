"""The rows of all splits, with what several guards need computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.leaks.words import Mask, Numbers, Stream, codes, folded, stream_of
from prepsweep.schema import SPLITS

# Of each pair rows of the later one are counted: those are what a score or a choice rests on.
PAIRS = tuple(combinations(SPLITS, 2))


@dataclass(frozen=True)
class Splits:
    """Rows that have a split each."""

    table: pa.Table

    @cached_property
    def rows(self) -> dict[str, Numbers]:
        """Positions of the rows of each split."""
        split = self.table.column("split").combine_chunks()
        return {name: np.flatnonzero(pc.equal(split, name).to_numpy(zero_copy_only=False)) for name in SPLITS}

    @cached_property
    def texts(self) -> Numbers:
        """A number for each distinct text."""
        return codes(self.table.column("text"))

    @cached_property
    def folded(self) -> Numbers:
        """A number for each distinct text but for case, space, punctuation and normal form; -1 where nothing is left."""
        bare = folded(self.table.column("text"))
        return np.where(pc.equal(bare, "").to_numpy(), -1, codes(bare))

    @cached_property
    def labels(self) -> Numbers:
        """A number for each class, in the order of `classes`."""
        return np.asarray(pc.index_in(self.table.column("label"), pa.array(self.classes)).to_numpy(), dtype=np.int64)

    @cached_property
    def classes(self) -> list[str]:
        """The classes, sorted."""
        return sorted(pc.unique(self.table.column("label")).to_pylist())

    @cached_property
    def tokens(self) -> Stream:
        """The tokens of every row."""
        return stream_of(self.table.column("text"))

    def uids(self, rows: Numbers) -> list[str]:
        """Uids of the rows at these positions."""
        found: list[str] = self.table.column("uid").take(pa.array(rows)).to_pylist()
        return found

    def splits_of(self, rows: Numbers | Mask) -> list[str]:
        """The splits that rows are in, in their order."""
        there = set(self.table.column("split").to_numpy()[rows])
        return [name for name in SPLITS if name in there]
