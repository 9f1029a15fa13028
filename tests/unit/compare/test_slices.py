"""An effect that is planted in a part of the rows is found there and nowhere else; chance is not taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from prepsweep.compare.contrasts import contrasts
from prepsweep.compare.flips import flips
from prepsweep.compare.records import Study, read_studies
from prepsweep.compare.slices import FEWEST_ROWS, Slice, slices
from prepsweep.errors import Refused
from prepsweep.record import plain_config
from prepsweep.schema import source_uids
from tests.conftest import compose
from tests.unit.compare.made_study import CLASSES, Rows, only_contrast, two_arms, write_run


def by_value(found: list[Slice], kind: str) -> dict[str, Slice]:
    return {one.value: one for one in found if one.kind == kind}


def gain(study: Study, label: str, score: str) -> float:
    """What eda adds to the mean of a score of a class, by the records."""
    found: dict[str, list[float]] = {"none": [], "eda": []}
    for run in study.runs:
        found[run.record["choices"]["augment"]].append(run.record["metrics"]["test"]["per_class"][label][score])
    return float(np.mean(found["eda"]) - np.mean(found["none"]))


def test_a_planted_class_is_found_by_its_f1(tmp_path: Path) -> None:
    rows = Rows(1500)
    study = two_arms(tmp_path, rows, n_seeds=5, p_none=0.7, p_eda=0.7 + 0.2 * (rows.labels == 1))
    found = by_value(slices(study, only_contrast(study), metric="macro_f1", by=["class"]), "class")
    assert list(found) == CLASSES
    assert found["rotten"].p_adjusted < 0.001
    assert found["rotten"].effect.estimate == pytest.approx(gain(study, "rotten", "f1"))
    assert (found["rotten"].measure, found["rotten"].n_rows) == ("f1", int((rows.labels == 1).sum()))


def test_under_accuracy_the_other_classes_have_no_share_in_it(tmp_path: Path) -> None:
    rows = Rows(1500)
    study = two_arms(tmp_path, rows, n_seeds=5, p_none=0.7, p_eda=0.7 + 0.2 * (rows.labels == 1))
    found = by_value(slices(study, only_contrast(study), metric="accuracy", by=["class"]), "class")
    assert found["rotten"].effect.estimate == pytest.approx(0.2, abs=0.06)
    assert {one.value for one in found.values() if one.p_adjusted <= 0.05} == {"rotten"}
    assert {one.measure for one in found.values()} == {"accuracy"}


def test_a_planted_length_is_found_in_its_band_alone(tmp_path: Path) -> None:
    rows = Rows(1600)
    study = two_arms(tmp_path, rows, n_seeds=5, p_none=0.7, p_eda=0.7 + 0.2 * (rows.lengths > 31))
    found = slices(study, [only_contrast(study)], metric="macro_f1", by=["length"])
    assert [one.kind for one in found] == ["length"] * 4
    assert sum(one.n_rows for one in found) == 1600
    assert found[0].value.startswith("3-")
    assert found[3].value.endswith("-40 tokens")
    assert [one.p_adjusted <= 0.05 for one in found] == [False, False, False, True]
    assert sum(one.effect.estimate * one.n_rows for one in found) / 1600 == pytest.approx(
        only_contrast(study, metric="accuracy").effect.estimate
    ), "the bands are the whole"


def test_texts_that_were_all_cut_to_one_length_are_one_band(tmp_path: Path) -> None:
    rows = Rows(200)
    rows.lengths[:] = 128
    study = two_arms(tmp_path, rows, n_seeds=2, p_none=0.7, p_eda=0.8)
    (only,) = slices(study, only_contrast(study), metric="macro_f1", by=["length"])
    assert (only.value, only.n_rows) == ("128-128 tokens", 200)


def test_runs_without_lengths_have_no_bands_and_small_parts_are_left_out(tmp_path: Path) -> None:
    rows = Rows(200)
    rows.labels[rows.labels == 2] = 0
    rows.labels[: FEWEST_ROWS - 1] = 2
    study = two_arms(tmp_path, rows, n_seeds=2, p_none=0.7, p_eda=0.8)
    for run in study.runs:
        file = run.run_dir / "predictions.parquet"
        pq.write_table(pq.read_table(file).drop_columns(["length"]), file)
    found = slices(study, only_contrast(study), metric="macro_f1", by=["length", "class"])
    assert [one.value for one in found] == ["fresh", "rotten"]


def test_chance_is_taken_for_an_effect_in_no_more_than_a_twentieth_of_studies(tmp_path: Path) -> None:
    n_studies, alarms = 120, {"class": 0, "length": 0}
    for number in range(n_studies):
        study = two_arms(tmp_path / str(number), Rows(300, seed=number), n_seeds=4, p_none=0.7, p_eda=0.7)
        found = slices(study, only_contrast(study), metric="macro_f1", by=["class", "length"])
        for kind in alarms:
            alarms[kind] += any(one.p_adjusted <= 0.05 for one in found if one.kind == kind)
    # Two standard errors of a share of 0.05 over 120 studies are 0.04.
    assert max(alarms.values()) / n_studies < 0.09


def with_data(folder: Path) -> tuple[Study, Path]:
    """A study over a CSV file with the column `channel`; eda helps the texts of "phone" alone."""
    rows = Rows(900)
    texts = [f"text number {number}" for number in range(900)]
    channel = np.array(["shop", "phone", ""])[np.arange(900) % 3]
    labels = [CLASSES[label] for label in rows.labels]
    rows.uids = source_uids(zip(texts, labels, ["test"] * 900, strict=True))
    data = folder / "test.csv"
    data.write_text("text,label,channel\n" + "".join(f"{t},{y},{c}\n" for t, y, c in zip(texts, labels, channel, strict=True)))
    (folder / "train.csv").write_text("text,label,channel\n" + "".join(f"more {n},{name},shop\n" for n, name in enumerate(CLASSES)))
    config = plain_config(compose("data=csv", f"data.path={folder / 'train.csv'}", f"data.test_path={data}"))
    for choice, more in (("none", 0.0), ("eda", 0.2)):
        for seed in range(4):
            run_dir = write_run(folder / "study", rows, choices={"augment": choice}, seed=seed, p_right=0.7 + more * (channel == "phone"))
            record = json.loads((run_dir / "run.json").read_text())
            (run_dir / "run.json").write_text(json.dumps(record | {"config": config}))
    return read_studies([folder / "study"]), data


def test_a_column_of_the_data_is_read_from_the_data(tmp_path: Path) -> None:
    study, data = with_data(tmp_path)
    found = slices(study, only_contrast(study), metric="macro_f1", by=["class", "channel"])
    channels = by_value(found, "channel")
    assert {value: one.n_rows for value, one in channels.items()} == {"(none)": 300, "phone": 300, "shop": 300}
    assert {value for value, one in channels.items() if one.p_adjusted <= 0.05} == {"phone"}
    # Another column may change: the rows are found by their texts and labels.
    data.write_text(data.read_text().replace(",phone", ",tele"))
    assert "tele" in by_value(slices(study, only_contrast(study), metric="macro_f1", by=["channel"]), "channel")


def test_who_gave_the_label_is_read_from_the_predictions_of_each_split(tmp_path: Path) -> None:
    for seed in range(4):
        rows = Rows(300, seed=seed % 2)
        for choice in ("none", "eda"):
            run_dir = write_run(tmp_path, rows, choices={"augment": choice}, seed=seed, p_right=0.7)
            table = pq.read_table(run_dir / "predictions.parquet")
            number = np.array([int(uid[4:], 16) for uid in table.column("uid").to_pylist()])
            table = table.append_column("label_origin", [np.where(number < 100, "reviewed", "gold")])
            pq.write_table(table, run_dir / "predictions.parquet")
    study = read_studies([tmp_path])
    found = slices(study, only_contrast(study), metric="macro_f1", by=["label_origin"])
    assert {one.value: one.n_rows for one in found} == {"gold": 400, "reviewed": 200}
    pq.write_table(table.drop_columns(["label_origin"]), run_dir.parent / "none-0" / "predictions.parquet")
    with pytest.raises(Refused, match="has no column 'label_origin'"):
        slices(study, only_contrast(study), metric="macro_f1", by=["label_origin"])


def test_a_column_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    study, data = with_data(tmp_path)
    with pytest.raises(Refused, match="chanel"):
        slices(study, only_contrast(study), metric="macro_f1", by=["chanel"])
    data.write_text(data.read_text().replace("text number 7,", "another text,"))
    with pytest.raises(Refused, match="1 of 900 test rows .* not in its data any more"):
        slices(study, only_contrast(study), metric="macro_f1", by=["channel"])


def test_seeds_with_test_rows_of_their_own(tmp_path: Path) -> None:
    for seed in range(4):
        rows = Rows(400, seed=seed % 2)  # Two splits, two seeds of each.
        for choice, p_right in (("none", 0.7), ("eda", 0.7 + 0.2 * (rows.labels == 0))):
            write_run(tmp_path, rows, choices={"augment": choice}, seed=seed, p_right=p_right)
    study = read_studies([tmp_path])
    found = by_value(slices(study, only_contrast(study), metric="accuracy", by=["class"]), "class")
    n_fresh = sum(int((Rows(400, seed=split).labels == 0).sum()) for split in (0, 1))
    assert (found["fresh"].n_rows, found["fresh"].effect.n_seeds) == (n_fresh, 4)
    assert found["fresh"].effect.estimate == pytest.approx(0.2, abs=0.08)


def test_the_settings_of_a_seed_are_averaged(tmp_path: Path) -> None:
    rows = Rows(300)
    for balance in ("none", "oversample"):
        for augment in ("none", "eda"):
            for seed in range(3):
                write_run(tmp_path, rows, choices={"augment": augment, "balance": balance}, seed=seed, p_right=0.7)
    study = read_studies([tmp_path])
    found = slices(study, contrasts(study, metric="accuracy", delta=0.01, baselines={}), metric="accuracy", by=["class"])
    eda = [one for one in found if one.contrast == "augment=eda"]
    assert eda[0].effect.n_seeds == 3
    assert eda[0].effect.estimate == pytest.approx(gain(study, "fresh", "recall"))


def test_seeds_that_are_not_paired_are_left_out(tmp_path: Path) -> None:
    rows = Rows(100)
    for choice, seeds in (("none", (0, 1)), ("eda", (2, 3))):
        for seed in seeds:
            write_run(tmp_path, rows, choices={"augment": choice}, seed=seed, p_right=0.7)
    study = read_studies([tmp_path])
    contrast = only_contrast(study)
    assert not contrast.paired
    assert slices(study, contrast, metric="accuracy", by=["class"]) == []
    assert flips(study, contrast).n_rows == 0
