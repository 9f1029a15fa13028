"""States of frozen layers, computed once for each distinct window and read from the cache in every epoch, seed and arm.

Nothing below the lowest layer that is trained learns (`method=last_layers`, `method=head`, an adapter on the top layers), so
what it makes of a text stays the same. It runs without dropout, as frozen features do, whether its states are stored or not.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prepsweep.cache import Cache
from prepsweep.datamodule import PreparedData, TokenRows
from prepsweep.frozen_prefix import Prefix
from prepsweep.methods.freezing import n_frozen
from prepsweep.padded import inputs_of
from prepsweep.pretrained import hardware_of
from prepsweep.progress import track
from prepsweep.ranks import rank
from prepsweep.state_store import Store, hashes_of

# Windows that show whether the layers above make of given states what they make of computed ones.
_TRIED = 4


def read_states(model: Any, data: PreparedData, cache: Cache, *, accelerator: str) -> dict[str, Any]:
    """Have the batches of `data` bring stored states for `model`; how many windows there are, and how many were computed now.

    Nothing where no layer is frozen, the model cannot be given states, or they would fill more than half of what is left of
    the disk: then all is computed in each epoch. States are kept in float16, which is closer than bfloat16 (docs/benchmarks.md).
    Which windows share a batch can change the last bit of a state when it is computed; what is stored stays as it is.
    """
    if not (n_layers := n_frozen(model)):
        return {}
    started = time.perf_counter()
    device = "cpu" if accelerator == "cpu" else hardware_of("auto")
    model.to(f"cuda:{rank()}" if device == "cuda" else device)
    with _evaluated(model):
        prefix = Prefix(model, n_layers)
        tried = _tried(data.splits["train"])
        if not prefix.serves(inputs := _inputs(prefix, data.splits["train"], tried)):
            return {}
        width = prefix.states(inputs).shape[-1]
        hashes = {split: hashes_of(rows) for split, rows in data.splits.items()}
        key = prefix.identity()
        with cache.alone(key):
            store = Store(cache, key, (window for of_split in hashes.values() for window in of_split))
            n_computed = len(store.missing)
            todo = list(_missing(data, hashes, store.missing))
            n_places = sum(len(windows) if prefix.first_only else int(data.splits[split].lengths[windows].sum()) for split, windows in todo)
            if n_places * width * np.dtype(np.float16).itemsize > shutil.disk_usage(cache.cache_dir).free // 2:
                return {}
            store.add(_computed(prefix, data, hashes, todo))
    for split, rows in data.splits.items():
        rows.states = store.states_of(hashes[split], width)
    facts = {"layers": n_layers, "windows": len(store.where), "computed": n_computed}
    return {"frozen_prefix": facts | {"seconds": round(time.perf_counter() - started, 3)}}


@contextmanager
def _evaluated(model: Any) -> Iterator[None]:
    """The model in evaluation mode and without gradients, and then as it was."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _inputs(prefix: Prefix, rows: TokenRows, windows: Sequence[int]) -> dict[str, Tensor]:
    return {name: tensor.to(prefix.model.device) for name, tensor in inputs_of(prefix.model, rows.__getitems__(windows)).items()}


def _tried(rows: TokenRows) -> list[int]:
    """A few windows from the longest to the shortest."""
    order = np.argsort(-rows.lengths, kind="stable")
    tried: list[int] = order[np.linspace(0, len(order) - 1, _TRIED).astype(np.int64)].tolist()
    return tried


def _missing(data: PreparedData, hashes: Mapping[str, Sequence[bytes]], missing: Iterable[bytes]) -> Iterator[tuple[str, list[int]]]:
    """Batches of a split's windows, longest first, each of the missing ones once."""
    left = set(missing)
    for split, rows in data.splits.items():
        first = {window: place for place, window in reversed(list(enumerate(hashes[split]))) if window in left}
        left -= first.keys()
        places = sorted(first.values(), key=lambda place: (-rows.lengths[place], place))
        yield from ((split, places[start : start + data.eval_batch_size]) for start in range(0, len(places), data.eval_batch_size))


def _computed(
    prefix: Prefix, data: PreparedData, hashes: Mapping[str, Sequence[bytes]], batches: Sequence[tuple[str, list[int]]]
) -> Iterator[tuple[bytes, NDArray[np.float16]]]:
    for split, windows in track(batches, "frozen layers"):
        rows = data.splits[split]
        states = prefix.states(_inputs(prefix, rows, windows))
        kept = states[:, :1] if prefix.first_only else states
        for window, values in zip(windows, kept.half().cpu().numpy(), strict=True):
            yield hashes[split][window], values[: rows.lengths[window]]
