"""Every data option as the command line gives it, through the framework."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest
import yaml

import prepsweep.conf
from prepsweep.stages import source_of
from tests.conftest import compose
from tests.unit.sources.helpers import refusal

FOLDER = Path(next(iter(prepsweep.conf.__path__))) / "data"
FILES = ("csv", "jsonl", "parquet")
HUB = ("hub", "imdb", "ag_news", "sst2", "banking77")
ROWS = [("a film", "pos"), ("another", "neg")]


@pytest.fixture
def data() -> None:
    """The same two rows in every form."""
    columns = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    arrow_parquet.write_table(pa.table(columns), "rows.parquet")
    Path("rows.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS))
    Path("rows.jsonl").write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS))


@pytest.mark.parametrize("option", FILES)
def test_file_options(option: str, data: None) -> None:
    source = source_of(compose(f"data={option}", f"data.path=rows.{option}"))
    assert [(row["text"], row["label"], row["split"]) for row in source().rows] == [(text, label, "") for text, label in ROWS]
    before = source.key(None)
    Path(f"rows.{option}").rename("renamed")
    assert source_of(compose(f"data={option}", "data.path=renamed")).key(None) == before


@pytest.mark.parametrize("option", HUB)
def test_hub_options(option: str) -> None:
    settings = yaml.safe_load((FOLDER / f"{option}.yaml").read_text(encoding="utf-8"))
    splits = {settings[f"{split}_split"] for split in ("train", "dev", "test")} - {None}
    Path("copy").mkdir()
    for place, split in enumerate(sorted(splits)):
        rows = pa.table({settings["text_column"]: [f"{place}", "b"], settings["label_column"]: ["x", "y"]})
        arrow_parquet.write_table(rows, f"copy/{split}.parquet")
    source = source_of(compose(f"data={option}", "data.name=copy"))
    assert set(source().rows[:]["split"]) == ({"", "test"} if option != "hub" else {""})
    assert source.key(None)


def test_pinned_revisions_are_commits() -> None:
    for option in HUB[1:]:
        settings = yaml.safe_load((FOLDER / f"{option}.yaml").read_text(encoding="utf-8"))
        assert len(settings["revision"]) == 40
        assert int(settings["revision"], 16)


def test_a_file_that_must_be_named() -> None:
    for option in (*FILES, "hub"):
        name = "name" if option == "hub" else "path"
        with refusal(f"data.{name}", "is not set", f"data.{name}=…"):
            source_of(compose(f"data={option}"))


def test_a_missing_file_is_refused_with_a_hint_before_anything_is_read(data: None) -> None:
    source = source_of(compose("data=csv", "data.path=row.csv"))
    with refusal("data.path", "no such file: row.csv", "did you mean 'rows.csv'?"):
        source.key(None)


@pytest.mark.parametrize("option", [*FILES, "hub"])
def test_values_are_refused_before_a_file_is_opened(option: str) -> None:
    named = [f"data={option}", "data.name=none" if option == "hub" else "data.path=none"]
    with refusal("data.label_column", "'label' is data.text_column too", "classes"):
        source_of(compose(*named, "data.text_column=label"))
    with refusal("data.classes", "1 is not text", "data.classes=['1',…]"):
        source_of(compose(*named, "data.classes=[1,2]"))
    if option == "csv":
        with refusal("data.delimiter", "one ASCII character", "semicolon"):
            source_of(compose(*named, "data.delimiter=commas"))
