"""Every data option as the command line gives it, through the framework."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest
import yaml

import prepsweep.conf
from prepsweep.stages import Stage, source_of
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


@pytest.mark.parametrize("option", [*FILES, "hub"])
def test_pairs_of_texts(option: str) -> None:
    columns = {"premise": ["a", "", "c"], "hypothesis": ["b", "NA", ""], "label": ["x", "y", "x"]}
    place = {"hub": "folder/train.parquet"}.get(option, f"rows.{option}")
    Path("folder").mkdir()

    def write(**changed: list[Any]) -> None:
        table = pa.table(columns | changed)
        if option == "csv":
            Path(place).write_text("premise,hypothesis,label\n" + "".join(",".join(row.values()) + "\n" for row in table.to_pylist()))
        elif option == "jsonl":
            Path(place).write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
        else:
            arrow_parquet.write_table(table, place)

    def source(pair: str) -> Stage:
        named = [f"data={option}", "data.name=folder" if option == "hub" else f"data.path={place}", "data.text_column=premise"]
        return source_of(compose(*named, f"data.text_pair_column={pair}"))

    write()
    rows = source("hypothesis")().rows
    assert [(row["text"], row["text_pair"], row["label"]) for row in rows] == list(zip(*columns.values(), strict=True))
    assert "text_pair" not in source("null")().rows.column_names
    assert not set(rows["uid"]) & set(source("null")().rows["uid"])
    assert source("hypothesis").key(None) != source("null").key(None)
    where = "folder:train" if option == "hub" else place
    with refusal(
        where + (":1" if option in ("csv", "jsonl") else ""), "'hypotheses'", "set data.text_pair_column: did you mean 'hypothesis'?"
    ):
        source("hypotheses")()
    for name, argument in (("premise", "text_column"), ("label", "label_column")):
        with refusal("data.text_pair_column", f"{name!r} is data.{argument} too", "second texts"):
            source(name)
    if option != "csv":
        write(hypothesis=[1, 2, 3])
        with refusal(where + (":1" if option == "jsonl" else ""), "not", "text"):
            source("hypothesis")()
        write(hypothesis=["b", None, "d"])
        with refusal(f"{where}:2", "null", ""):
            source("hypothesis")()


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
