"""The three files of the report, the terminal and the command: what stands in them, and what cannot get out of them."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import urllib.parse
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from prepsweep.cli import main
from prepsweep.compare.findings import Findings, answer, find
from prepsweep.compare.records import read_studies
from prepsweep.compare.report import write_report
from prepsweep.compare.report.document import SCHEMA_FILE
from prepsweep.compare.report.flow import drawn, flows
from prepsweep.compare.report.markdown import code
from prepsweep.compare.report.scale import scale_of
from prepsweep.compare.report.tables import Column, Table
from prepsweep.compare.statistics import Effect
from tests.unit.compare.made_study import fail, make_study

HOSTILE = "<script>alert('x')</script>\u202e\x1b[31m|`{{ 7 * 7 }}${seed}"


@pytest.fixture(scope="module")
def study_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_study(tmp_path_factory.mktemp("multirun") / "reviews")
    fail(folder / f"{10:012x}", "OutOfMemoryError", "no memory left")
    return folder


def found_in(folder: Path) -> Findings:
    return find(read_studies([folder]), metric="macro_f1", delta=0.01, baselines={}, by=("class", "length"))


@pytest.fixture(scope="module")
def found(study_dir: Path) -> Findings:
    return found_in(study_dir)


def test_the_answer_says_what_to_do_first(found: Findings) -> None:
    said = answer(found)
    assert re.match(
        r"Use augment=backtranslate: it adds \d\.\d points of macro F1 over augment=none \(95% interval .*, 5 seeds\), for 42 more", said[0]
    )
    assert any(sentence.startswith("augment=eda (−") and sentence.endswith("hurts.") for sentence in said)
    assert any(re.match(r"Not settled yet: augment=synonym \(needs \d+ seeds\)", sentence) for sentence in said)
    assert said[-1] == "1 run did not finish or cannot be read, and is left out."


def test_where_nothing_helps_it_says_so(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "same", augment=("none", "duplicate"), balance=("none",), n_seeds=2, n_rows=90)
    assert answer(found_in(folder))[0] == "No choice is shown to help."
    alone = make_study(tmp_path / "alone", augment=("none",), balance=("none",), n_seeds=1, n_rows=30)
    assert answer(found_in(alone)) == ["There is nothing to compare.", "All runs made the same choices."]
    assert len(write_report(found_in(alone), tmp_path / "out", command="x")) == 3


def test_an_effect_as_large_as_delta_is_not_blamed_on_the_test_rows(found: Findings) -> None:
    one = found.contrasts[0]
    near = replace(one, effect=Effect(0.007, 0.0032, 9.0, 10, 5e-5, 5e-6), p_adjusted=0.3)
    few_rows = replace(one, choice="eda", effect=Effect(0.007, 0.05, 9.0, 10, 1e-5, 2e-3), p_adjusted=0.9)
    assert [str(some.verdict) for some in (near, few_rows)] == ["no evidence", "no evidence"]
    assert answer(replace(found, contrasts=[near, few_rows], concerns=[]))[1:3] == [
        "For augment=eda the test rows are too few to tell.",
        "augment=backtranslate changed the score by about 1 point, too little to be sure.",
    ]


def test_the_json_is_what_its_schema_says(found: Findings, study_dir: Path, tmp_path: Path) -> None:
    write_report(found, tmp_path, command="x")
    document = json.loads((tmp_path / "report.json").read_bytes())
    schema = json.loads(files("prepsweep.compare.report").joinpath(SCHEMA_FILE).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    assert [one["verdict"] for one in document["contrasts"]] == ["helps", "hurts", "helps", "needs more seeds"]
    assert len(document["runs"]) == 39
    assert document["missing"] == [{"run_dir": str(study_dir / f"{10:012x}"), "reason": "failed: OutOfMemoryError: no memory left"}]
    assert document["runs"][0]["command"].startswith("python train.py data=csv data.path=reviews.csv augment=backtranslate")
    assert all("study=" not in run["command"] for run in document["runs"])


def test_every_number_of_the_page_is_in_a_table(found: Findings, tmp_path: Path) -> None:
    write_report(found, tmp_path, command="python compare.py 'a b'")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    for id in (
        "verdicts",
        "effects-table",
        "seeds",
        "curves",
        "classes-table",
        "flips-table",
        "flow-table",
        "arms",
        "missing-table",
        "commands",
    ):
        assert f'id="{id}"' in html, id
    links = re.findall(r'download="([\w-]+)\.csv" href="data:text/csv;charset=utf-8,([^"]*)"', html)
    tables = {name: list(csv.reader(io.StringIO(urllib.parse.unquote(text)))) for name, text in links}
    assert {"effects-table", "seeds", "curves", "confusions-table", "arms", "commands"} <= tables.keys()
    assert len(tables["commands"]) == 40
    assert len(tables["seeds"]) == 1 + 4 * 5
    effects = {row[0]: float(row[2]) for row in tables["effects-table"][1:]}
    assert effects == {one.name: 100 * one.effect.estimate for one in found.contrasts}
    assert "&#39;a b&#39;" in html
    assert len(html) < 300_000


def test_budgets_and_plain_copies_stand_beside_each_other(tmp_path: Path) -> None:
    steps, epochs = (
        make_study(tmp_path / name, augment=("none", "duplicate", "eda"), balance=("none",), n_seeds=3, n_rows=90) for name in ("a", "b")
    )
    for file in epochs.glob("*/run.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        record["choices"]["budget"] = record["budget"]["kind"] = record["config"]["budget"]["kind"] = "epochs"
        file.write_text(json.dumps(record))
    found = find(read_studies([steps, epochs]), metric="macro_f1", delta=0.01, baselines={}, by=("class",))
    write_report(found, tmp_path, command="x")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Equal steps or epochs" in html
    assert "equal_steps, points" in html
    assert "epochs, verdict" in html
    assert "Against plain copies" in html
    schema = json.loads(files("prepsweep.compare.report").joinpath(SCHEMA_FILE).read_text(encoding="utf-8"))
    jsonschema.validate(json.loads((tmp_path / "report.json").read_bytes()), schema)


def test_the_page_runs_its_own_script_alone_and_fetches_nothing(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "x", augment=("none", HOSTILE), balance=("none",), n_seeds=2, n_rows=60, classes=["a", HOSTILE])
    other = make_study(tmp_path / "y", augment=("eda",), balance=("none",), n_seeds=1, n_rows=60, classes=["a", HOSTILE])
    fail(other / f"{0:012x}", HOSTILE, HOSTILE)
    study = read_studies([folder, other])
    write_report(find(study, metric="macro_f1", delta=0.01, baselines={}, by=("class",)), tmp_path, command=HOSTILE)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.count("<script") == html.count("</script>") == 1
    assert "&lt;script&gt;alert(" in html
    assert "⟨U+202E⟩⟨U+001B⟩[31m" in html
    assert not set(html) & set("\u202e\x1b")
    assert "default-src 'none'; style-src 'sha256-" in html
    assert not re.search(r"\son\w+=|(?:src|href)=\"(?!#|data:text/csv)", html)


def test_the_markdown_holds_names_as_text() -> None:
    assert code("a|b") == r"`a\|b`"
    assert code("a``b") == "``` a``b ```"
    assert code("@team <b>") == "`@team <b>`"
    assert "⏎" in code("a\nb")


def test_the_markdown_is_a_table_of_verdicts(found: Findings, tmp_path: Path) -> None:
    write_report(found, tmp_path, command="x")
    lines = (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("**Use `augment=backtranslate`: it adds")
    assert [line.split(" | ")[0] for line in lines if line.startswith("| `")] == [f"| `{one.name}`" for one in found.contrasts]
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


def test_no_cell_of_the_csv_is_a_formula() -> None:
    table = Table("t", "", (Column("=name"), Column("n", "+.1f")), [("=1+1", -1.5), ("@x", None), ("\t1", 0.0), ('plain, "quoted"', 2.0)])
    assert list(csv.reader(io.StringIO(table.csv()))) == [
        ["'=name", "n"], ["'=1+1", "-1.5"], ["'@x", ""], ["'\t1", "0.0"], ['plain, "quoted"', "2.0"],
    ]  # fmt: skip
    assert [table.shown(row)[1] for row in table.rows] == ["−1.5", "·", "0.0", "+2.0"]


def test_ticks_are_round_and_few() -> None:
    assert scale_of([0.0, 1.0], 0, 100, margin=0).ticks(6) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert scale_of([-7.3, 9.1], 0, 100).ticks(6) == [-5.0, 0.0, 5.0, 10.0]
    assert scale_of([3.0, 3.0], 0, 100).at(3.0) == 50.0


def test_equal_flows_share_a_picture_and_no_band_leaves_it(found: Findings) -> None:
    ways = flows(found.study.arms())
    assert [way["steps"][-1]["name"] for way in ways if way["arms"] == ["augment=none balance=none"]] == ["split.stratified"]
    assert sum(len(way["arms"]) for way in ways) == 8
    for way in ways:
        plot = drawn(way["steps"])
        for number in (float(number) for band in plot["bands"] for number in re.findall(r"[\d.]+", band["path"])):
            assert 0 <= number <= max(plot["width"], plot["height"])


def test_the_command_writes_and_says_where(study_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(study_dir), "--metric", "accuracy", "--out", str(tmp_path / "new" / "out")]) == 0
    shown = capsys.readouterr().out
    assert "Use augment=backtranslate" in shown
    assert re.search(r"augment=eda +none +-\d.* hurts", shown)
    assert f"left out: {study_dir / f'{10:012x}'}: failed: OutOfMemoryError: no memory left" in shown
    assert "1 run without a partner" in shown
    assert "in the last 52 steps; try more epochs\n" in shown, "a line longer than the screen is whole"
    assert f"report: {tmp_path / 'new' / 'out' / 'report.html'}" in shown
    assert sorted(file.name for file in (tmp_path / "new" / "out").iterdir()) == ["report.html", "report.json", "report.md"]
    assert "effect on accuracy" in (tmp_path / "new" / "out" / "report.md").read_text(encoding="utf-8")


def test_a_refused_command_writes_nothing(study_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    for arguments, message in (
        (["--out", str(taken)], f"cannot write to {taken}"),
        (["--metric", "f2", "--out", str(tmp_path / "a")], "no metric 'f2'"),
        (["--delta", "-1", "--out", str(tmp_path / "a")], "must be a number above 0"),
        (["--baseline", "augment=x", "--out", str(tmp_path / "a")], "was not run"),
        (["--watching"], "did you mean '--watch'?"),
    ):
        assert main(["compare", str(study_dir), *arguments]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]


def test_the_terminal_shows_unseen_characters_as_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_study(tmp_path / "x", augment=("none", HOSTILE, "[red]x[/red]"), balance=("none",), n_seeds=2, n_rows=60)
    assert main(["compare", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "⟨U+202E⟩" in shown
    assert "augment=[red]x[/red]" in shown


def test_it_does_not_import_torch_even_for_the_sinks(study_dir: Path, tmp_path: Path) -> None:
    heavy = "{name.partition('.')[0] for name in sys.modules} & {'torch', 'transformers', 'pytorch_lightning', 'sklearn'}"
    program = f"import sys; from prepsweep.cli import main; code = main(sys.argv[1:]); print({heavy}); sys.exit(code)"
    arguments = ["compare", str(study_dir), "--out", str(tmp_path), "--tensorboard", "--wandb"]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
    (log,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert b"effect/augment=backtranslate" in log.read_bytes()
    assert len(list(tmp_path.glob("tensorboard/events.*"))) == 1
