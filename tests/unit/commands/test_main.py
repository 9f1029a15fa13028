"""`prepsweep COMMAND`: lists itself, names the nearest, starts without torch."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from prepsweep import commands
from prepsweep.cli import main

COMMANDS = sorted(path.stem.replace("_", "-") for path in Path(commands.__path__[0]).glob("[!_]*.py"))


def test_help_has_a_line_for_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert {"profile", "rows", "show", "train", "why"} <= set(COMMANDS)
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].{{20,}}\.$", shown, re.MULTILINE), name


@pytest.mark.parametrize("called", ["train(['--help'])", "main(['catalogue'])"])
def test_a_reader_who_has_enough_is_no_error(called: str) -> None:
    """`python train.py --help | head -1`."""
    said = subprocess.Popen(
        [sys.executable, "-c", f"import sys; from prepsweep.cli import main, train; sys.exit({called})"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert said.stdout is not None
    said.stdout.close()
    assert (said.communicate(timeout=60)[1], said.returncode) == (b"", 0)


def test_no_command_at_all_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: prepsweep COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rowz"], "error: command line: no command 'rowz'. fix: did you mean 'rows'?"),
        (["__init__"], "error: command line: no command '__init__'."),
        (["rows", "--stag=data"], "error: command line: unrecognized arguments: --stag=data. fix: did you mean '--stage'?"),
        (["rows", "--limit", "0"], "argument --limit: must be a whole number of at least 1, got '0'"),
        (["rows", "--stage", "augment.nothing"], "error: stage: no stage 'augment.nothing' in this configuration. fix: "),
        (["rows", "nowhere"], "'nowhere' is no run directory and no override"),
        (["rows", "."], "'.' has no run.json"),
        (["show"], "the following arguments are required: STAGE"),
        (["show", "augment.synonim"], "error: augment: no option 'synonim'. fix: did you mean 'synonym'?"),
        (["show", "synonym"], "error: stage: 'synonym' is not GROUP.NAME"),
        (["show", "preprocess.tokenize"], "see prepsweep rows --stage=preprocess.tokenize"),
        (["show", "data"], "the source makes rows of nothing"),
        (["why", "xyz"], "error: uid: 'xyz' is no uid."),
        (["why", "abc12"], "error: uid: 'abc12' is no uid."),
        (["why", "abcdef0123"], "error: uid: no row 'abcdef0123' in any stage"),
        (["profile", "--html", "no/such/folder.html"], "error: --html: there is no folder no/such"),
    ],
)
def test_refused_in_one_line_with_nothing_written(
    arguments: list[str], message: str, reviews_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = [] if arguments[-1] in ("nowhere", ".") or arguments[0] == "rowz" else ["data=csv", f"data.path={reviews_csv}"]
    assert main([*arguments, *data] if arguments != ["show"] else arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert ". fix: " in error
    if arguments != ["why", "abcdef0123"]:  # All rows were looked through, and stay prepared.
        assert {path.name for path in tmp_path.iterdir()} == {reviews_csv.name}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["rowz"], ["rows"], ["rows", "--dropped"], ["why", "abcdef"], ["show", "clean.exact_dedup"]]
)
def test_commands_that_look_do_not_import_what_trains(arguments: list[str], reviews_csv: Path) -> None:
    code = (
        "import sys; from prepsweep.cli import main; main(sys.argv[1:])\n"
        "heavy = [m for m in ('torch', 'transformers', 'pytorch_lightning', 'wandb', 'sklearn', 'scipy') if m in sys.modules]\n"
        "assert not heavy, heavy"
    )
    data = ["data=csv", f"data.path={reviews_csv}"]
    ran = subprocess.run([sys.executable, "-c", code, *arguments, *data], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
