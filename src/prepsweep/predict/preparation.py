"""The text that a model reads: cleaned and tokenised as in training, no row dropped, none out of its place."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from prepsweep import text as text_module
from prepsweep.errors import Refused
from prepsweep.preprocess.tokenize import cut, windows
from prepsweep.pretrained import longest_read, n_places
from prepsweep.schema import UNSPLIT, source_table, text_columns
from prepsweep.targets import refuse_foreign

PREPARATION_FILE = "preparation.json"
# What a stage that rewrites texts has from `prepsweep.text`.
_REWRITERS = (text_module, text_module.rewrite, text_module.with_texts)
# Of a checkpoint that says nothing: BERT's.
_MAX_LENGTH = 512


@dataclass(frozen=True)
class Preparation:
    """How a model's training cleaned and cut its texts, in which arithmetic it was tested, and what was decided on dev."""

    clean: Mapping[str, Any]
    max_length: int
    stride: int | None
    pairs: bool | None
    precision: str
    decision: Mapping[str, float]

    @classmethod
    def of(cls, folder: Path, tokenizer: Any, model: Any) -> Preparation:
        """What `preparation.json` says; of a folder without one, texts as they are, cut where the model ends."""
        file = folder / PREPARATION_FILE
        if not file.is_file():
            return cls({}, longest_read(model, min(tokenizer.model_max_length, _MAX_LENGTH)), None, None, "32-true", {})
        try:
            facts = json.loads(file.read_bytes())
            tokenize = facts["preprocess"]["tokenize"]
            stride = tokenize["stride"] if tokenize["truncation"] == "window" else None
            decision = facts.get("decision", {})
            # No row of training was as long as `max_length` where the model has fewer places.
            length = min(tokenize["max_length"], n_places(model) or math.inf)
            return cls(rewriting(facts["clean"]), length, stride, facts["pairs"], facts["precision"], decision)
        except Refused:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"cannot be read ({type(error).__name__}: {error})"
            raise Refused(str(file), what, "name the model of a run of this version, or train it again") from error

    def cleaned(self, table: pa.Table) -> pa.Table:
        """`table` (columns `text`, perhaps `text_pair`) after every stage that rewrites texts; what they drop stays."""
        if not self.clean:
            return table
        from omegaconf import OmegaConf

        from prepsweep.lineage import dataset_of, table_of
        from prepsweep.stages import stages_of

        names = text_columns(table.column_names)
        n_rows = len(table)
        nothing = pa.repeat(pa.scalar(UNSPLIT), n_rows)
        further = {name: table.column(name) for name in names[1:]}
        rows = dataset_of(source_table(table.column("text"), nothing, nothing, further))
        cfg = OmegaConf.create({"clean": dict(self.clean), "seeds": {"split": 0, "data": 0}, "runtime": {"num_proc": 1}})
        for stage in stages_of(cfg, "clean"):
            rows = stage(rows).rows
        return table_of(rows).select(names)

    def tokens(self, tokenizer: Any, table: pa.Table) -> pa.Table:
        """A row a window: `input_ids`, the `row` it is of, whether it was `truncated`, and `token_type_ids` or `word_starts`."""
        if self.stride is None:
            read = cut(tokenizer, table, self.max_length)
            return read.append_column("row", pa.array(range(len(read)), pa.int64()))
        parts = list(windows(tokenizer, table.column("text"), self.max_length, self.stride))
        ids = pa.chunked_array(parts, pa.list_(pa.list_(pa.int32()))).combine_chunks()
        rows = ids.value_parent_indices()
        return pa.table({"input_ids": ids.flatten(), "truncated": pa.repeat(pa.scalar(False), len(rows)), "row": rows})


def rewriting(clean: Mapping[str, Any]) -> dict[str, Any]:
    """The stages among `clean` that rewrite texts, in order: those whose module has `rewrite` or `with_texts` from `prepsweep.text`.

    The others only mark rows to be dropped, which prediction never does, or change labels.
    """
    refuse_foreign(clean, "clean")
    return {name: spec for name, spec in clean.items() if rewrites(spec["_target_"])}


def rewrites(target: str) -> bool:
    """Whether the module of a stage can rewrite texts."""
    module = importlib.import_module(target.rpartition(".")[0])
    return any(value is one for value in vars(module).values() for one in _REWRITERS)
