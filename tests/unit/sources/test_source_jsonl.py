"""JSON lines: what is refused, at which line, and what comes through exactly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prepsweep.sources.jsonl import fingerprint, jsonl
from tests.unit.sources.helpers import arguments, refusal

GOOD = b'{"text": "a film", "label": "fresh"}\n'

# name: (bytes, where, what, fix)
BAD: dict[str, tuple[bytes, str, str, str]] = {
    "0 bytes": (b"", "rows.jsonl:1", "0 bytes", "data.path"),
    "only line ends": (b"\n\r\n", "rows.jsonl:1", "no rows", "data.path"),
    "csv": (b"text,label\na,b\n", "rows.jsonl:1:1", "not JSON", "data=csv"),
    "one array": (b'[{"text": "a", "label": "b"}]\n', "rows.jsonl:1", "holds a list, not an object", "one object a line"),
    "an array over lines": (b"[\n" + GOOD + b"]\n", "rows.jsonl:1:2", "not JSON", "one object a line"),
    "an object over lines": (b'{\n"text": "a",\n"label": "b"}\n', "rows.jsonl:1:2", "not JSON", "one object a line"),
    "a bare value": (GOOD + b'"a film"\n', "rows.jsonl:2", "holds a string, not an object", "{…}"),
    "latin-1": (GOOD + b'{"text": "caf\xe9", "label": "x"}\n', "rows.jsonl:2:14", "0xE9 is not UTF-8", "UTF-8"),
    "gzip that is cut off": (b"\x1f\x8b\x08\0", "rows.jsonl", "damaged gzip", "fetch it again"),
    "parquet": (b"PAR1\0", "rows.jsonl:1", "a Parquet file", "data=parquet"),
    "blank line": (GOOD + b"\n" + GOOD, "rows.jsonl:2", "a blank line", "take it out"),
    "line of spaces": (GOOD + b"  \n" + GOOD, "rows.jsonl:2", "a blank line", "take it out"),
    "broken line": (GOOD + b'{"text": "a" "label": "b"}\n' + GOOD, "rows.jsonl:2:14", "Expecting ',' delimiter", "one object a line"),
    "two objects": (GOOD.rstrip() + GOOD, "rows.jsonl:1:37", "Extra data", "one object a line"),
    "cut in a string": (GOOD + b'{"text": "a", "lab', "rows.jsonl:2:15", "ends in the middle of a row", "cut off"),
    "cut before the brace": (GOOD + b'{"text": "a", "label": "b"\n', "rows.jsonl:2:27", "ends in the middle of a row", "cut off"),
    "key twice": (GOOD + b'{"text": "a", "label": "b", "label": "c"}\n', "rows.jsonl:2", "the key 'label' is there twice", "keep one"),
    "key twice inside": (
        b'{"text": "a", "label": "b", "meta": {"x": 1, "x": 2}}',
        "rows.jsonl:1",
        "the key 'x' is there twice",
        "keep one",
    ),
    "wrong key": (b'{"Text": "a", "label": "b"}\n', "rows.jsonl:1", "no key 'text'", "set data.text_column: did you mean 'Text'?"),
    "missing key": (GOOD + b'{"text": "a"}\n', "rows.jsonl:2", "no key 'label'", "add it, or take the line out"),
    "number as text": (GOOD + b'{"text": 5, "label": "b"}\n', "rows.jsonl:2", "'text' is an integer, not a string", "quotes"),
    "null text": (GOOD + b'{"text": null, "label": "b"}\n', "rows.jsonl:2", "'text' is null", "quotes"),
    "object as text": (GOOD + b'{"text": {"a": "b"}, "label": "b"}\n', "rows.jsonl:2", "'text' is an object", "quotes"),
    "null label": (GOOD + b'{"text": "a", "label": null}\n', "rows.jsonl:2", "'label' is null", "a string"),
    "list label": (GOOD + b'{"text": "a", "label": ["b"]}\n', "rows.jsonl:2", "'label' is a list", "a string"),
    "float label": (b'{"text": "a", "label": 0.5}\n', "rows.jsonl:1", "looks continuous", "strings or integers"),
    "exponent label": (b'{"text": "a", "label": 1e3}\n', "rows.jsonl:1", "looks continuous", "strings or integers"),
    "labels of two types": (
        b'{"text": "a", "label": 1}\n{"text": "b", "label": "1"}\n',
        "rows.jsonl:2",
        "a string here and an integer",
        "the same way",
    ),
    "nan": (GOOD + b'{"text": "a", "label": NaN}\n', "rows.jsonl:2", "NaN is not JSON", "null"),
    "infinity elsewhere": (b'{"text": "a", "label": "b", "x": -Infinity}\n', "rows.jsonl:1", "-Infinity is not JSON", "null"),
    "a number that no reader takes": (GOOD + b'{"text": "a", "label": "b", "x": 1e999}\n', "rows.jsonl:2", "1e999 is beyond", "quotes"),
    "5,000 digits": (GOOD + b'{"text": "a", "label": "b", "x": ' + b"1" * 5000 + b"}", "rows.jsonl:2", "of 5,000 digits", "quotes"),
    "blank label": (GOOD + b'{"text": "a", "label": " "}\n', "rows.jsonl:2", "the label is blank", "fill it in"),
    "surrogate": (GOOD + b'{"text": "a\\ud83d", "label": "b"}\n', "rows.jsonl:2", "half of a surrogate pair", "take it out"),
    "surrogate in a label": (
        GOOD + b'{"text": "a", "label": "\\udc00"}\n',
        "rows.jsonl:2",
        "'label' holds half of a surrogate",
        "take it out",
    ),
    "deep": (
        GOOD + b'{"text": "a", "label": "b", "x": ' + b"[" * 200_000 + b"\n",
        "rows.jsonl:2",
        "nested too deep",
        "the text and the label",
    ),
    "control character": (b'{"text": "a\tb", "label": "b"}\n' + GOOD, "rows.jsonl:1:12", "Invalid control character", "one object a line"),
    "label in another case": (
        GOOD + b'{"text": "a", "label": "Fresh"}\n',
        "rows.jsonl:2",
        "'Fresh' differs from 'fresh' (rows.jsonl:1)",
        "data.classes",
    ),
    "20 MB text": (
        GOOD + b'{"text": "' + b"x" * 20_000_000 + b'", "label": "b"}\n',
        "rows.jsonl:2",
        "a text of 20,000,000 bytes",
        "cut it",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_at_its_line(case: str) -> None:
    data, where, what, fix = BAD[case]
    Path("rows.jsonl").write_bytes(data)
    with refusal(where, what, fix):
        jsonl(**arguments(path="rows.jsonl"))


# name: (bytes, texts, labels)
ODD: dict[str, tuple[bytes, list[str], list[str]]] = {
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, ["a film"], ["fresh"]),
    "CR line ends": (GOOD.replace(b"\n", b"\r") * 2, ["a film"] * 2, ["fresh"] * 2),
    "CRLF line ends": (GOOD.replace(b"\n", b"\r\n") * 2 + b"\r\n", ["a film"] * 2, ["fresh"] * 2),
    "unicode line ends": ('{"text": "a\u2028b\x85c", "label": "x"}\n'.encode() + GOOD, ["a\u2028b\x85c", "a film"], ["x", "fresh"]),
    "escapes": (rb'{"text": "\u0000\n\"\\\/\ud83d\ude00", "label": "\u00e9"}', ['\0\n"\\/😀'], ["é"]),
    "integers keep every digit": (
        b'{"text": "a", "label": 1180591620717411303425}\n{"text": "b", "label": -0}',
        ["a", "b"],
        ["1180591620717411303425", "-0"],
    ),
    "booleans": (b'{"label": true, "text": "a"}\n{"text": "b", "label": false}', ["a", "b"], ["true", "false"]),
    "names of nothing": (b'{"text": "NA", "label": "null"}\n{"text": "", "label": "NA"}', ["NA", ""], ["null", "NA"]),
    "spaces around": (b'  {"text": " ", "label": "x"}\t \n', [" "], ["x"]),
    "other keys": (b'{"text": "a", "label": "x", "n": 0.5, "o": {"text": null}}', ["a"], ["x"]),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_file_comes_through_exactly(case: str) -> None:
    data, texts, labels = ODD[case]
    Path("rows.jsonl").write_bytes(data)
    rows = jsonl(**arguments(path="rows.jsonl"))
    assert (rows[:]["text"], rows[:]["label"]) == (texts, labels)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=8), ascii_only=st.booleans())
def test_any_text_makes_the_round_trip(texts: list[str], ascii_only: bool) -> None:
    lines = [json.dumps({"text": text, "label": f"class {row}"}, ensure_ascii=ascii_only) for row, text in enumerate(texts)]
    Path("rows.jsonl").write_text("\n".join(lines), encoding="utf-8", newline="")
    assert jsonl(**arguments(path="rows.jsonl"))[:]["text"] == texts


def test_lines_beyond_one_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prepsweep.sources.jsonl._ROWS_PER_CHUNK", 3)
    Path("rows.jsonl").write_bytes(GOOD * 7)
    assert jsonl(**arguments(path="rows.jsonl"))[:]["text"] == ["a film"] * 7
    Path("rows.jsonl").write_bytes(GOOD * 7 + GOOD.replace(b"film", rb"\udfff"))
    with refusal("rows.jsonl:8", "surrogate", "take it out"):
        jsonl(**arguments(path="rows.jsonl"))


def test_splits_groups_and_files() -> None:
    Path("rows.jsonl").write_bytes(b'{"text": "a", "label": "x", "film": 7}\n')
    Path("test.jsonl").write_bytes(b'{"text": "b", "label": "x", "film": "8"}\n')
    rows = jsonl(**arguments(path="rows.jsonl", test_path="test.jsonl", group_column="film", classes=["x", "y"]))
    assert (rows[:]["split"], rows[:]["group"]) == (["", "test"], ["7", "8"])
    with refusal("data.dev_path", "no such file", "did you mean 'test.jsonl'?"):
        fingerprint(**arguments(path="rows.jsonl", dev_path="tset.jsonl"))
    assert fingerprint(**arguments(path="rows.jsonl")) == {}


def test_a_column_that_only_travels_keeps_its_numbers_as_they_are_written() -> None:
    Path("rows.jsonl").write_bytes(b'{"text": "a", "label": "x", "v": 1.10}\n{"text": "b", "label": "x", "v": [1.10, 2]}\n')
    rows = jsonl(**arguments(path="rows.jsonl", carry_columns=["v"]))
    assert rows[:]["v"] == ["1.10", "[1.1, 2]"]
