"""How long a queue of 500 from 100,000 rows takes, and the first row of a queue of 50,000.

    python benchmarks/review_queue.py [--rows 100000] [--classes 3] [--budget 500] [--queue-rows 50000]

Vectors are made up (clusters with noise, 384 wide), as if they were in the cache: what is timed is the cross-fitted model, the choice
and the file. The page's first row is timed from the start of the command to the answer with the row, as a browser asks for it.
"""

from __future__ import annotations

import argparse
import http.client
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.review.files import written
from prepsweep.review.queue import queue_of
from prepsweep.schema import source_table

_START = "import sys; from prepsweep.cli import main; sys.exit(main())"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in (("rows", 100_000), ("classes", 3), ("budget", 500), ("queue-rows", 50_000)):
        parser.add_argument(f"--{name}", type=int, default=number)
    asked = parser.parse_args()
    table, vectors = made(asked.rows, asked.classes)
    started = time.perf_counter()
    queue = queue_of(table, vectors, budget=asked.budget, seed=0, n_folds=5, penalty=1.0)
    data = written(queue, sorted(set(table.column("label").to_pylist())), form="csv")
    print(f"queue of {len(queue):,} from {len(table):,} rows: {time.perf_counter() - started:.1f} s, {len(data):,} bytes")
    rows = table.slice(0, asked.queue_rows)
    whole = rows.select(["uid", "text", "label"])
    for name in ("suggested", "reason"):
        whole = whole.append_column(name, rows.column("label"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "queue.csv"
        file.write_bytes(written(whole, sorted(set(whole.column("label").to_pylist())), form="csv"))
        first_row(file)


def made(n_rows: int, n_classes: int) -> tuple[pa.Table, NDArray[np.float32]]:
    """Rows in the order of their uids, a tenth with a wrong label, and vectors of length 1."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, n_classes, n_rows)
    vectors = rng.normal(0, 1, (n_classes, 384))[codes] + rng.normal(0, 4, (n_rows, 384))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    shown = np.where(rng.random(n_rows) < 0.1, rng.integers(0, n_classes, n_rows), codes)
    texts = [f"A review of about the usual length, with a few words more: number {row}. " * 2 for row in range(n_rows)]
    table = source_table(pa.array(texts), pa.array([f"class {code}" for code in shown]), pa.array(["train"] * n_rows), {})
    order = np.argsort(np.asarray(table.column("uid").to_pylist(), dtype=object), kind="stable")
    return table.take(pa.array(order)), vectors[order]


def first_row(file: Path) -> None:
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", _START, "review", "serve", str(file)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = urlsplit(process.stdout.readline().split()[-1])
    ready = time.perf_counter()
    connection = http.client.HTTPConnection(str(address.hostname), address.port)
    for path in ("", "page.css", "page.js", "state", "rows?start=0&n=20"):
        connection.request("GET", address.path + path)
        connection.getresponse().read()
    shown = time.perf_counter()
    process.terminate()
    process.wait()
    size = f"{file.stat().st_size:,} bytes"
    print(f"first row of a queue of {size}: the command is ready after {ready - started:.2f} s, the row {shown - ready:.3f} s later")


if __name__ == "__main__":
    main()
