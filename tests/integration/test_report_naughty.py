"""515 naughty strings through the report, as names of studies, arms, classes and rows: nothing runs, nothing is lost, nothing breaks."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pytest
from playwright.sync_api import Browser

from prepsweep.compare.findings import Findings, find
from prepsweep.compare.records import read_studies
from prepsweep.compare.report import write_report
from prepsweep.compare.report.markdown import code
from prepsweep.compare.sinks import to_tensorboard, to_wandb
from prepsweep.compare.slices import FEWEST_ROWS
from prepsweep.csv_cells import restore
from prepsweep.tracking import tags
from prepsweep.visible import cut
from prepsweep.wandb_runs import open_run
from tests.browser import browser, needs_chromium
from tests.unit.compare.made_study import Rows, write_run
from tests.unit.sources.test_round_trip import NAUGHTY

__all__ = ["browser"]

# The longest are 100,000 characters: a megabyte in each of ten tables.
STRINGS = [text[:1000] for text in NAUGHTY if text != "none"]
PARTS = [STRINGS[first::9] for first in range(9)]
N_ARMS = 4
FACTORS = ("augment", "balance", "clean", "annotate", "refine", "preprocess")
FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
OF_ONE = "(selector) => [...document.querySelectorAll(selector)].map((one) => one.textContent)"


class Made(NamedTuple):
    """The report of a study in which everything that has a name has a naughty one."""

    folder: Path
    names: list[str]
    found: Findings


def folder_name(name: str) -> str:
    """As much of it as a file system takes."""
    return name.replace("/", "∕").strip(".")[:60] or "nothing"


def made(folder: Path, strings: Sequence[str]) -> Made:
    """Four strings are arms with two seeds, the others choices of runs that have no partner; all are classes and in the uids."""
    names = list(dict.fromkeys(strings))
    rows = Rows(FEWEST_ROWS * len(names), classes=names)
    rows.labels = np.arange(len(rows.labels)) % len(names)
    rows.uids = [f"{names[number % len(names)]}{number}" for number in range(len(rows.labels))]
    arms = [({"augment": name}, seed) for name in ("none", *names[:N_ARMS]) for seed in range(2)]
    arms += [
        (dict(zip(FACTORS, names[first : first + len(FACTORS)], strict=False)), 9) for first in range(N_ARMS, len(names), len(FACTORS))
    ]
    for number, (arm, seed) in enumerate(arms):
        study = folder / "studies" / folder_name(names[number])
        write_run(study, rows, choices=dict.fromkeys(FACTORS, "none") | arm, name=f"{number}", seed=seed, p_right=0.8)
    found = find(read_studies(sorted((folder / "studies").iterdir())), metric="macro_f1", delta=0.01, baselines={}, by=("class", "length"))
    write_report(found, folder, command=strings[0])
    return Made(folder, names, found)


@pytest.fixture(scope="module", params=range(len(PARTS)))
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("report"), PARTS[request.param])


def shown(names: Sequence[str]) -> list[str]:
    return [cut(name, 300) for name in names]


@needs_chromium
def test_a_page_of_such_names_runs_nothing_and_shows_them_all(browser: Browser, report: Made) -> None:
    said: list[str] = []
    address = (report.folder / "report.html").as_uri()
    context = browser.new_context(viewport={"width": 400, "height": 900})
    page = context.new_page()
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: said.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert said == [address]
    assert page.evaluate("document.scripts.length") == 1
    assert page.evaluate("[...document.all].flatMap((one) => one.getAttributeNames()).filter((name) => name.startsWith('on'))") == []
    tags_there = set(page.evaluate("[...document.all].map((one) => one.localName)"))
    assert not tags_there & {"img", "iframe", "object", "embed", "form", "link", "base", "animate"}
    assert page.evaluate(OF_ONE, "#effects-table tbody th") == shown([one.name for one in report.found.contrasts])
    assert page.evaluate(OF_ONE, "#left-out-table tbody th") == shown([choice for choice, _ in report.found.left_out])
    assert set(page.evaluate(OF_ONE, "#classes table.shades tbody th")) == set(shown(report.names))
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    context.close()


def test_the_other_files_hold_every_name_exactly(report: Made) -> None:
    document = json.loads((report.folder / "report.json").read_bytes())
    assert {one["choice"] for one in document["contrasts"]} == set(report.names[:N_ARMS])
    assert {one["choice"].split("=", 1)[1] for one in document["left_out"]} == set(report.names[N_ARMS:])
    assert {one["value"] for one in document["slices"] if one["kind"] == "class"} == set(report.names)
    text = (report.folder / "report.md").read_text(encoding="utf-8")
    rows = [line.split(" | `none` | ")[0] for line in text.split("\n") if line.startswith("| `")]
    assert rows == [f"| {code(one.name)}" for one in report.found.contrasts]


def test_the_tables_that_are_downloaded_hold_no_formula(report: Made) -> None:
    html = (report.folder / "report.html").read_text(encoding="utf-8")
    links = dict(re.findall(r'download="([^"]+)" href="data:text/csv;charset=utf-8,([^"]*)"', html))
    assert len(links) > 5
    for name, link in links.items():
        lines = list(csv.reader(io.StringIO(unquote(link).removeprefix("\ufeff"), newline="")))
        assert {len(line) for line in lines} == {len(lines[0])}, name
        texts = [cell for line in lines for cell in line if not re.fullmatch(r"-?[\d.e+-]+|nan", cell)]
        assert not any(FORMULA.match(text) for text in texts), name
        if name == "effects-table.csv":
            arms = restore(pa.array([line[0] for line in lines[1:]])).to_pylist()
            assert arms == [one.name for one in report.found.contrasts]


def test_the_sinks_take_every_name(tmp_path: Path) -> None:
    report = made(tmp_path, PARTS[0])
    to_tensorboard(report.found, tmp_path / "tensorboard")
    to_wandb(report.found, tmp_path / "report.html", mode="offline")
    named = [tag for name in STRINGS for tag in tags({"augment": name})]
    run = open_run(mode="offline", project="prepsweep", dir=str(tmp_path), tags=named)
    try:
        assert set(run.tags) == set(named)
    finally:
        run.finish()
