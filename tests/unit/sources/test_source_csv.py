"""Every way in which a CSV file can be wrong, and every oddity that must come through byte by byte."""

from __future__ import annotations

import csv as stdlib_csv
import gzip
import io
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prepsweep.errors import Refused
from prepsweep.sources.csv import csv, fingerprint
from tests.unit.sources.helpers import arguments, refusal

HEAD = b"text,label\n"
GOOD = b"text,label\na film,fresh\nanother,rotten\n"
CLOSE = "written twice"

# name: (bytes, where, what, fix)
BAD: dict[str, tuple[bytes, str, str, str]] = {
    "0 bytes": (b"", "rows.csv:1", "0 bytes", "name another file in data.path"),
    "only line ends": (b"\n\n", "rows.csv:1:1", "first line is blank", "column names"),
    "header only": (HEAD, "rows.csv:1", "no rows", "data.path"),
    "header without a line end": (b"text,label", "rows.csv:1", "no rows", "data.path"),
    "parquet": (b"PAR1\x15\x04", "rows.csv:1", "a Parquet file", "data=parquet"),
    "png": (b"\x89PNG\r\n\x1a\n\0", "rows.csv:1", "a PNG image", "rows"),
    "gzip that is cut off": (gzip.compress(GOOD)[:-9], "rows.csv", "damaged gzip: Truncated", "fetch it again"),
    "gzip with a flipped bit": (gzip.compress(GOOD)[:-8] + b"12345678", "rows.csv", "damaged gzip", "fetch it again"),
    "gzip in gzip": (gzip.compress(gzip.compress(GOOD)), "rows.csv:1", "a gzip archive", "gzip -d"),
    "gzip of nothing": (gzip.compress(b""), "rows.csv:1", "0 bytes in gzip", "data.path"),
    "gzip of a pickle": (gzip.compress(b"\x80\x04\x95\x0c\0"), "rows.csv:1", "pickle", "as CSV"),
    "gzip of a short row": (gzip.compress(HEAD + b"a,x\nonly\n"), "rows.csv:3:1", "1 value", "in quotes"),
    "zstd that is cut off": (bytes(pa.compress(GOOD * 99, "zstd"))[:-3], "rows.csv", "damaged zstd", "fetch it again"),
    "zip or xlsx": (b"PK\x03\x04\x14\0", "rows.csv:1", "Excel", "CSV in UTF-8"),
    "pickle": (b"\x80\x04\x95\x0c\0", "rows.csv:1", "pickle", "as CSV"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "rows.csv:1", "Git LFS", "git lfs pull"),
    "html page": (b"\n<!DOCTYPE html>\n<html>", "rows.csv:1", "a web page", "error page"),
    "json lines": (b'{"text": "a", "label": "b"}\n', "rows.csv:1", "JSON", "data=jsonl"),
    "utf-16": ("text,label\na,b\n".encode("utf-16"), "rows.csv:1", "UTF-16", "UTF-8"),
    "utf-16 without a mark": ("text,label\na,b\n".encode("utf-16-le"), "rows.csv:1:2", "NUL", "UTF-8"),
    "latin-1": (HEAD + b"fine,x\ncaf\xe9,x\n", "rows.csv:3:4", "byte 0xE9 is not UTF-8", "Latin-1"),
    "latin-1 after other letters": (HEAD + "“é” ".encode() + b"\xe9,x\n", "rows.csv:2:5", "0xE9", "Latin-1"),
    "cut inside a letter": (HEAD + b"a,b\ncaf\xc3", "rows.csv:3:4", "middle of a character", "cut off"),
    "surrogate": (HEAD + b"a\xed\xa0\x80,b\n", "rows.csv:2:2", "0xED is not UTF-8", "UTF-8"),
    "nul": (HEAD + b"a,b\n\0c,d\n", "rows.csv:3:1", "NUL", "take it out"),
    "semicolons": (b"text;label\na;b\n", "rows.csv:1", "looks separated by ';'", "data.delimiter=semicolon"),
    "tabs": (b"words\tlabel\na\tb\n", "rows.csv:1", "looks separated by", "data.delimiter=tab"),
    "no header": (b"a film,fresh\n", "rows.csv:1", "no column 'text'", "choose one of 'a film', 'fresh'"),
    "wrong case": (b"Text,label\na,b\n", "rows.csv:1", "no column 'text'", "set data.text_column: did you mean 'Text'?"),
    "padded name": (b"text, label\na,b\n", "rows.csv:1", "no column 'label'", "set data.label_column: did you mean ' label'?"),
    "blank name": (b",text,label\n0,a,b\n", "rows.csv:1:1", "column 1 has no name", "index=False"),
    "name twice": (b"text,label,text\na,b,c\n", "rows.csv:1:12", "two columns are named 'text'", "rename"),
    "open quote in the header": (b'text,"label\na,b\n', "rows.csv:1:6", "never closed", CLOSE),
    "10,000 columns": (b"x," * 10_000 + b"text,label\n", "rows.csv:1:2001", "more than 1,000 columns", "keep"),
    "short row": (HEAD + b'"two\nlines",x\nonly\n', "rows.csv:4:1", "1 value, the header names 2 columns", "in quotes"),
    "long row": (HEAD + b'"two\r\nlines",x\r\na, b,c\r\n', "rows.csv:4:1", "3 values, the header names 2 columns", "in quotes"),
    "blank line": (HEAD + b"a,b\n\nc,d\n", "rows.csv:3:1", "a blank line", "take it out"),
    "open quote": (HEAD + b'a,b\n"c,d\ne,f\n\n\n', "rows.csv:3:1", "never closed", CLOSE),
    "open quote on the last cell": (HEAD + b'a,b\nx,"c\n', "rows.csv:3:3", "never closed", CLOSE),
    "open quote that eats rows": (HEAD + b'a,x\n"b,x\nc,x\n"d",x\n', "rows.csv:3:1", "closed inside another cell, in line 5", CLOSE),
    "quote inside a quoted cell": (HEAD + b'5" disk,x\n"say "so" twice",x\n', "rows.csv:3:7", "text after the closing quote", CLOSE),
    "Excel's own first line": (b"sep=,\n" + HEAD + b"a,x\n", "rows.csv:1", "'sep=,' is a mark for Excel", "take the line out"),
    "a delimiter at every line's end": (b"text,label,\na,x,\n", "rows.csv:1:12", "column 3 has no name", "ends with a delimiter"),
    "header again": (HEAD + b"a,x\ntext,label\nb,y\n", "rows.csv:3", "header again", "take the line out"),
    "20 MB cell": (HEAD + b'a,x\n"' + b"x" * 20_000_000 + b'",x\n', "rows.csv:3:1", "20,000,002 bytes", "cut it"),
    "5 MB text": (HEAD + b"a,x\n" + b"x" * 5_000_000 + b",x\n", "rows.csv:3:1", "a cell of 5,000,000 bytes", "cut it"),
    "a million values in a row": (
        HEAD + b"a,x\n" + b"," * 1_000_000 + b"\n",
        "rows.csv:3:1",
        "1000001 values, the header names 2 columns",
        "in quotes",
    ),
    "blank label": (HEAD + b'"a\nb",x\nc,\n', "rows.csv:4", "the label is blank", "take the row out"),
    "label of spaces": (HEAD + "a,x\nb,\u2003 \n".encode(), "rows.csv:3", "the label is blank", "fill it in"),
    "two empty cells": (HEAD + b"a,x\n,\n", "rows.csv:3", "the label is blank", "fill it in"),
    "invisible label": (HEAD + "a,x\nb,\u200b\n".encode(), "rows.csv:3", "invisible", "fill it in"),
    "label padded": (HEAD + b"a,pos\nb,pos \n", "rows.csv:3", "'pos ' differs from 'pos' (rows.csv:2) only in white space", "data.classes"),
    "label in another case": (
        HEAD + "a,Ж\nb,x\nc,ж\n".encode(),
        "rows.csv:4",
        "'ж' differs from 'Ж' (rows.csv:2) only in case",
        "make them one",
    ),
    "label in another form": (
        HEAD + "a,café\nb,cafe\u0301\n".encode(),
        "rows.csv:3",
        r"'cafe\u0301' differs from 'caf\xe9' (rows.csv:2) only in Unicode normal form",
        "data.classes",
    ),
    "label with an invisible letter": (
        HEAD + "a,pos\nb,p\u200bos\n".encode(),
        "rows.csv:3",
        r"'p\u200bos' differs from 'pos'",
        "make them one",
    ),
    "scores as labels": (
        HEAD + b"".join(b"t%d,0.%d\n" % (row, row) for row in range(1, 30)),
        "rows.csv:2",
        "looks continuous: 29 distinct numbers such as '0.1'",
        "data.label_column",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_at_its_place(case: str) -> None:
    data, where, what, fix = BAD[case]
    Path("rows.csv").write_bytes(data)
    started = time.process_time()
    with refusal(where, what, fix):
        csv(**arguments(path="rows.csv", delimiter=","))
    assert time.process_time() - started < 5


# name: (bytes, texts, labels)
ODD: dict[str, tuple[bytes, list[str], list[str]]] = {
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, ["a film", "another"], ["fresh", "rotten"]),
    "CR line ends": (GOOD.replace(b"\n", b"\r"), ["a film", "another"], ["fresh", "rotten"]),
    "CRLF line ends, kept inside quotes": (b'text,label\r\n"a\r\nb\rc\nd",x\r\ne,y', ["a\r\nb\rc\nd", "e"], ["x", "y"]),
    "no last line end": (GOOD.rstrip(), ["a film", "another"], ["fresh", "rotten"]),
    "empty lines at the end": (GOOD + b"\n\r\n\n", ["a film", "another"], ["fresh", "rotten"]),
    "nothing is a null": (
        HEAD + b"NA,NA\nNone,None\nnull,null\nnan,nan\n,x\n",
        ["NA", "None", "null", "nan", ""],
        ["NA", "None", "null", "nan", "x"],
    ),
    "numbers stay text": (HEAD + b"1e5,007\n 1 ,7\n-0,1.0\n", ["1e5", " 1 ", "-0"], ["007", "7", "1.0"]),
    "huge integers": (HEAD + b"a,1180591620717411303424\nb,1180591620717411303425\n", ["a", "b"], [str(2**70), str(2**70 + 1)]),
    "dates and booleans": (HEAD + b"2020-01-01,true\nb,True2\n", ["2020-01-01", "b"], ["true", "True2"]),
    "quotes": (HEAD + b'"say ""so""",x\n5" disk,y\n"""",z\n"",w\na "b" c,v\n', ['say "so"', '5" disk', '"', "", 'a "b" c'], list("xyzwv")),
    "delimiters inside": (HEAD + b'"a,b",x\n"c,""d"",",y\n', ["a,b", 'c,"d",'], ["x", "y"]),
    "only spaces": (HEAD + b"   ,x\n\t,y\n", ["   ", "\t"], ["x", "y"]),
    "unicode line ends": (HEAD + "a\u2028b\u2029c\x85d\x0be\x0cf,x\ng,y\n".encode(), ["a\u2028b\u2029c\x85d\x0be\x0cf", "g"], ["x", "y"]),
    "emoji and zero width": (HEAD + "👨‍👩‍👧 a\u200bb\ufeffc,x\ng,y\n".encode(), ["👨‍👩‍👧 a\u200bb\ufeffc", "g"], ["x", "y"]),
    "never interpolated": (HEAD + b"${oc.env:HOME} {{x}} %s [MASK],x\n=1+1,y\n", ["${oc.env:HOME} {{x}} %s [MASK]", "=1+1"], ["x", "y"]),
    "quoted header, other columns": (b'"id","text","la""bel","label"\n1,a,q,x\n2,"b",r,y\n', ["a", "b"], ["x", "y"]),
    "a text equal to its column": (HEAD + b"text,x\nb,label\n", ["text", "b"], ["x", "label"]),
    "labels with inner marks": (HEAD + 'a,"x, y"\nb,a|b\nc,日本語\n'.encode(), ["a", "b", "c"], ["x, y", "a|b", "日本語"]),
    "gzip": (gzip.compress(GOOD), ["a film", "another"], ["fresh", "rotten"]),
    "gzip in two parts": (gzip.compress(GOOD[:20]) + gzip.compress(GOOD[20:]), ["a film", "another"], ["fresh", "rotten"]),
    "zstd": (bytes(pa.compress(GOOD, "zstd")), ["a film", "another"], ["fresh", "rotten"]),
    "3 MB text": (HEAD + b"a,x\n" + b"w " * 1_500_000 + b",y\n", ["a", "w " * 1_500_000], ["x", "y"]),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_file_comes_through_exactly(case: str) -> None:
    data, texts, labels = ODD[case]
    Path("rows.csv").write_bytes(data)
    rows = csv(**arguments(path="rows.csv", delimiter=","))
    assert rows[:]["text"] == texts
    assert rows[:]["label"] == labels
    assert rows[:]["split"] == [""] * len(texts)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=8),
    quote_all=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_any_text_makes_the_round_trip(texts: list[str], quote_all: bool, end: str, delimiter: str) -> None:
    # Python's writer leaves a CR bare where lines end with LF, and the other way round, which is not CSV.
    quote_all = quote_all or any("\r" in text or "\n" in text for text in texts)
    quoting = stdlib_csv.QUOTE_ALL if quote_all else stdlib_csv.QUOTE_MINIMAL
    written = io.StringIO(newline="")
    writer = stdlib_csv.writer(written, quoting=quoting, lineterminator=end, delimiter=delimiter)
    writer.writerows([["text", "label", "other"], *([text, f"class {row}", text[::-1]] for row, text in enumerate(texts))])
    Path("rows.csv").write_text(written.getvalue(), encoding="utf-8", newline="")
    assert csv(**arguments(path="rows.csv", delimiter=delimiter))[:]["text"] == texts


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text(alphabet='ab,"\n\r', max_size=30))
def test_whatever_is_accepted_is_what_a_strict_reader_sees(body: str) -> None:
    Path("rows.csv").write_text(f"text,label\n{body}", encoding="utf-8", newline="")
    try:
        rows = csv(**arguments(path="rows.csv", delimiter=",", classes=None))
    except Refused:
        return
    seen = list(stdlib_csv.reader(io.StringIO(f"text,label\n{body}", newline=""), strict=True))
    assert [[text, label] for text, label in zip(rows[:]["text"], rows[:]["label"], strict=True)] == [row for row in seen[1:] if row]


def test_rows_across_the_blocks_of_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prepsweep.sources.csv._BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr("prepsweep.sources.csv_layout._BLOCK_BYTES", 1 << 8)
    texts = [f'{row} say ""so"",\n\nor not' if row % 3 else f'{row} is 5" wide' for row in range(500)]
    lines = [f'"{text}",x\n' if '""' in text else f"{text},y\n" for text in texts]
    Path("rows.csv").write_text("text,label\n" + "".join(lines), newline="")
    assert csv(**arguments(path="rows.csv", delimiter=","))[:]["text"] == [text.replace('""', '"') for text in texts]
    line = 2 + sum(text.count("\n") + 1 for text in texts)
    for last, place, what in (
        ("a,\n", f"{line}", "blank"),
        ('"a"b,x\n', f"{line}:4", "after the closing"),
        ("a\n", f"{line}:1", "1 value"),
    ):
        Path("rows.csv").write_text("text,label\n" + "".join(lines) + last, newline="")
        with refusal(f"rows.csv:{place}", what, ""):
            csv(**arguments(path="rows.csv", delimiter=","))


def test_delimiters_by_name_and_by_character() -> None:
    for name, character in {"semicolon": ";", "pipe": "|", "tab": "\t", r"\t": "\t", "^": "^"}.items():
        Path("rows.csv").write_bytes(GOOD.replace(b",", character.encode()))
        assert csv(**arguments(path="rows.csv", delimiter=name))[:]["label"] == ["fresh", "rotten"]
    for wrong in (";;", "", '"', "\n", "é"):
        with refusal("data.delimiter", "one ASCII character", "semicolon"):
            csv(**arguments(path="rows.csv", delimiter=wrong))


def test_classes_and_groups() -> None:
    Path("rows.csv").write_bytes(b"text,label,film\na,Pos,1\nb,pos,007\nc,neg,1\n")
    rows = csv(**arguments(path="rows.csv", delimiter=",", classes=["pos", "Pos", "neg", "none"], group_column="film"))
    assert rows[:]["group"] == ["1", "007", "1"]
    assert rows[:]["label"] == ["Pos", "pos", "neg"]
    with refusal("rows.csv:3", "'pos' is not one of data.classes", "did you mean 'Pos'?"):
        csv(**arguments(path="rows.csv", delimiter=",", classes=["pose", "Pos", "neg"]))
    Path("rows.csv").write_bytes(b"text,label,film\na,x,1\nb,y, \n")
    with refusal("rows.csv:3", "the group is blank", "one split"):
        csv(**arguments(path="rows.csv", delimiter=",", group_column="film"))
    with refusal("rows.csv:1", "no column 'movie'", "data.group_column"):
        csv(**arguments(path="rows.csv", delimiter=",", group_column="movie"))
    with refusal("data.label_column", "is data.text_column too", "classes"):
        csv(**arguments(path="rows.csv", delimiter=",", label_column="text"))
    for classes, what in {
        (1, 2): "1 is not text",
        ("a", "a"): "'a' is there twice",
        ("a", " "): "' ' is blank",
        (): "must be a list",
    }.items():
        with refusal("data.classes", what, ""):
            csv(**arguments(path="rows.csv", delimiter=",", classes=list(classes)))


def test_splits_of_given_files() -> None:
    for name, label in {"path": "a", "dev": "b", "test": "a"}.items():
        Path(f"{name}.csv").write_text(f"text,label\nof {name},{label}\nmore,b\n")
    splits = {}
    for given_too in ((), ("dev",), ("test",), ("dev", "test")):
        paths = {f"{name}_path": f"{name}.csv" for name in given_too}
        splits[given_too] = csv(**arguments(path="path.csv", delimiter=",", **paths))[:]["split"]
    assert splits == {
        (): [""] * 2,
        ("dev",): [""] * 2 + ["dev"] * 2,
        ("test",): [""] * 2 + ["test"] * 2,
        ("dev", "test"): ["train"] * 2 + ["dev"] * 2 + ["test"] * 2,
    }


def test_one_file_in_two_splits() -> None:
    Path("rows.csv").write_bytes(GOOD)
    Path("copy.csv").write_bytes(GOOD)
    Path("link.csv").symlink_to("rows.csv")
    for same, what in {
        "rows.csv": "is the same file as data.path",
        "./link.csv": "same file",
        "copy.csv": "holds the same bytes as data.path",
    }.items():
        with refusal("data.test_path", what, "leave data.test_path out"):
            csv(**arguments(path="rows.csv", test_path=same, delimiter=","))
    Path("dev.csv").write_bytes(GOOD + b"more,fresh\n")
    with refusal("data.test_path", "is the same file as data.dev_path", "another file"):
        csv(**arguments(path="rows.csv", dev_path="dev.csv", test_path="dev.csv", delimiter=","))
    Path("dev.csv").write_bytes(HEAD + b"a film,rotten\nmore,rotten\nlast,Fresh\n")
    with refusal("dev.csv:4", "label 'Fresh' differs from 'fresh' (rows.csv:2) only in case", "data.classes"):
        csv(**arguments(path="rows.csv", dev_path="dev.csv", delimiter=","))


@pytest.mark.parametrize("call", [lambda **given: csv(**given), lambda **given: fingerprint(**given)], ids=["read", "fingerprint"])
def test_files_that_are_not_there(call: Callable[..., object]) -> None:
    Path("folder").mkdir()
    Path("folder/reviews.csv").write_bytes(GOOD)
    Path("empty").mkdir()
    cases = {
        "folder/review.csv": ("no such file", "did you mean 'reviews.csv'?"),
        "folder": ("is a folder", "data.test_path=folder/reviews.csv"),
        "empty/x.csv": ("no such file", "holds no files"),
        "nowhere/x.csv": ("no such file", "there is no folder nowhere"),
        "~/no-such-file.csv": ("no such file", "~ is not expanded"),
        "/dev/null": ("not a regular file", "on a disk"),
    }
    for name, (what, fix) in cases.items():
        with refusal("data.test_path", what, fix):
            call(**arguments(path="folder/reviews.csv", test_path=name, delimiter=","))


def test_fingerprint_adds_nothing() -> None:
    Path("rows.csv").write_bytes(GOOD)
    assert fingerprint(**arguments(path="rows.csv", delimiter=",")) == {}


def test_rows_keep_their_uid_in_any_order() -> None:
    Path("rows.csv").write_bytes(GOOD)
    Path("turned.csv").write_bytes(b"label,text\nrotten,another\nfresh,a film\n")
    uids = [csv(**arguments(path=name, delimiter=","))[:]["uid"] for name in ("rows.csv", "turned.csv")]
    assert uids[0] == uids[1][::-1]
