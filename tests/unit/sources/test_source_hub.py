"""Hub data sets: local folders, copies in the hub's cache, and everything without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from huggingface_hub import constants

from prepsweep.sources import hub as source
from prepsweep.sources.hub import fingerprint, hub
from tests.unit.sources.helpers import refusal

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No network, and caches of the test's own."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    source._commit.cache_clear()
    yield
    source._commit.cache_clear()


def write(folder: str | Path, split: str, texts: list[str], labels: list[int], names: tuple[str, ...] = ("neg", "pos")) -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=list(names))})
    table = Dataset.from_dict({"text": texts, "label": labels}, features=features).with_format("arrow")[:]
    (Path(folder) / "data").mkdir(parents=True, exist_ok=True)
    arrow_parquet.write_table(table, Path(folder) / "data" / f"{split}-00000-of-00001.parquet")


def call(**given: Any) -> Dataset:
    standard = {
        **dict.fromkeys(("config", "revision", "text_pair_column", "group_column", "time_column")),
        "text_column": "text",
        "label_column": "label",
        "carry_columns": [],
    }
    splits = {"train_split": "train", "dev_split": None, "test_split": None, "classes": None, "labels": None}
    return hub(**{**standard, **splits, **given})


def test_class_numbers_become_names_and_splits_are_mapped() -> None:
    write("set", "train", ["a", "NA", "c"], [0, 1, 0])
    write("set", "validation", ["d"], [1])
    write("set", "test", ["e"], [0])
    rows = call(name="set")
    assert (rows[:]["text"], rows[:]["label"], rows[:]["split"]) == (["a", "NA", "c"], ["neg", "pos", "neg"], [""] * 3)
    assert call(name="set", test_split="validation")[:]["split"] == [""] * 3 + ["test"]
    rows = call(name="./set", dev_split="validation", test_split="test", classes=["pos", "neg"])
    assert rows[:]["split"] == ["train"] * 3 + ["dev", "test"]
    assert rows[:]["label"] == ["neg", "pos", "neg", "pos", "neg"]


def test_edited_files_are_read_again() -> None:
    write("set", "train", ["a", "b"], [0, 1])
    before = fingerprint(name="set", revision=None)
    assert call(name="set")[:]["text"] == ["a", "b"]
    write("set", "train", ["a", "c"], [0, 1])
    assert call(name="set")[:]["text"] == ["a", "c"]
    assert fingerprint(name="set", revision=None) != before


def test_csv_labels_are_not_guessed() -> None:
    Path("set").mkdir()
    Path("set/train.csv").write_text('text,label,n\nNA,007,1\n"a\nb",None,2\n,null,3\n')
    rows = call(name="set")
    assert (rows[:]["text"], rows[:]["label"]) == (["NA", "a\nb", ""], ["007", "None", "null"])


def test_json_and_group() -> None:
    Path("set").mkdir()
    Path("set/train.jsonl").write_text('{"text": "a", "label": true, "film": 1}\n{"text": "b", "label": false, "film": 2}\n')
    rows = call(name="set", group_column="film")
    assert (rows[:]["label"], rows[:]["group"]) == (["true", "false"], ["1", "2"])


def test_what_is_refused() -> None:
    write("set", "train", ["a", "b"], [0, 1])
    write("set", "test", ["c", "d"], [0, -1])
    Path("empty").mkdir()
    Path("script").mkdir()
    Path("script/script.py").write_text("raise SystemExit('this code must not run')")
    Path("damaged").mkdir()
    Path("damaged/train.parquet").write_bytes(b"PAR1 not really")
    Path("configs").mkdir()
    Path("configs/README.md").write_text(
        "---\nconfigs:\n- config_name: de\n  data_files: de.csv\n- config_name: en\n  data_files: en.csv\n---\n", encoding="utf-8"
    )
    for language in ("de", "en"):
        Path(f"configs/{language}.csv").write_text(f"text,label\n{language},x\n")
    cases: list[tuple[dict[str, Any], str, str, str]] = [
        ({"name": "set", "train_split": "trian"}, "data.train_split", "no split 'trian'", "did you mean 'train'?"),
        ({"name": "set", "dev_split": "dev"}, "data.dev_split", "no split 'dev'", "choose one of 'test', 'train'"),
        ({"name": "set", "test_split": "train"}, "data.test_split", "is named twice", "data.test_split=null"),
        ({"name": "set", "test_split": "test"}, "set:test:2", "no label (-1)", "another split"),
        ({"name": "set", "label_column": "lable"}, "set:train", "no column 'lable'", "did you mean 'label'?"),
        ({"name": "set", "text_column": "label", "label_column": "text"}, "set:train", "holds int64, not text", "data.text_column"),
        ({"name": "set", "config": "plain"}, "data.config", "no configuration 'plain'", "'default'"),
        ({"name": "configs"}, "data.config", "has 2 configurations", "choose one of 'de', 'en'"),
        ({"name": "configs", "config": "EN"}, "data.config", "no configuration 'EN'", "did you mean 'en'?"),
        ({"name": "empty"}, "data.name", "cannot read empty", "data.path"),
        ({"name": "damaged"}, "data.name", "cannot read damaged", "data.path"),
        ({"name": "script"}, "data.name", "made by a script", "refs/convert/parquet"),
        ({"name": "./nowhere"}, "data.name", "no folder and no hub name", "owner/name"),
        ({"name": "owner/name"}, "data.name", "the hub cannot be reached", "data=csv"),
        ({"name": "owner/name", "revision": COMMIT}, "data.name", "the hub cannot be reached", "HF_HUB_OFFLINE=1"),
    ]
    for arguments, where, what, fix in cases:
        with refusal(where, what, fix):
            call(**arguments)
    assert call(name="configs", config="en")[:]["text"] == ["en"]


def cached_copy(tmp_path: Path, *, listed: list[str]) -> Path:
    """A data set in the hub's cache as the hub client leaves it: a branch, a commit, and the list of its files."""
    repository = tmp_path / "hub" / "datasets--owner--name"
    snapshot = repository / "snapshots" / COMMIT
    write(snapshot, "train", ["a", "b"], [0, 1])
    (snapshot / "README.md").write_text("# A data set\n")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "trees").mkdir()
    files = {name: {"size": 1, "blob_id": "0" * 40} for name in listed}
    (repository / "trees" / f"{COMMIT}.json").write_text(json.dumps({"format_version": 1, "files": files}))
    return snapshot


def test_without_a_network_the_copy_in_the_cache_is_used(tmp_path: Path) -> None:
    cached_copy(tmp_path, listed=["README.md", "data/train-00000-of-00001.parquet"])
    for revision in (None, "main", COMMIT):
        assert fingerprint(name="owner/name", revision=revision, text_column="text") == {"commit": COMMIT}
        assert call(name="owner/name", revision=revision)[:]["label"] == ["neg", "pos"]
    other = COMMIT[::-1]
    assert fingerprint(name="owner/name", revision=other) == {"commit": other}
    with refusal("data.name", "its cache has no whole copy of owner/name", "data.name to a folder"):
        call(name="owner/name", revision=other)


def test_half_a_copy_is_not_used(tmp_path: Path) -> None:
    cached_copy(tmp_path, listed=["README.md", "data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"])
    with refusal("data.name", "no whole copy of owner/name", "HF_HUB_OFFLINE=1"):
        call(name="owner/name")


def test_rows_without_a_label_in_parquet() -> None:
    Path("set").mkdir()
    arrow_parquet.write_table(pa.table({"text": ["a", "b"], "label": ["x", None]}), "set/train.parquet")
    with refusal("set:train:2", "the label is missing", "take the row out"):
        call(name="set")
