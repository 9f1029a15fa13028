"""Studies of sets of labels, numbers and tags: a planted effect is found, a null is not, and nothing is shown that has no meaning."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from seqeval.metrics import f1_score as seqeval_f1
from sklearn.metrics import f1_score

from prepsweep.cli import main
from prepsweep.compare import compare_frame
from prepsweep.compare.findings import Findings, answer, find
from prepsweep.compare.measures import f1_of_classes, score
from prepsweep.compare.records import Run, read_studies
from prepsweep.compare.report.document import SCHEMA_FILE
from prepsweep.compare.report.flow import flows
from prepsweep.compare.task_scores import f1_by_class, of_entities, of_tags, of_words
from prepsweep.errors import Refused

from .made_study import CLASSES, make_study
from .made_tasks import make_task_study

TASKS = ("multi_label", "regression", "token_classification")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {task: make_task_study(tmp_path_factory.mktemp("multirun") / task, task) for task in TASKS}


@pytest.fixture(scope="module")
def found(folders: dict[str, Path]) -> dict[str, Findings]:
    return {task: find(read_studies([folders[task]]), metric=None, delta=None, baselines={}, by=("class", "length")) for task in TASKS}


@pytest.mark.parametrize("task", TASKS)
def test_a_planted_effect_is_found_and_a_null_is_not(found: dict[str, Findings], task: str) -> None:
    verdicts = {one.choice: one.verdict.word for one in found[task].contrasts}
    assert verdicts["backtranslate"] == "helps"
    assert verdicts["duplicate"] in ("equivalent", "no evidence", "needs more seeds")
    assert found[task].metric == {"multi_label": "sample_f1", "regression": "mse", "token_classification": "micro_f1"}[task]


@pytest.mark.parametrize("task", TASKS)
def test_arms_curves_and_rows_have_one_score(found: dict[str, Findings], task: str) -> None:
    study, metric = found[task].study, found[task].metric
    for run in study.runs[:3]:
        bare = Run(run.run_dir, run.record | {"metrics": {"test": {}}})
        assert score(bare, metric) == pytest.approx(score(run, metric)), "the record and the predictions differ"
    (contrast,) = (one for one in found[task].contrasts if one.choice == "backtranslate")
    means = {arm.arm: arm.mean for arm in found[task].costs}
    assert contrast.effect.estimate == pytest.approx(means["augment=backtranslate"] - means["augment=none"])
    assert found[task].chosen is not None
    assert found[task].chosen.arm == "augment=backtranslate"
    val = [run.record["metrics"]["val"] for run in study.arms()["augment=backtranslate"]]
    monitor = {"multi_label": "macro_f1", "regression": "r2", "token_classification": "micro_f1"}[task]
    assert found[task].chosen.dev == pytest.approx(np.mean([one[monitor] for one in val]))
    assert found[task].chosen.naive == pytest.approx(means["augment=backtranslate"])


def test_squared_errors_are_plain_numbers_that_fall(found: dict[str, Findings]) -> None:
    one = found["regression"]
    base = next(arm for arm in one.costs if arm.arm == "augment=none")
    assert base.mean == pytest.approx(-0.16, rel=0.1)
    assert one.delta == pytest.approx(0.01 * -base.mean)
    said = answer(one)
    assert re.match(r"Use augment=backtranslate: it lowers the mean squared error by 0\.0\d+ over augment=none", said[0])
    assert said[-1].startswith("Errors are shown with a minus sign")
    given = find(one.study, metric="mse", delta=0.2, baselines={}, by=())
    assert given.delta == 0.2


def test_slices_are_of_labels_and_kinds_and_lengths(found: dict[str, Findings]) -> None:
    for task, measure in (("multi_label", "sample_f1"), ("token_classification", "micro_f1"), ("regression", "mse")):
        of_choice = [one for one in found[task].slices if one.contrast == "augment=backtranslate"]
        by_class = {one.value: one for one in of_choice if one.kind == "class"}
        assert set(by_class) == (set() if task == "regression" else set(CLASSES))
        assert all(one.measure == "f1" and one.effect.estimate > 0 and one.n_rows > 100 for one in by_class.values())
        bands = [one for one in of_choice if one.kind == "length"]
        assert len(bands) == 4
        assert {one.measure for one in bands} == {measure}
        assert sum(one.n_rows for one in bands) == 800
    # Squared errors are means of rows, so that the slices' effects add up to the whole one.
    whole = next(one for one in found["regression"].contrasts if one.choice == "backtranslate").effect.estimate
    assert sum(one.effect.estimate * one.n_rows for one in bands) / 800 == pytest.approx(whole)


def test_the_f1_of_a_label_or_a_kind_is_what_it_is_alone(found: dict[str, Findings]) -> None:
    for task in ("multi_label", "token_classification"):
        tested = found[task].study.runs[0].tested
        means = f1_of_classes(tested, CLASSES, task).mean(axis=0)
        sides = [[json.loads(text) for text in tested.texts(side)] for side in (tested.labels, tested.predictions)]
        for number, name in enumerate(CLASSES):
            if task == "multi_label":
                expected = f1_score(*([name in row for row in side] for side in sides))
            else:
                expected = seqeval_f1(*([[tag if tag[2:] == name else "O" for tag in row] for row in side] for side in sides))
            assert means[number] == pytest.approx(expected)


def test_tags_that_are_not_bio_count_word_by_word() -> None:
    labels, said = ['["NOUN","O"]', '["O","O"]'], ['["NOUN","VERB"]', '["O","O"]']
    assert of_tags(labels) is of_words
    assert of_tags(['["O","B-x"]']) is of_entities
    assert f1_by_class(labels, said, ["NOUN", "O", "VERB"], of_words).mean(axis=0) == pytest.approx([1, 0.8, 0])


@pytest.mark.parametrize("task", TASKS)
def test_the_command_makes_a_report_without_empty_parts(
    folders: dict[str, Path], task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(folders[task]), "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "Use augment=backtranslate" in shown
    assert re.search(r"augment=backtranslate +none +\+\d.* helps", shown)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    sections = re.findall(r'<section id="(\w+)"', html)
    absent = {"confusions"} | ({"flips", "classes"} if task == "regression" else set())
    assert not absent & set(sections)
    assert {"effects", "fair", "curves", "slices", "flow", "cost", "chosen", "commands"} <= set(sections)
    assert ("flips" in sections, "classes" in sections) == (task != "regression",) * 2
    assert not re.search(r"<tbody>\s*</tbody>", html)
    page = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", html, flags=re.S)
    assert not re.search(r"\b(nan|inf|None)\b", page)
    document = json.loads((tmp_path / "report.json").read_bytes())
    jsonschema.validate(document, json.loads(files("prepsweep.compare.report").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")))
    if task == "regression":
        assert "points" not in (tmp_path / "report.md").read_text(encoding="utf-8")
        assert "squared error" in shown
        assert not re.search(r"[−\-+\d. ]points", page)


def test_a_metric_of_another_task_and_mixed_tasks_are_refused(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = make_study(tmp_path / "texts", augment=("none",), balance=("none",), n_seeds=1, n_rows=30)
    for arguments, message in (
        ([str(folders["multi_label"]), "--metric", "simple_f1"], "did you mean 'sample_f1'?"),
        ([str(folders["regression"]), "--metric", "macro_f1"], "no metric 'macro_f1' of task=regression. fix: choose one of 'mse'"),
        ([str(folders["regression"]), str(texts)], "runs of the tasks regression and text_classification"),
    ):
        assert main(["compare", *arguments, "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
    assert main(["compare", str(folders["multi_label"]), "--metric", "accuracy", "--out", str(tmp_path / "out")]) == 0


def test_flipped_rows_are_shown_with_their_sets(found: dict[str, Findings]) -> None:
    (flips,) = (one for one in found["multi_label"].flips if one.contrast == "augment=backtranslate")
    assert flips.n_gained > flips.n_lost
    for row in flips.gained:
        assert json.loads(row.label) == json.loads(row.after) != json.loads(row.before)
    assert found["regression"].flips == []


def test_other_labels_are_another_test(tmp_path: Path) -> None:
    folder = make_task_study(tmp_path / "m", "multi_label", augment=("none", "duplicate"), n_rows=60)
    file = folder / f"{7:012x}" / "predictions.parquet"
    table = pq.read_table(file)
    texts = table.column("label").to_pylist()
    changed = table.set_column(1, "label", [[*texts[:5], '["plot"]' if texts[5] != '["plot"]' else "[]", *texts[6:]]])
    pq.write_table(changed, file)
    with pytest.raises(Refused, match="was tested on other rows or labels"):
        find(read_studies([folder]), metric=None, delta=None, baselines={}, by=())


def test_a_frame_of_each_task_says_the_same(found: dict[str, Findings]) -> None:
    for task in TASKS:
        parts = []
        for run in found[task].study.runs:
            rows = pq.read_table(run.run_dir / "predictions.parquet", columns=["uid", "label", "prediction"]).to_pandas()
            parts.append(rows.assign(run=run.run_dir.name, seed=run.record["seeds"]["data"], augment=run.record["choices"]["augment"]))
        said = compare_frame(pd.concat(parts, ignore_index=True), metric=found[task].metric).set_index("choice")
        for one in found[task].contrasts:
            assert said.loc[one.choice, "effect"] == pytest.approx(one.effect.estimate)
    with pytest.raises(Refused, match="is not what mse is of"):
        compare_frame(pd.concat(parts, ignore_index=True), metric="mse")


def test_records_that_cannot_be_read_are_left_out_with_the_reason(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "x", augment=("none",), balance=("none",), n_seeds=2, n_rows=30)
    for name, text in (("broken", '{"status": "fin'), ("other", '{"status": "finished"}'), ("list", "[]"), ("bytes", "\x00")):
        (folder / name).mkdir()
        (folder / name / "run.json").write_text(text)
    study = read_studies([folder])
    assert len(study.runs) == 2
    assert [Path(run_dir).name for run_dir, _ in study.missing] == ["broken", "bytes", "list", "other"]
    assert all("broken JSON, or no status or schema_version" in reason for _, reason in study.missing)


def test_a_row_of_several_classes_is_one_row_in_the_flow(found: dict[str, Findings]) -> None:
    run = found["multi_label"].study.runs[0]
    stage = run.record["data"]["stages"][0]
    for cell in stage["per_class"]["all"].values():
        cell["rows_out"] *= 2
    (way,) = flows({"one": [run]})
    assert way["steps"][0]["rows"] == {"all": stage["rows_out"]}
