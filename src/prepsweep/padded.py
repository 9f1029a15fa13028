"""Lists of numbers as padded rows, and what of a padded batch a model is given."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.preprocess.tokenize import TYPES

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# Hidden states that a batch brings along, see `frozen_prefix`.
STATES = "states"


@dataclass(frozen=True)
class Lists:
    """A column of lists of numbers over Arrow's own memory: list `i` is `values[offsets[i]:offsets[i + 1]]`."""

    offsets: NDArray[Any]
    values: NDArray[Any]

    @classmethod
    def of(cls, column: pa.ListArray) -> Lists:
        return cls(column.offsets.to_numpy(), column.values.to_numpy())

    def n_at_least(self, least: int) -> NDArray[np.int64]:
        """How many numbers of each list are at least that; no list is empty."""
        found = np.add.reduceat(self.values[: self.offsets[-1]] >= least, self.offsets[:-1], dtype=np.int64)
        return np.asarray(found)

    def padded(
        self, places: Sequence[int] | NDArray[Any], lengths: NDArray[Any], padding: int, width: int | None = None
    ) -> NDArray[np.int64]:
        """The lists at `places`, which have these lengths, as rows (n_places, longest, or `width`)."""
        rows = np.full((len(places), int(lengths.max()) if width is None else width), padding, dtype=np.int64)
        for row, (place, length) in enumerate(zip(places, lengths, strict=True)):
            rows[row, :length] = self.values[self.offsets[place] : self.offsets[place] + length]
        return rows


def inputs_of(model: Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """What of a batch the model is given; `token_type_ids` only where it has an embedding for a second text (BERT, not RoBERTa)."""
    names = ["input_ids", "attention_mask"]
    inner: Any = getattr(model, "get_base_model", lambda: model)()
    if TYPES in batch and TYPES in inspect.signature(inner.forward).parameters and getattr(inner.config, "type_vocab_size", 2) > 1:
        names.append(TYPES)
    if STATES in batch:
        names.append(STATES)
    return {name: batch[name] for name in names}
