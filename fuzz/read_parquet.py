"""Parquet: exactly the values that pyarrow finds, or refused."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
from harness import columns, fuzz, instrumented, rows_or_refusal

with instrumented(__name__, "prepsweep.sources"):
    from prepsweep.sources.parquet import parquet


def _file(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


_TEXTS = ["good film", "bad film", "", "\u2028 \u6211\u559c\u6b22"]
_NAMES = pa.table({"text": _TEXTS, "label": ["a", "b", "a", "b"]})
SEEDS = [
    _file(_NAMES),
    _file(_NAMES, compression="zstd", use_dictionary=False, data_page_version="2.0"),
    _file(_NAMES, compression="none", row_group_size=2, store_schema=False),
    _file(pa.table({"text": pa.array(_TEXTS, pa.large_string()), "label": [1, 2, 1, 2]}), compression="none"),
    _file(pa.table({"label": pa.array([True, False, True, False]), "text": pa.array(_TEXTS).dictionary_encode()})),
    _file(pa.table({"text": [["a"], ["b"]], "label": [1.5, None]})),
    _file(_NAMES)[:-20],
    # Found by this target: a name that is no UTF-8, and a column that says it holds no null where its statistics say it may.
    _file(_NAMES, compression="none", store_schema=False).replace(b"text", b"\xffext"),
    _file(_NAMES).replace(b"\x25\x02\x18\x04text", b"\x25\x00\x18\x04text"),
]


def target(data: bytes) -> None:
    found = rows_or_refusal(data, ".parquet", lambda path: parquet(path=path, **columns()))
    if found is not None:
        table = pq.read_table(pa.BufferReader(data), columns=["text", "label"])
        texts, labels = (table.column(name).to_pylist() for name in ("text", "label"))
        expected = [(text, label if isinstance(label, str) else str(label).lower()) for text, label in zip(texts, labels, strict=True)]
        assert found == expected, (found, expected)


if __name__ == "__main__":
    fuzz(target, SEEDS)
