"""The splits that the data brings, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.schema import SPLITS

if TYPE_CHECKING:
    from datasets import Dataset


def predefined(dataset: Dataset) -> Dataset:
    """The rows as they are; refused where the data does not bring train, dev and test."""
    present = set(table_of(dataset).column("split").unique().to_pylist())
    missing = [split for split in SPLITS if split not in present]
    if missing:
        named = ", ".join(missing) if "train" not in missing else "train, dev and test"
        raise Refused("split", f"the data does not bring {named}", "give data.dev_path and data.test_path, or use split=stratified")
    return dataset
