"""Tags of words, from a file to the record, for every augmentation and every balance that may be."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from seqeval.metrics import f1_score, precision_score, recall_score

from prepsweep.cli import main
from prepsweep.errors import Refused
from prepsweep.planning import built_stages
from prepsweep.training import train
from tests.conftest import FILLER, GOOD, PLOT, compose
from tests.contract.stage_options import is_stage, options_of
from tests.records import record_of

AUGMENT, BALANCE = (
    ("none", "duplicate", "span_replace"),
    [option for option in options_of("balance") if option not in ("embedding_smote", "focal", "logit_adjust")],
)


def made_rows(n_rows: int) -> list[tuple[list[str], list[str]]]:
    """Sentences with none, one or two entities of two words: quality (good words) and crime (words of a plot)."""
    rng = random.Random(0)
    rows = []
    for number in range(n_rows):
        tokens, tags = [rng.choice(FILLER)], ["O"]
        for kind, words in (("quality", GOOD), ("crime", PLOT))[: number % 3]:
            tokens += [rng.choice(words), rng.choice(words), rng.choice(FILLER)]
            tags += [f"B-{kind}", f"I-{kind}", "O"]
        rows.append(([*tokens, str(number)], [*tags, "O"]))
    return rows


@pytest.fixture
def tags_jsonl(tmp_path: Path) -> Path:
    path = tmp_path / "tags.jsonl"
    path.write_text("".join(json.dumps({"tokens": tokens, "tags": tags}) + "\n" for tokens, tags in made_rows(150)), encoding="utf-8")
    return path


def composed(data: Path, model: Path | str, *overrides: str) -> list[str]:
    kind = {".jsonl": "jsonl", ".parquet": "parquet", ".conll": "conll"}[data.suffix]
    columns = [] if kind == "conll" else ["data.text_column=tokens", "data.label_column=tags"]
    options = ["preprocess.tokenize.max_length=32", "trainer=cpu", "logger=none"]
    return ["task=token_classification", f"data={kind}", f"data.path={data}", *columns, f"model.name={model}", *options, *overrides]


def run(run_dir: Path, data: Path, model: Path, *overrides: str) -> dict[str, Any]:
    best = train(compose(*composed(data, model, *overrides)), run_dir=run_dir, choices={})
    record = record_of(run_dir)
    assert best == record["metrics"]["val"]["micro_f1"]
    return record


@pytest.mark.parametrize(
    ("augment", "balance"), [(AUGMENT[i % 3], balance) for i, balance in enumerate(BALANCE)] + [("span_replace", "none")]
)
def test_every_augment_and_balance_that_may_be(augment: str, balance: str, tmp_path: Path, tags_jsonl: Path, tiny_model: Path) -> None:
    cap = ["balance.cap_per_class.n_rows=10"] if balance == "cap_per_class" else []
    steps = ("budget=steps", "budget.steps=2")
    record = run(tmp_path / "run", tags_jsonl, tiny_model, f"augment={augment}", f"balance={balance}", *cap, *steps)
    for stage in record["data"]["stages"]:
        assert stage["rows_in"] + stage["rows_added"] == stage["rows_out"] + sum(stage["dropped"].values())
    assert record["data"]["classes"] == ["crime", "quality"]


@pytest.mark.parametrize("option", [option for option in options_of("augment") if is_stage("augment", option) and option not in AUGMENT])
def test_what_rewrites_texts_is_refused(option: str, tags_jsonl: Path, tiny_model: Path) -> None:
    cfg = compose(*composed(tags_jsonl, tiny_model, f"augment={option}"))
    with pytest.raises(Refused) as error:
        built_stages(cfg)
    assert error.value.where.startswith(f"augment.{option}")


def test_the_refusal_names_what_works(tags_jsonl: Path, tiny_model: Path) -> None:
    with pytest.raises(Refused) as error:
        built_stages(compose(*composed(tags_jsonl, tiny_model, "augment=eda")))
    assert str(error.value) == "augment.eda: does not work on tags of tokens. fix: use augment=duplicate or span_replace"


def test_a_run_learns_and_is_scored_as_seqeval_scores(tmp_path: Path, tags_jsonl: Path, tiny_model: Path) -> None:
    record = run(tmp_path / "run", tags_jsonl, tiny_model, "budget.epochs=20", "model.learning_rate=5e-3")
    test = record["metrics"]["test"]
    assert test["micro_f1"] > 0.9
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    labels, predictions = ([json.loads(row[name]) for row in rows] for name in ("label", "prediction"))
    assert [len(tags) for tags in labels] == [len(tags) for tags in predictions]
    for name, score in (("micro_f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        assert test[name] == pytest.approx(score(labels, predictions, zero_division=0))
    assert test["macro_f1"] == pytest.approx(f1_score(labels, predictions, average="macro", zero_division=0))


def test_words_that_were_cut_count_as_missed(tmp_path: Path, tags_jsonl: Path, tiny_model: Path) -> None:
    options = ("preprocess.tokenize.max_length=5", "budget=steps", "budget.steps=2")
    record = run(tmp_path / "run", tags_jsonl, tiny_model, *options)
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    cut = [json.loads(row["prediction"])[4:] for row in rows]
    assert any(cut)
    assert {tag for tags in cut for tag in tags} == {"O"}
    n_crimes = sum(json.loads(row["label"]).count("B-crime") for row in rows)
    assert record["metrics"]["test"]["per_class"]["crime"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": n_crimes}


def test_the_three_formats_give_the_same_rows(tmp_path: Path, tags_jsonl: Path, tiny_model: Path) -> None:
    rows = made_rows(150)
    parquet, conll = tmp_path / "tags.parquet", tmp_path / "tags.conll"
    pq.write_table(pa.table({"tokens": [tokens for tokens, _ in rows], "tags": [tags for _, tags in rows]}), parquet)
    sentences = ["".join(f"{token} NN {tag}\n" for token, tag in zip(*row, strict=True)) for row in rows]
    conll.write_text("-DOCSTART- -X- O\n\n" + "\n".join(sentences), encoding="utf-8")
    steps = ("budget=steps", "budget.steps=1")
    found = [run(tmp_path / f"run{data.suffix}", data, tiny_model, *steps)["data"]["splits"] for data in (tags_jsonl, parquet, conll)]
    assert found[0] == found[1] == found[2]


def test_plain_tags_are_scored_word_by_word(tmp_path: Path, tiny_model: Path) -> None:
    data = tmp_path / "pos.jsonl"
    rows = [(tokens, ["WORD" if tag == "O" else "NAME" for tag in tags]) for tokens, tags in made_rows(90)]
    data.write_text("".join(json.dumps({"tokens": tokens, "tags": tags}) + "\n" for tokens, tags in rows), encoding="utf-8")
    options = ("task.labels.scheme=plain", "budget.epochs=20", "model.learning_rate=5e-3")
    test = run(tmp_path / "run", data, tiny_model, *options)["metrics"]["test"]
    assert test["accuracy"] == pytest.approx(test["micro_f1"])
    assert test["accuracy"] > 0.9


BAD = {
    "one tag too few": ({"tokens": ["a", "b"], "tags": ["O"]}, "2 tokens and 1 tags"),
    "not BIO": ({"tokens": ["a"], "tags": ["NN"]}, "tag 'NN' is not BIO"),
    "a blank token": ({"tokens": [" "], "tags": ["O"]}, "a token that is blank"),
    "no tokens": ({"tokens": [], "tags": []}, "a sentence without tokens"),
    "a text": ({"tokens": "a b", "tags": ["O", "O"]}, "'a b' is no list of tokens"),
    "null": ({"tokens": ["a"], "tags": None}, "'tags' is null"),
}


@pytest.mark.parametrize(("row", "what"), BAD.values(), ids=BAD)
def test_a_bad_row_is_refused_with_its_line(
    row: dict[str, Any], what: str, tags_jsonl: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tags_jsonl.read_text(encoding="utf-8").splitlines()
    lines[4] = json.dumps(row)
    tags_jsonl.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["train", *composed(tags_jsonl, tiny_model)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith(f"error: {tags_jsonl}:5: {what}. fix: "), said


def test_cleaning_that_rewrites_texts_and_windows_are_refused(
    tags_jsonl: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *composed(tags_jsonl, tiny_model, "clean=normalize_unicode")]) == 2
    assert "clean.normalize_unicode: does not work on tags of tokens" in capsys.readouterr().err
    assert main(["train", *composed(tags_jsonl, tiny_model, "preprocess.tokenize.truncation=window", "preprocess.tokenize.stride=8")]) == 2
    assert "tokens with tags are not read in windows" in capsys.readouterr().err
