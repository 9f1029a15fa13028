"""CSV: exactly the cells that Python's own reader finds, or refused."""

from __future__ import annotations

import csv as python_csv
import io

from harness import columns, fuzz, instrumented, rows_or_refusal

with instrumented(__name__, "prepsweep.sources", "prepsweep.csv_cells"):
    from prepsweep.csv_cells import written_here
    from prepsweep.sources.csv import csv
    from prepsweep.sources.files import MAX_CELL_BYTES

SEEDS = [
    b"text,label\ngood film,a\nbad film,b\n",
    b'text,label\n"good, ""very"" good\r\nfilm",a\n"",b\n',
    b'\xef\xbb\xbflabel,n,text\r\na,1,5" disk\r\nb,2,"x"\r\n',
    "text,label\n\u2028\u6211\u559c\u6b22,NA\nx,None\n".encode(),
    b"text,label\rgood,a\rbad,b",
    b'text,label\nopen,"a\nx,b\n',
    b"text;label\ngood;a\n",
]


def target(data: bytes) -> None:
    found = rows_or_refusal(data, ".csv", lambda path: csv(path=path, delimiter="comma", **columns()))
    if found is not None and not data.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        names, *rows = python_csv.reader(io.StringIO(data.decode("utf-8-sig").rstrip("\r\n"), newline=""), strict=True)
        # An export of ours takes apostrophes out again: there the cells are not what stands in the file.
        if not written_here(names):
            text, label = names.index("text"), names.index("label")
            assert found == [(row[text], row[label]) for row in rows], (found, rows)


if __name__ == "__main__":
    python_csv.field_size_limit(MAX_CELL_BYTES)
    fuzz(target, SEEDS)
