"""A run that is too large for its device, tried again with less of each batch computed at a time."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import TypeVar

from prepsweep.errors import Refused
from prepsweep.launch.child import ran_out_of_memory
from prepsweep.launch.scheduler import MOST_ATTEMPTS

Score = TypeVar("Score")


def within_memory(train: Callable[[int], Score]) -> Score:
    """What `train(n_parts)` gives for the smallest of 1, 2, 4 and 8 parts of a batch that the device has room for.

    The batch stays what it was: the gradients of its parts are added up. Refused where an eighth of it has no room either.
    """
    for attempt in range(MOST_ATTEMPTS):
        try:
            return train(2**attempt)
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
        # Here the error is gone, and with it what held the model.
        _free()
        if attempt + 1 < MOST_ATTEMPTS:
            print(f"out of memory, again with 1/{2 ** (attempt + 1)} of the batch at a time", file=sys.stderr)
    what = f"the device has no room for 1/{2 ** (MOST_ATTEMPTS - 1)} of a batch"
    raise Refused("model.batch_size", what, "choose a smaller preprocess.tokenize.max_length, method=lora, or a smaller model")


def _free() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
