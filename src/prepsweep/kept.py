"""Vectors that several stages need of the same texts, kept in the stage cache: another threshold does not pay for them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.identity import content_hash, stage_key
from prepsweep.lineage import dataset_of, table_of

if TYPE_CHECKING:
    from prepsweep.cache import Cache

Vectors = NDArray[np.float32]
_cache: ContextVar[Cache | None] = ContextVar("_cache", default=None)


@contextmanager
def kept_in(cache: Cache) -> Iterator[None]:
    """What is asked of `vectors` in the meantime is looked up in this cache, and put there."""
    token = _cache.set(cache)
    try:
        yield
    finally:
        _cache.reset(token)


def vectors(
    compute: Callable[[Sequence[str]], Vectors], texts: Sequence[str], *, spec: Mapping[str, Any], files: Callable[[], Mapping[str, str]]
) -> Vectors:
    """`compute(texts)`, shape (n, d), which `spec` (its `_target_` and arguments) and the content hashes of `files()` decide.

    All texts are one entry: the last bits of a vector depend on the texts beside it, and a result must not depend on what
    was computed before.
    """
    cache = _cache.get()
    if cache is None:
        return compute(texts)
    key = stage_key(parent=content_hash(pa.table({"text": pa.array(texts, pa.string())})), spec=spec, seed=None, files=files())
    with cache.alone(key):
        entry = cache.find(key)
        if entry is None:
            found = compute(texts)
            flat = pa.FixedSizeListArray.from_arrays(pa.array(found.reshape(-1)), found.shape[1])
            rows = dataset_of(pa.table({"vector": flat}))
            entry = cache.store(key, {"name": "vectors", "group": "embeddings"}, rows, rows.select([]))
    column = table_of(entry.rows).column("vector").combine_chunks()
    return np.asarray(column.flatten().to_numpy().reshape(len(texts), -1), dtype=np.float32)
