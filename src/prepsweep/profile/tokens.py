"""How long the texts are in tokens of the model, without loading the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from omegaconf import DictConfig

from prepsweep.checkpoints import TOKENIZER_FILES, checkpoint_folder
from prepsweep.errors import Refused
from prepsweep.randomness import draw_order
from prepsweep.stages import stages_of

_SAMPLE = 5000
_LENGTHS = (32, 64, 128, 256, 512)


def token_facts(table: pa.Table, cfg: DictConfig) -> dict[str, Any] | None:
    """`{max_length, sampled, mean, p90, max, truncated_fraction, suggested_max_length}` of a fixed sample of 5,000 texts.

    None where the configuration has no `preprocess.tokenize`, or its model is not here and cannot be fetched, or has no
    `tokenizer.json`: a profile must not fail for a model that it does not need.
    """
    stage = next((stage for stage in stages_of(cfg, "preprocess") if stage.name == "tokenize"), None)
    if stage is None:
        return None
    try:
        folder = checkpoint_folder(cfg.model.name, revision=cfg.model.revision, patterns=TOKENIZER_FILES, where="model.name")
    except Refused:
        return None
    if not (folder / "tokenizer.json").is_file():
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    sample = draw_order(table.column("uid").to_pylist(), seed=0, stage="profile")[:_SAMPLE]
    encoded = tokenizer.encode_batch(table.column("text").take(pa.array(sample)).to_pylist())
    lengths = np.fromiter((len(text.ids) for text in encoded), np.int64, len(encoded))
    max_length = int(stage.spec["max_length"])
    return {
        "max_length": max_length,
        "sampled": len(lengths),
        "mean": round(float(lengths.mean()), 1),
        "p90": int(np.quantile(lengths, 0.9, method="inverted_cdf")),
        "max": int(lengths.max()),
        "truncated_fraction": round(float((lengths > max_length).mean()), 4),
        "suggested_max_length": next(
            (n for n in _LENGTHS if n > max_length and np.mean(lengths > n) <= 0.01), max(_LENGTHS[-1], max_length)
        ),
    }
