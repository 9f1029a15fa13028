"""Vectors are computed once for the same texts and the same encoder, whoever asks, and never for others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from prepsweep.cache import Cache
from prepsweep.kept import kept_in, vectors

TEXTS = ["good film", "", "好看", "a\u2028b"]


class Encoder:
    """Counts how often it is asked."""

    n_calls = 0

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.n_calls += 1
        return np.array([[len(text), self.n_calls] for text in texts], dtype=np.float32)


def asked(encoder: Encoder, texts: list[str], max_length: int = 8, content: str = "a") -> NDArray[np.float32]:
    spec = {"_target_": "prepsweep.embeddings.embed", "max_length": max_length}
    return vectors(encoder, texts, spec=spec, files=lambda: {"model.safetensors": content})


def test_the_same_texts_are_encoded_once_by_all_processes_that_share_a_cache(tmp_path: Path) -> None:
    encoder = Encoder()
    for _ in range(3):
        with kept_in(Cache(tmp_path)):
            assert asked(encoder, TEXTS).tolist() == [[9, 1], [0, 1], [2, 1], [3, 1]]
    assert encoder.n_calls == 1


@pytest.mark.parametrize("other", [{"texts": TEXTS[:2]}, {"texts": TEXTS[::-1]}, {"max_length": 9}, {"content": "b"}], ids=str)
def test_another_text_length_or_model_is_encoded_anew(tmp_path: Path, other: dict[str, Any]) -> None:
    encoder = Encoder()
    with kept_in(Cache(tmp_path)):
        asked(encoder, TEXTS)
        asked(encoder, **{"texts": TEXTS} | other)
    assert encoder.n_calls == 2


def test_nothing_is_kept_where_no_cache_is_open_or_nothing_may_be_written_yet(tmp_path: Path) -> None:
    encoder = Encoder()
    asked(encoder, TEXTS)
    cache = Cache(tmp_path, deferred=True)
    with kept_in(cache):
        asked(encoder, TEXTS)
        asked(encoder, TEXTS)
    assert encoder.n_calls == 2
    assert list(tmp_path.iterdir()) == []
    cache.flush()
    with kept_in(Cache(tmp_path)):
        asked(encoder, TEXTS)
    asked(encoder, TEXTS)
    assert encoder.n_calls == 3
