"""SMOTE in a run: it changes what is learned, states are shared with other arms, and dev and test are those of these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from prepsweep.cli import train
from tests.conftest import make_reviews
from tests.integration.test_train import run

QUICK = ["method=head", "trainer.precision=32-true", "logger=none", "budget.epochs=2", "model.batch_size=8", "model.learning_rate=1e-2"]


@pytest.fixture
def uneven_csv(tmp_path: Path) -> Path:
    """60 rows of one class, 14 of another, 6 of a third."""
    rows = make_reviews(120)
    kept = [pair for label, n in (("fresh", 60), ("rotten", 14), ("plot", 6)) for pair in [pair for pair in rows if pair[1] == label][:n]]
    path = tmp_path / "uneven.csv"
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in kept), encoding="utf-8")
    return path


def outcome(tmp_path: Path, *given: Any) -> tuple[dict[str, Any], Any]:
    record = run(tmp_path, *given, *QUICK)
    return record, pq.read_table(tmp_path / "run" / "predictions.parquet")


@pytest.mark.usefixtures("one_thread")
def test_points_bring_classes_to_their_target_and_change_what_is_learned(tmp_path: Path, uneven_csv: Path, tiny_model: Path) -> None:
    plain, copied, first, again, other = (
        outcome(tmp_path, uneven_csv, tiny_model, f"balance={balance}", f"seeds.data={seed}")
        for balance, seed in (("none", 0), ("oversample", 0), ("embedding_smote", 0), ("embedding_smote", 0), ("embedding_smote", 1))
    )
    counts = plain[0]["data"]["splits"]["train"]["per_class"]
    assert set(first[0]["data"]["splits"]["train"]["per_class"].values()) == {max(counts.values())}
    (stage,) = [stage for stage in first[0]["data"]["stages"] if stage["name"] == "embedding_smote"]
    assert stage["rows_added"] == 3 * max(counts.values()) - sum(counts.values())
    assert stage["facts"] == {"fewer_neighbors": {"plot": counts["plot"] - 1}}
    for split in ("dev", "test"):
        assert first[0]["data"]["splits"][split] == plain[0]["data"]["splits"][split]
    assert first[0]["budget"]["steps"] == plain[0]["budget"]["steps"]
    assert first[0]["cost"]["frozen_prefix"]["computed"] == 0, "a point has no text to compute"
    assert first[1].equals(again[1])
    assert len({str(table["p_plot"].to_pylist()) for _, table in (plain, copied, first, other)}) == 4


def test_it_learns_texts_that_are_read_in_windows(tmp_path: Path, uneven_csv: Path, tiny_model: Path) -> None:
    windows = ["preprocess.tokenize.max_length=8", "preprocess.tokenize.truncation=window", "preprocess.tokenize.stride=2"]
    record, _ = outcome(tmp_path, uneven_csv, tiny_model, "balance=embedding_smote", *windows)
    assert record["cost"]["frozen_prefix"]["windows"] > 120


def test_an_encoder_that_learns_is_refused_and_nothing_is_written(
    tmp_path: Path, uneven_csv: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    common = ["data=csv", f"data.path={uneven_csv}", f"model.name={tiny_model}", "balance=none,embedding_smote"]
    assert train(["-m", *common, "method=head,full", "study=points"]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert [line for line in told if line.startswith("error: ")] == [
        "error: balance.embedding_smote: makes points between states of a frozen encoder, and method=full trains it. "
        "fix: add method=head, or use balance=oversample"
    ]
    assert sorted(tmp_path.rglob("*")) == before
