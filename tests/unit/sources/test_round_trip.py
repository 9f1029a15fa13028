"""Rows exported as CSV or JSON lines and read again, through the cache: every character as it was."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest

from prepsweep.cli import main
from prepsweep.schema import COLUMNS
from prepsweep.sources.csv import csv
from prepsweep.sources.jsonl import jsonl
from tests.unit.sources.helpers import arguments, refusal

_STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]
_TAILS = ["", "1+1", "cmd|'/C calc'!A0", 'HYPERLINK("https://example.org","a, b")']
FORMULAS = [f"{marks}{start}{tail}" for marks in ("", "'", "''", "'''") for start in _STARTS for tail in _TAILS]
CONTROLS = [f"a{chr(code)}b" for code in (*range(1, 32), *range(127, 160))]
UNSEEN = [
    f"{sign}left {sign} right{sign}"
    for sign in "\u00a0\u00ad\u061c\u115f\u180e\u2000\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060"
    "\u2061\u2066\u2067\u2068\u2069\u206a\u3000\u3164\ufe0f\ufeff\ufff9\ufffc\ufffd\ufffe\uffff\U000e0001\U000e007f\U0010ffff"
]
LINES = [
    "\n\n", "\r\n", "\r\r", "a\nb", "a\rb", "a\r\nb", "a\n\rb", "\na", "a\n", "\ra", "a\r", 'a"\r\n"b', "a,\nb", "\u2028",
    "\x85", "\x0b\x0c",
]  # fmt: skip
QUOTES = [
    '"', '""', '"""', 'a"b', '"a"', 'a""b', '","', '",\n"', "'", "''", "'tis", "`", "„a“", "«a»", '\\"', "\\", "\\n", '"a',
    'a"', "a','b", ",", ";", "|",
]  # fmt: skip
WORDS = [
    "", " ", "   ", " a ", "NA", "None", "null", "NULL", "nan", "NaN", "true", "False", "undefined", "-", "--", "0", "-0",
    "007", "1e5", "1,000.5", "0x1F", "∞", "½", "2020-01-01", "${oc.env:HOME}", "{{7*7}}", "%s%n", "$(ls)", "`ls`",
    "../../etc/passwd", "; DROP TABLE rows; --", "<script>alert(1)</script>", "<b>&amp;&nbsp;</b>", "[MASK] [SEP] <unk>",
    "text,label", "uid,text,label,split", "#comment", "//comment", "a\\", "C:\\new\\table", "?q=1&a[]=2",
]  # fmt: skip
SCRIPTS = [
    "我喜欢这部电影。", "日本語テキスト", "한국어", "שלום עולם", "مرحبا بالعالم", "สวัสดี", "हिन्दी", "Ελληνικά", "Кириллица", "ﬁ ﬂ ﬃ",
    "e\u0301 é", "Å Å Å", "ÅA\u030a", "ß ẞ ı İ", "Z̸̢̛a̷̧͝l̵̡g̶̢o̴͜", "𝕋𝕖𝕩𝕥", "𐐷 𠜎 𪚥", "👍🏽", "👨\u200d👩\u200d👧", "🇩🇪🇫🇷",
    "1\ufe0f\u20e3", "🏴\U000e0067\U000e0062\U000e007f", "☺ ☺\ufe0f", "（╯°□°）╯︵ ┻━┻", "ㅤ", "\u0344", "a" + "\u0301" * 300,
]  # fmt: skip
LONG = ["long " * 20_000, "=" * 50_000, '"' * 30_000, "'" * 30_000 + "=", "\n" * 10_000, "漢" * 100_000, "👍" * 20_000]
MARKUP = [
    f"{before}{inside}{after}"
    for before, after in (("", ""), ('"', '"'), ("'>", "<'"), ("</script>", ""), ("<!--", "-->"), ("&lt;", "&gt;"))
    for inside in (
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<a href=javascript:alert(1)>x</a>",
        "<iframe srcdoc='<p>'>",
        "<style>*{}</style>",
        "<base href=//x>",
        "{{constructor.constructor('1')()}}",
        "<%= 1 %>",
        "&#x3C;b&#62;",
    )
]
TERMINAL = [
    f"{start}{code}text{start}0m"
    for start in ("\x1b[", "\x9b", "\\033[", "^[[")
    for code in ("31m", "2J", "1;1H", "?25l", "5i", "]0;title\x07")
]
NUMBERS = [
    "1/0",
    "1E2", "1.00", "$1.00", "1e400", "-1e-400", "+0", "0.0/0", "0b10", "0o17", "1_000", "１２３", "١٢٣", "1,0", "1.0.0", "NaN%",
    "INF", "Infinity", "-Infinity", "1e", ".5", "5.", "2147483648", "-9223372036854775809", "0000", "1 000", "①", "Ⅷ", "10%", "12:30",
    "1-1", "3/4/5",
]  # fmt: skip
RESERVED = [
    "CON", "NUL", "aux.txt", "null\\0", "hasOwnProperty", "__proto__", "__class__", "toString", "then", "nil", "void", "none", "~", "yes",
    "no", "on", "off", "!!python/object", "&anchor", "*alias", "- a", "? b", "%YAML 1.2", "---", "...", "@attr", "key: value", "\\u0000",
]  # fmt: skip
KINDS = (FORMULAS, CONTROLS, UNSEEN, LINES, QUOTES, WORDS, SCRIPTS, LONG, MARKUP, TERMINAL, NUMBERS, RESERVED)
NAUGHTY = list(dict.fromkeys(text for kind in KINDS for text in kind))
# Labels that look like formulas, and one that an author wrote with the apostrophe.
LABELS = ["-1", "'-2", "@b"]


def write(texts: list[str], path: str) -> None:
    lines = [{"text": text, "label": LABELS[row % 3], "other": text[::-1], "film": f"={row}"} for row, text in enumerate(texts)]
    Path(path).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def exported(kind: str, path: str, capsysbinary: pytest.CaptureFixture[bytes], *, to: str) -> bytes:
    """What `prepsweep rows` prints of the rows as they were read, pairs of texts in groups."""
    columns = ["data.text_pair_column=" + ("other" if path.startswith("raw") else "text_pair")]
    columns += ["data.group_column=" + ("film" if path.startswith("raw") else "group")]
    assert main(["rows", f"data={kind}", f"data.path={path}", *columns, "--stage=data", f"--format={to}"]) == 0
    return capsysbinary.readouterr().out


def test_there_are_enough_of_every_kind() -> None:
    assert len(NAUGHTY) >= 515
    assert min(map(len, KINDS)) >= 7


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_every_text_label_and_group_comes_back_from_an_export(kind: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    texts = NAUGHTY + (["a\0b", "\0"] if kind == "jsonl" else [])
    write(texts, "raw.jsonl")
    before = exported("jsonl", "raw.jsonl", capsysbinary, to="jsonl")
    Path(f"again.{kind}").write_bytes(exported("jsonl", "raw.jsonl", capsysbinary, to=kind))
    after = exported(kind, f"again.{kind}", capsysbinary, to="jsonl")
    assert after == before, "uids included, which are hashes of the texts, the label and the split"
    rows = [json.loads(line) for line in after.decode().split("\n")[:-1]]
    assert [row["text"] for row in rows] == texts
    assert [row["text_pair"] for row in rows] == [text[::-1] for text in texts]
    assert [row["label"] for row in rows] == [LABELS[row % 3] for row in range(len(texts))]
    assert [row["group"] for row in rows] == [f"={row}" for row in range(len(texts))]
    Path(f"again.{kind}").rename(f"moved.{kind}")
    assert exported(kind, f"moved.{kind}", capsysbinary, to="jsonl") == after, "the same from the cache"


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_every_text_comes_through_parquet_and_packed_files(packed: bool, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write(NAUGHTY, "raw.jsonl")
    before = exported("jsonl", "raw.jsonl", capsysbinary, to="jsonl")
    if packed:
        Path("raw.jsonl.gz").write_bytes(gzip.compress(Path("raw.jsonl").read_bytes()))
        assert exported("jsonl", "raw.jsonl.gz", capsysbinary, to="jsonl") == before
        return
    rows = [json.loads(line) for line in Path("raw.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    arrow_parquet.write_table(pa.Table.from_pylist(rows), "raw.parquet")
    assert exported("parquet", "raw.parquet", capsysbinary, to="jsonl") == before


def test_a_file_of_somebody_else_keeps_its_apostrophes() -> None:
    Path("rows.csv").write_text("text,label\n'=1,'-x\n'-,y\n", encoding="utf-8")
    rows = csv(**arguments(path="rows.csv", delimiter=","))
    assert rows[:]["text"] == ["'=1", "'-"]
    assert rows[:]["label"] == ["'-x", "y"]


def test_an_export_keeps_the_apostrophes_that_were_there_before_it() -> None:
    Path("rows.csv").write_text(",".join(COLUMNS) + "\nu,''=1,'-x,,,source,1,\nv,'tis,'y,,,source,1,\n", encoding="utf-8")
    rows = csv(**arguments(path="rows.csv", delimiter=","))
    assert rows[:]["text"] == ["'=1", "'tis"]
    assert rows[:]["label"] == ["-x", "'y"]


def test_what_is_no_text_is_refused_at_its_line() -> None:
    for half in (r"\ud800", r"\udfff x", r"\udc00\ud800"):
        Path("rows.jsonl").write_text(f'{{"text": "a", "label": "x"}}\n{{"text": "{half}", "label": "y"}}\n')
        with refusal("rows.jsonl:2", "half of a surrogate pair", "take it out"):
            jsonl(**arguments(path="rows.jsonl"))
    Path("rows.csv").write_bytes(b"text,label\na,x\n\xed\xa0\x80,y\n")
    with refusal("rows.csv:3:1", "not UTF-8", "UTF-8"):
        csv(**arguments(path="rows.csv", delimiter=","))


def test_a_nul_that_csv_cannot_hold_is_refused_when_it_is_read_again(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write(["fine", "a\0b", "=1"], "raw.jsonl")
    Path("again.csv").write_bytes(exported("jsonl", "raw.jsonl", capsysbinary, to="csv"))
    with refusal("again.csv:3:30", "a NUL character", "take it out"):
        csv(**arguments(path="again.csv", delimiter=","))
