"""The rows of all splits, with what several guards need computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.leaks.near import Rarest, rarest_runs
from prepsweep.leaks.words import Mask, Numbers, Stream, codes, folded, stream_of
from prepsweep.schema import SPLITS, text_columns
from prepsweep.text import as_one, whole_texts

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
        """A number for each distinct text, or pair of texts."""
        return codes(whole_texts(self.table))

    @cached_property
    def folded(self) -> Numbers:
        """A number for each distinct text (or pair) but for case, space, punctuation and normal form; -1 where nothing is left."""
        bare = [folded(self.table.column(name)) for name in self._read]
        nothing = np.all([pc.equal(texts, "").to_numpy() for texts in bare], axis=0)
        return np.where(nothing, -1, codes(as_one(bare)))

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
        """The tokens of every row, those of a pair one text after the other."""
        read = [self.table.column(name) for name in self._read]
        return stream_of(read[0] if len(read) == 1 else pc.binary_join_element_wise(*read, "\n"))

    @cached_property
    def words(self) -> list[Stream]:
        """The words of every row, for each of its texts apart."""
        if len(self._read) == 1:
            return [self.tokens.words]
        return [stream_of(self.table.column(name)).words for name in self._read]

    @cached_property
    def rarest(self) -> Rarest:
        """What rows that are nearly the same have in common."""
        return rarest_runs(self.tokens.words)

    @property
    def _read(self) -> list[str]:
        return text_columns(self.table.column_names)

    def uids(self, rows: Numbers) -> list[str]:
        """Uids of the rows at these positions."""
        found: list[str] = self.table.column("uid").take(pa.array(rows)).to_pylist()
        return found

    def splits_of(self, rows: Numbers | Mask) -> list[str]:
        """The splits that rows are in, in their order."""
        there = set(self.table.column("split").to_numpy()[rows])
        return [name for name in SPLITS if name in there]
