"""Stages as a user might write them in a package of their own, each of which would leak."""

from __future__ import annotations

import pyarrow as pa
from datasets import Dataset

from prepsweep.lineage import add_children, table_of, with_column


def mixed(dataset: Dataset) -> Dataset:
    """Rows made of two rows each, whatever splits these are in."""
    texts = table_of(dataset).column("text").to_pylist()
    made = [f"{one} {other}" for one, other in zip(texts, reversed(texts), strict=True)]
    return add_children(dataset, parents=list(range(len(texts))), texts=made, stage="mixed")


def crossing(dataset: Dataset) -> Dataset:
    """A child of a train row in test."""
    made = add_children(dataset, parents=[0], texts=["another"], stage="crossing")
    return with_column(made, "split", ["train"] * len(dataset) + ["test"])


def relabelled(dataset: Dataset) -> Dataset:
    """The first test row gets the label of the last row."""
    labels, splits = (table_of(dataset).column(name).to_pylist() for name in ("label", "split"))
    place = splits.index("test")
    labels[place] = next(label for label in labels if label != labels[place])
    return with_column(dataset, "label", labels)


def renamed(dataset: Dataset) -> Dataset:
    """One class under another name, in every row."""
    return with_column(dataset, "label", pa.array([label.replace("a", "A") for label in table_of(dataset).column("label").to_pylist()]))


def naming(dataset: Dataset) -> Dataset:
    """A child of every row that names the class `b`, and one with the text of a test row."""
    texts = table_of(dataset).column("text").to_pylist()
    return add_children(
        dataset, parents=[*range(len(texts)), 0], texts=[*(f"{text} bad" for text in texts), "Secret: TEST"], stage="naming"
    )
