"""What `prepsweep predict` refuses, in one line and with nothing written; which stages it runs; how it reads and writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from prepsweep.cli import main
from prepsweep.errors import Refused
from prepsweep.predict.answers import label_set, number, one_class
from prepsweep.predict.preparation import rewrites
from prepsweep.predict.rows_in import ROWS_AT_ONCE, Records, opened
from prepsweep.progress import bar, track

CONF = Path(__file__).parents[3] / "src" / "prepsweep" / "conf" / "clean"
REWRITE = {"contractions", "emoji", "html", "normalize_unicode", "pii", "strip_markup"}


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_model, tmp_path / "m")


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The line that a command is refused with; nothing else is said, nothing is written."""
    before = sorted(Path().rglob("*"))
    assert main(["predict", *argv]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1, said.err
    assert not said.out
    assert sorted(Path().rglob("*")) == before
    return said.err


def test_the_stages_that_rewrite_texts_are_known_by_what_they_use() -> None:
    options = {file.stem: yaml.safe_load(file.read_text()) for file in CONF.glob("*.yaml")}
    targets = {name: option["_target_"] for name, option in options.items() if option and "_target_" in option}
    assert len(targets) >= 14
    assert {name for name, target in targets.items() if rewrites(target)} == REWRITE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("txt\na\n", "did you mean 'txt'?"),
        ("text,prediction\na,b\n", "has a column 'prediction' already"),
        ("text,text\na,b\n", "two columns are named 'text'"),
        ("text,b\na,b\nc\n", "cannot be read as csv"),
        ("text,b\n", "the file has no rows"),
        ("", "cannot be read as csv"),
        ("x" * 200_000 + "\n", "cannot be read as csv: field larger than field limit"),
        (
            f'text,b\n"{"long " * 500_000}",1\n',
            "a row is larger than 1 MB, or a quote is not closed. fix: close it",
        ),
    ],
    ids=str.__len__,
)
def test_a_csv_that_cannot_be_read(content: str, said: str, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.csv").write_text(content, encoding="utf-8")
    assert said in refused(capsys, str(model), "x.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"text": "a"}\n{"text": null}\n', "x.jsonl:2: 'text' is missing (null)"),
        ('{"text": "a"}\n{"n": 1}\n', "x.jsonl:2: 'text' is missing"),
        ('{"txt": "a"}\n', "did you mean 'txt'?"),
        ('{"text": 3}\n', "x.jsonl:1: 'text' is no string"),
        ('{"text": "a"}\n\n{"text": "b"}\n', "x.jsonl:2: a blank line"),
        ('{"text": "a"}\n{"text": "b", "p_LABEL_0": 1}\n', "x.jsonl:2: has a key 'p_LABEL_0' already"),
        ('{"text": "a"}\n[1]\n', "x.jsonl:2: the line holds a list"),
        ('{"text": "\\ud800"}\n', "x.jsonl:1: 'text' holds half of a surrogate pair"),
        ('{"text": "a"', "cut off"),
    ],
)
def test_json_lines_that_cannot_be_read(content: str, said: str, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.jsonl").write_text(content, encoding="utf-8")
    assert said in refused(capsys, str(model), "x.jsonl")


def test_parquet_that_cannot_be_read(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"text": ["a", None]}), "null.parquet")
    pq.write_table(pa.table({"text": [1, 2]}), "numbers.parquet")
    Path("broken.parquet").write_bytes(Path("null.parquet").read_bytes()[:-9])
    assert "null.parquet:2: 'text' is missing" in refused(capsys, str(model), "null.parquet")
    assert "holds int64, not text" in refused(capsys, str(model), "numbers.parquet")
    assert "cannot be read as parquet" in refused(capsys, str(model), "broken.parquet")


def test_files_and_options_that_cannot_be_meant(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.csv").write_text("text\na\n", encoding="utf-8")
    for argv, said in [
        (["y.csv"], "did you mean 'x.csv'?"),
        (["x.txt"], "its name does not say what it is"),
        (["x.csv", "--out", "x.csv"], "is FILE itself"),
        (["x.csv", "--out", "no/y.csv"], "there is no folder no"),
        (["x.csv", "--out", "y.csv.gz"], "cannot write .gz"),
        (["x.csv", "--device", "gpuu"], "--device"),
        (["x.csv", "--batch-size", "0"], "at least 1"),
        (["x.csv", "--pair-column", "z"], "set --pair-column"),
    ]:
        assert said in refused(capsys, str(model), *argv)


def edited(model: Path, name: str, change: Callable[[dict[str, object]], object]) -> None:
    values = json.loads((model / name).read_text())
    change(values)
    (model / name).write_text(json.dumps(values))


def test_models_that_are_not_loaded(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.csv").write_text("text\na\n", encoding="utf-8")

    def copy(name: str) -> Path:
        return shutil.copytree(model, tmp_path / name)

    assert "no such folder" in refused(capsys, "nowhere", "x.csv")
    assert "has no config.json" in refused(capsys, str(tmp_path), "x.csv")
    pickled = copy("pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    assert "a pickle, which can run code" in refused(capsys, str(pickled), "x.csv")
    edited(foreign := copy("foreign"), "config.json", lambda values: values.update(auto_map={"AutoModel": "x.Y"}))
    assert "brings code of its own" in refused(capsys, str(foreign), "x.csv")
    edited(masked := copy("masked"), "config.json", lambda values: values.update(architectures=["BertForMaskedLM"]))
    assert "is no classifier but BertForMaskedLM" in refused(capsys, str(masked), "x.csv")
    cut = copy("cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:999])
    assert "cannot be loaded" in refused(capsys, str(cut), "x.csv")
    edited(headless := copy("headless"), "config.json", lambda values: values.update(architectures=["BertForTokenClassification"]))
    assert refused(capsys, str(headless), "x.csv")
    (bad := copy("bad")).joinpath("preparation.json").write_text("{}")
    assert "preparation.json: cannot be read" in refused(capsys, str(bad), "x.csv")
    evil = {
        "clean": {"x": {"_target_": "os.system", "_partial_": True}},
        "preprocess": {"tokenize": {"max_length": 9, "truncation": "drop"}},
    }
    bad.joinpath("preparation.json").write_text(json.dumps(evil | {"pairs": False, "precision": "32-true"}))
    assert "not in a trusted package" in refused(capsys, str(bad), "x.csv")


def test_a_fault_in_a_late_row_leaves_what_was_there(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ['{"text": "a"}'] * (ROWS_AT_ONCE + 1) + ['{"text": 1}']
    Path("x.jsonl").write_text("\n".join(lines), encoding="utf-8")
    Path("x.predictions.jsonl").write_text("old")
    assert f"x.jsonl:{ROWS_AT_ONCE + 2}" in refused(capsys, str(model), "x.jsonl")
    assert Path("x.predictions.jsonl").read_text() == "old"


def test_a_key_that_comes_late_cannot_be_a_column(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.jsonl").write_text('{"text": "a"}\n' * ROWS_AT_ONCE + '{"text": "a", "b": 1}\n', encoding="utf-8")
    assert "the key 'b'" in refused(capsys, str(model), "x.jsonl", "--out", "y.csv")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_is_read_in_parts(kind: str) -> None:
    n_rows = 2 * ROWS_AT_ONCE + 5
    path = Path(f"x.{kind}")
    if kind == "parquet":
        pq.write_table(pa.table({"text": [str(n) for n in range(n_rows)]}), path)
    else:
        lines = ['"text"', *(f'"{n}"' for n in range(n_rows))] if kind == "csv" else [f'{{"text": "{n}"}}' for n in range(n_rows)]
        path.write_text("\n".join(lines))
    with opened(path) as rows:
        parts = list(rows.parts)
        assert rows.done() == rows.total
    assert [len(part) for part in parts] == [ROWS_AT_ONCE, ROWS_AT_ONCE, 5]
    texts = [
        text
        for part in parts
        for text in ([row["text"] for row in part.values] if isinstance(part, Records) else part.column("text").to_pylist())
    ]
    assert texts == [str(n) for n in range(n_rows)]


def test_answers() -> None:
    logits = np.array([[0.0, np.log(3)], [5, -5]], dtype=np.float32)
    found = one_class(logits, ["a", "b"], {}).to_pydict()
    assert found["prediction"] == ["b", "a"]
    assert found["p_b"][0] == pytest.approx(0.75)
    assert label_set(logits, ["b", "a"], {"threshold": 0.4}).to_pydict()["prediction"] == [["a", "b"], ["b"]]
    assert label_set(logits, ["b", "a"], {"threshold": 0.6}).to_pydict()["prediction"] == [["a"], ["b"]]
    assert number(logits[:, 1:], ["n"], {"label_mean": 10, "label_deviation": 2}).to_pydict()["prediction"][1] == 0


def test_a_bar_inside_a_bar_shows_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with bar("outer", total=3) as tell:
        assert list(track([1, 2], "inner")) == [1, 2]
        tell(3)
    said = capsys.readouterr().err
    assert "outer" in said
    assert "inner" not in said
    assert list(track([1], "inner")) == [1]
    assert "inner" in capsys.readouterr().err


def test_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(Refused, match=r"x\.parquet\.gz: its name"), opened(Path("x.parquet.gz")):
        pass
