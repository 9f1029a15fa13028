"""JSON lines: exactly the values that Python's own reader finds, or refused."""

from __future__ import annotations

import json
import re

from harness import columns, fuzz, instrumented, rows_or_refusal

with instrumented(__name__, "prepsweep.sources"):
    from prepsweep.sources.jsonl import jsonl

SEEDS = [
    b'{"text": "good film", "label": "a"}\n{"text": "bad film", "label": "b"}\n',
    b'{"label": 1, "text": "\\u2028 \\ud83d\\udc4d", "n": [1.5, {"x": null}]}\r\n{"text": "", "label": 9007199254740993}',
    b'\xef\xbb\xbf{"text": "x", "label": true}\r{"text": "y", "label": false}\r',
    '{"text": "\u6211\u559c\u6b22\u2028", "label": "NA"}\n{"text": "x", "label": "None"}\n'.encode(),
    b'{"text": "half \\ud83d", "label": "a"}\n',
    b'{"text": "twice", "text": "x", "label": NaN}\n',
]
_LINE_END = re.compile(r"\r\n?|\n")


def target(data: bytes) -> None:
    found = rows_or_refusal(data, ".jsonl", lambda path: jsonl(path=path, **columns()))
    if found is not None and not data.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        lines = _LINE_END.split(data.decode("utf-8-sig").rstrip("\r\n"))
        rows = [json.loads(line, parse_int=str) for line in lines]
        labels = [str(row["label"]).lower() if isinstance(row["label"], bool) else row["label"] for row in rows]
        expected = [(row["text"], label) for row, label in zip(rows, labels, strict=True)]
        assert found == expected, (found, expected)


if __name__ == "__main__":
    fuzz(target, SEEDS)
