"""A batch computed in groups of rows of about one length: the batch stays a random one, and little of it is padding.

Batches of rows that are alike in length waste nothing either, but where length goes with the class (plot summaries are longer
than opinions) they are batches of one class, and training suffers for it: docs/benchmarks.md has the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prepsweep.padded import STATES

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# What a call of the model costs besides its tokens, in tokens. Measured on a CPU (MiniLM, forward and backward: 25 to 50);
# on a GPU, where a short call is all waiting, a whole batch of short texts must be one call.
_CALL = {"cpu": 32}
_CALL_ELSEWHERE = 4096


def cuts(lengths: NDArray[Any], *, call: int) -> list[int]:
    """Where to cut rows that are sorted by length, longest first, so that the tokens computed and `call` for each group are least.

    Group i is rows cuts[i] to cuts[i + 1]. Exact, by dynamic programming over the last cut.
    """
    n_rows = len(lengths)
    starts = np.arange(n_rows)
    cost, last = np.zeros(n_rows + 1), np.zeros(n_rows + 1, dtype=np.int64)
    for stop in range(1, n_rows + 1):
        costs = cost[:stop] + lengths[:stop] * (stop - starts[:stop]) + call
        last[stop] = costs.argmin()
        cost[stop] = costs[last[stop]]
    found = [n_rows]
    while found[-1]:
        found.append(int(last[found[-1]]))
    return found[::-1]


def groups(mask: Tensor) -> list[tuple[slice, slice]]:
    """Rows and places of each group of a batch, longest rows first, whose tokens stand left in `mask` (n_rows, longest)."""
    call = _CALL.get(mask.device.type, _CALL_ELSEWHERE)
    whole = [(slice(0, len(mask)), slice(0, mask.shape[1]))]
    if mask.numel() <= call:
        return whole
    lengths = mask.sum(dim=1).cpu().numpy()
    return [(slice(start, stop), slice(0, int(lengths[start]))) for start, stop in pairwise(cuts(lengths, call=call))]


def logits_by_length(model: Module, inputs: dict[str, Tensor]) -> Tensor:
    """The model's logits of a batch, group by group; those of single tokens filled up with zeros to the longest row."""
    import torch

    found = [logits for _, logits in each_group(model, inputs)]
    if len(found) == 1 or found[0].ndim == 2:
        return torch.cat(found)
    longest = inputs["input_ids"].shape[1]
    return torch.cat([torch.nn.functional.pad(one, (0, 0, 0, longest - one.shape[1])) for one in found])


def each_group(model: Module, inputs: dict[str, Tensor]) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
    """Rows and places of each group of a batch, with the model's logits of it."""
    first_only = STATES in inputs and inputs[STATES].shape[1] == 1
    parts = [] if first_only else groups(inputs["attention_mask"])
    if len(parts) < 2:
        yield (slice(None), slice(None)), _logits(model, inputs)
        return
    with _looked_up_once(model, inputs["input_ids"]) as use:
        for part in parts:
            use(part)
            yield part, _logits(model, {name: given[part] for name, given in inputs.items()})


def _logits(model: Module, inputs: dict[str, Tensor]) -> Tensor:
    logits: Tensor = model(**inputs).logits
    return logits


@contextmanager
def _looked_up_once(model: Any, ids: Tensor) -> Iterator[Any]:
    """Word embeddings of the whole batch, of which each group is given its part.

    Looking them up group by group would give a gradient of the size of the vocabulary for each, which costs as much as the group.
    """
    table = model.get_input_embeddings()
    embedded = table(ids)
    part: tuple[slice, slice] = (slice(None), slice(None))

    def use(chosen: tuple[slice, slice]) -> None:
        nonlocal part
        part = chosen

    # Not `inputs_embeds`: models that find the end of a text by its ids would not find it.
    table.forward = lambda asked: embedded[part] if asked.shape == ids[part].shape else type(table).forward(table, asked)
    try:
        yield use
    finally:
        del table.forward
