"""The queue holds train rows only, finds planted errors, and is the same for any order of the rows."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from prepsweep.annotate.origins import LABEL_ORIGIN, SOFT_LABEL
from prepsweep.cli import main
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.review.queue import queue_of
from tests.conftest import make_reviews, rows_of
from tests.unit.refine.conftest import count_words, noisy_reviews, words_as_vectors

__all__ = ["words_as_vectors"]
ARGUMENTS = {"seed": 0, "n_folds": 5, "penalty": 1.0}


def queued(table: pa.Table, budget: int = 60) -> pa.Table:
    table = table.sort_by("uid")
    return queue_of(table, count_words(table.column("text").to_pylist()), budget=budget, **ARGUMENTS)


def test_planted_errors_come_first() -> None:
    rows, planted = noisy_reviews(600, 0.1)
    found = queued(table_of(rows))
    assert len(found) == 60
    n_planted = len(set(found.column("uid").to_pylist()) & set(planted))
    assert n_planted >= 25, "at random it would be 6"
    assert "the label is doubtful" in found.column("reason").to_pylist()


def test_the_order_of_the_rows_does_not_matter() -> None:
    table = table_of(noisy_reviews(200, 0.1)[0])
    mixed = table.take(pa.array(np.random.default_rng(0).permutation(len(table))))
    assert queued(table).equals(queued(mixed))


def test_rows_on_which_the_votes_disagree_are_asked_about() -> None:
    table = table_of(rows_of(make_reviews(100), "train")).sort_by("uid")
    soft = [json.dumps({"fresh": 0.5, "plot": 0.5}) if place == 7 else None for place in range(len(table))]
    found = queued(table.append_column(SOFT_LABEL, pa.array(soft, pa.string())), budget=100)
    reasons = dict(zip(found.column("uid").to_pylist(), found.column("reason").to_pylist(), strict=True))
    assert reasons[table.column("uid")[7].as_py()] == "the votes disagree"


def test_rows_that_were_reviewed_are_not_asked_about_again() -> None:
    table = table_of(rows_of(make_reviews(60), "train")).sort_by("uid")
    origins = ["reviewed" if place < 50 else "gold" for place in range(60)]
    found = queued(table.append_column(LABEL_ORIGIN, pa.array(origins)), budget=60)
    assert sorted(found.column("uid").to_pylist()) == table.column("uid").to_pylist()[50:]


def test_rows_without_a_label_come_first() -> None:
    pairs = [(text, "" if place < 10 else label) for place, (text, label) in enumerate(make_reviews(100))]
    found = queued(table_of(rows_of(pairs, "train")), budget=10)
    assert set(found.column("reason").to_pylist()) == {"no label yet"}
    nothing = queued(table_of(rows_of([(text, "") for text, _ in pairs], "train")), budget=10)
    assert len(nothing) == 10
    assert set(nothing.column("suggested").to_pylist()) == {""}


def test_labels_of_one_class_teach_nothing() -> None:
    with pytest.raises(Refused, match="all 'fresh'"):
        queued(table_of(rows_of([(text, "fresh" if place else "") for place, (text, _) in enumerate(make_reviews(30))], "train")))


def exported(tmp_path: Path, reviews_csv: Path, tiny_model: Path, *options: str) -> Path:
    out = tmp_path / "queue.csv"
    overrides = [
        "data=csv",
        f"data.path={reviews_csv}",
        f"refine.label_errors.checkpoint={tiny_model}",
        f"paths.cache_dir={tmp_path}/cache",
    ]
    assert main(["review", "export", *overrides, "--budget", "20", "--out", str(out), *options]) == 0
    return out


def rows_in(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline="")))


@pytest.mark.usefixtures("words_as_vectors")
def test_the_command_writes_train_rows_only(
    tmp_path: Path, reviews_csv: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = exported(tmp_path, reviews_csv, tiny_model)
    assert "20 of" in capsys.readouterr().out
    uids = {row["uid"][2:] for row in rows_in(out)}
    assert main(["rows", "data=csv", f"data.path={reviews_csv}", f"paths.cache_dir={tmp_path}/cache", "--format=jsonl"]) == 0
    split = {row["uid"]: row["split"] for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {split[uid] for uid in uids} == {"train"}
    # The vectors are in the cache: no encoder is asked again.
    monkeypatch.setattr("prepsweep.embeddings._embedded", lambda *_, **__: pytest.fail("embedded again"))
    first = out.read_bytes()
    out.unlink()
    assert exported(tmp_path, reviews_csv, tiny_model, "refine=outliers").read_bytes() == first


@pytest.mark.usefixtures("words_as_vectors")
def test_a_file_that_is_there_is_not_overwritten(
    tmp_path: Path, reviews_csv: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = exported(tmp_path, reviews_csv, tiny_model)
    before = out.read_bytes()
    assert main(["review", "export", "--budget", "5", "--out", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage"),
        (["exprot"], "did you mean 'export'"),
        (["export", "--out", "x.csv"], "--budget"),
        (["export", "--budget", "0", "--out", "x.csv"], "at least 1"),
        (["export", "--budget", "5", "--out", "/nowhere/x.csv"], "no folder"),
        (["serve", "nothing.csv"], "nothing.csv"),
    ],
)
def test_mistakes_are_refused_in_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", *arguments]) == 2
    shown = capsys.readouterr()
    assert said in shown.err + shown.out
    assert shown.err.count("\n") <= 1
