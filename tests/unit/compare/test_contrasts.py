"""From folders of records to verdicts: paired by seed, refused where the test differs, failed runs left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from prepsweep.cli import main
from prepsweep.compare.contrasts import Contrast, contrasts, left_out
from prepsweep.compare.records import read_studies
from prepsweep.errors import Refused
from tests.unit.compare.made_study import Rows, fail, write_predictions, write_run

ROWS, OTHER_ROWS = Rows(400), Rows(400, seed=1)


def make_run(folder: Path, *, augment: str, balance: str, seed: int, p_right: float, rows: Rows = ROWS) -> None:
    """A run that found in the cache what it prepared; eda takes 30 seconds to prepare and one more to train."""
    prepared = [{"seconds": 30.0}] if augment == "eda" else []
    cost = {"prepare_seconds": 1.0, "train_seconds": 10.0 + (augment == "eda")}
    choices = {"augment": augment, "balance": balance}
    write_run(folder, rows, choices=choices, seed=seed, p_right=p_right, data={"stages": prepared}, cost=cost)


@pytest.fixture
def study_dir(tmp_path: Path) -> Path:
    """2 x 2 choices by 6 seeds: augment=eda adds 12 points, balance=oversample nothing."""
    folder = tmp_path / "multirun" / "x"
    for augment in ("none", "eda"):
        for balance in ("none", "oversample"):
            for seed in range(6):
                make_run(folder, augment=augment, balance=balance, seed=seed, p_right=0.7 + 0.12 * (augment == "eda"))
    return folder


def test_the_planted_effect_is_found_and_the_other_is_not(study_dir: Path) -> None:
    found = {one.name: one for one in contrasts(read_studies([study_dir]), metric="macro_f1", delta=0.01, baselines={})}
    assert set(found) == {"augment=eda", "balance=oversample"}
    eda, oversample = found["augment=eda"], found["balance=oversample"]
    assert (eda.verdict.word, eda.effect.n_seeds, eda.n_settings, eda.baseline) == ("helps", 6, 2, "none")
    low, high = eda.effect.interval()
    assert low < 0.11 < high
    assert eda.seconds == pytest.approx(30.0), "30 to prepare with an empty cache, not 1, and 11 to train"
    assert oversample.verdict.word not in ("helps", "hurts")


def test_the_other_way_round_it_hurts(study_dir: Path) -> None:
    found = contrasts(read_studies([study_dir]), metric="accuracy", delta=0.01, baselines={"augment": "eda"})
    assert {one.name: one.verdict.word for one in found}["augment=none"] == "hurts"


def test_runs_with_another_test_are_refused(study_dir: Path) -> None:
    make_run(study_dir, augment="aeda", balance="none", seed=0, p_right=0.7, rows=OTHER_ROWS)
    make_run(study_dir, augment="aeda", balance="none", seed=1, p_right=0.7, rows=OTHER_ROWS)
    with pytest.raises(Refused, match="was tested on other rows or labels"):
        contrasts(read_studies([study_dir]), metric="macro_f1", delta=0.01, baselines={})


def test_failed_runs_are_listed_and_left_out_and_their_partners_counted(study_dir: Path) -> None:
    fail(study_dir / "eda-none-0", "OSError", "disk full")
    study = read_studies([study_dir])
    assert study.missing == [(str(study_dir / "eda-none-0"), "failed: OSError: disk full")]
    (eda,) = (one for one in contrasts(study, metric="macro_f1", delta=0.01, baselines={}) if one.factor == "augment")
    assert (eda.n_unpaired, eda.effect.n_seeds) == (1, 6)


def test_bad_input_is_one_line(tmp_path: Path, study_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        ([str(tmp_path / "nowhere")], "no such folder"),
        ([str(tmp_path)], "holds no finished run"),
        ([str(study_dir), "--metric", "macro_f2"], "did you mean 'macro_f1'"),
        ([str(study_dir), "--baseline", "augment"], "is not group=choice"),
        ([str(study_dir), "--baseline", "augment=eeda"], "augment=eeda was not run"),
        ([str(study_dir), "--baseline", "agument=none"], "did you mean 'augment'"),
        ([str(study_dir), "--baseline", "model=x"], "model=x was not run"),
        ([str(study_dir), "--baseline", "augment=none,augment=eda"], "names two choices of a group"),
        ([str(study_dir), "--delta", "0"], "must be a number above 0"),
        ([str(study_dir), "--delta", "inf"], "must be a number above 0"),
    ):
        assert main(["compare", *arguments]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1


def test_a_choice_with_commas_can_be_the_baseline(tmp_path: Path) -> None:
    for seed in range(2):
        for clean in ("none", "[html,pii]"):
            write_run(tmp_path / "x", ROWS, choices={"clean": clean}, seed=seed, p_right=0.7)
    assert main(["compare", str(tmp_path / "x"), "--baseline", "clean=[html,pii],model=minilm"]) == 0
    (found,) = json.loads((tmp_path / "x" / "compare" / "report.json").read_bytes())["contrasts"]
    assert (found["choice"], found["baseline"]) == ("none", "[html,pii]")


def test_runs_that_cannot_be_read_are_listed_and_left_out(study_dir: Path) -> None:
    (study_dir / "eda-none-0" / "predictions.parquet").unlink()
    (study_dir / "eda-none-1" / "predictions.parquet").write_bytes(b"PAR1 cut off")
    (study_dir / "eda-none-2" / "run.json").write_text('{"status": "finished"')
    file = study_dir / "eda-none-3" / "run.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({key: value for key, value in record.items() if key != "cost"}))
    file = study_dir / "eda-none-4" / "predictions.parquet"
    pq.write_table(pq.read_table(file).drop_columns("label"), file)
    study = read_studies([study_dir])
    assert (len(study.runs), {Path(run_dir).name: reason for run_dir, reason in study.missing}) == (
        19,
        {
            "eda-none-0": "predictions.parquet is missing or damaged; remove the folder, and the sweep will run it again",
            "eda-none-1": "predictions.parquet is missing or damaged; remove the folder, and the sweep will run it again",
            "eda-none-2": "run.json is no record: broken JSON, or no status or schema_version in it",
            "eda-none-3": "run.json lacks cost",
            "eda-none-4": "predictions.parquet lacks label",
        },
    )


def test_where_all_runs_failed_the_first_reason_is_told(study_dir: Path) -> None:
    for run_dir in study_dir.iterdir():
        fail(run_dir, "OSError", "disk full")
    with pytest.raises(Refused, match="24 that are not; .*/eda-none-0: failed: OSError: disk full"):
        read_studies([study_dir])


def test_a_record_of_a_later_version_asks_for_that_version(study_dir: Path) -> None:
    file = study_dir / "eda-none-0" / "run.json"
    for version, fix in ((2, "update prepsweep"), (0, "run the study anew")):
        file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"schema_version": version}))
        with pytest.raises(Refused, match=f"has schema version {version}, not 1. fix: {fix}"):
            read_studies([study_dir])


def test_a_study_given_twice_or_by_a_link_is_read_once(study_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(study_dir)
    for folders in ([study_dir, study_dir], [study_dir, tmp_path / "link"]):
        assert (only(folders), only(folders).n_repeats) == (only([study_dir]), 0)


def test_a_handful_of_test_rows_says_nothing(tmp_path: Path) -> None:
    """Rows that all agree have no variance: two rows gave p = 0."""
    for n_rows, n_contrasts in ((1, 0), (5, 0), (6, 1)):
        rows, folder = Rows(n_rows), tmp_path / str(n_rows)
        for seed in range(3):
            write_predictions(folder, rows, rows.labels, choices={"augment": "eda"}, seed=seed)
            write_predictions(folder, rows, (rows.labels + 1) % 3, choices={"augment": "none"}, seed=seed)
        study = read_studies([folder])
        assert len(contrasts(study, metric="accuracy", delta=0.01, baselines={})) == n_contrasts
        said = f"its test has {n_rows} row{'s' * (n_rows > 1)}; 6 are the least"
        assert left_out(study, baselines={}) == [("augment=eda", said)] * (1 - n_contrasts)


def only(folders: list[Path], name: str = "augment=eda") -> Contrast:
    return next(one for one in contrasts(read_studies(folders), metric="accuracy", delta=0.01, baselines={}) if one.name == name)


def scored(run_dir: Path) -> float:
    table = pq.read_table(run_dir / "predictions.parquet")
    return float(np.mean(np.array(table["label"]) == np.array(table["prediction"])))


def test_a_repeated_run_is_averaged_with_the_one_it_repeats(study_dir: Path, tmp_path: Path) -> None:
    before = only([study_dir])
    again = tmp_path / "multirun" / "again"
    make_run(again, augment="eda", balance="none", seed=0, p_right=0.2)
    after = only([study_dir, again])
    assert (before.n_repeats, after.n_repeats, after.n_settings, after.effect.n_seeds) == (0, 1, 2, 6)
    # Half of one of the seed's two settings.
    moved = (scored(again / "eda-none-0") - scored(study_dir / "eda-none-0")) / 4
    assert after.by_seed["0/0/0"] - before.by_seed["0/0/0"] == pytest.approx(moved)
    assert {seed for seed in before.by_seed if after.by_seed[seed] != pytest.approx(before.by_seed[seed])} == {"0/0/0"}
    assert only([again, study_dir]).by_seed == pytest.approx(after.by_seed), "the order of the folders does not matter"


def test_arms_without_common_seeds_are_compared_unpaired(study_dir: Path) -> None:
    for seed in range(10, 14):
        make_run(study_dir, augment="late", balance="none", seed=seed, p_right=0.82)
    found = only([study_dir], "augment=late")
    assert (found.paired, found.effect.n_seeds, found.n_settings, found.n_unpaired) == (False, 4, 1, 16)
    means = [
        np.mean([scored(study_dir / f"{arm}-{seed}") for seed in seeds])
        for arm, seeds in (("none-none", range(6)), ("late-none", range(10, 14)))
    ]
    assert found.effect.estimate == pytest.approx(means[1] - means[0])
    assert (found.verdict.word, found.p_better) == ("helps", 1.0)
    assert sum(found.by_seed.values()) / 4 == pytest.approx(found.effect.estimate)
    assert found.p_sign_flip == pytest.approx(2 / 210), "one of the ways to deal ten seeds to four and six, and its mirror"
    assert only([study_dir]).paired


def test_unpaired_arms_with_another_test_are_refused(study_dir: Path) -> None:
    for seed in (10, 11):
        make_run(study_dir, augment="late", balance="none", seed=seed, p_right=0.8, rows=OTHER_ROWS)
    with pytest.raises(Refused, match="was tested on other rows or labels"):
        contrasts(read_studies([study_dir]), metric="macro_f1", delta=0.01, baselines={})


def test_what_cannot_be_compared_is_named_with_the_reason(study_dir: Path) -> None:
    make_run(study_dir, augment="once", balance="none", seed=0, p_right=0.8)
    for seed in range(3):
        make_run(study_dir, augment="apart", balance="other", seed=seed, p_right=0.8)
    study = read_studies([study_dir])
    assert {one.name for one in contrasts(study, metric="accuracy", delta=0.01, baselines={})} == {"augment=eda", "balance=oversample"}
    assert left_out(study, baselines={}) == [
        ("augment=apart", "was run in none of the settings of augment=none"),
        ("augment=once", "augment=once has one seed in the settings that both were run in; two are the least, 'seed=range(5)' gives five"),
        ("balance=other", "was run in none of the settings of balance=none"),
    ]


def test_one_test_row_set_in_two_orders_is_one(study_dir: Path) -> None:
    before = only([study_dir]).effect
    for file in study_dir.glob("*-1/predictions.parquet"):
        table = pq.read_table(file)
        pq.write_table(table.take(np.random.default_rng(3).permutation(len(table))), file)
    assert only([study_dir]).effect == before
