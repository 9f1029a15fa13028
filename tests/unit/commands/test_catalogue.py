"""The page of stages is up to date and leaves none out."""

from __future__ import annotations

from pathlib import Path

import pytest

import prepsweep
from prepsweep.cli import main
from prepsweep.commands.catalogue import Option, options_of, page
from prepsweep.stages import PREPARATION

CONF = Path(prepsweep.__file__).parent / "conf"
FILES = sorted(file for group in PREPARATION for file in (CONF / group).glob("*.yaml") if file.stem != "none")
PAGES = list(Path(__file__).resolve().parents[3].glob("docs/stages.md"))


def test_the_page_in_docs_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue"]) == 0
    (kept,) = PAGES
    assert capsys.readouterr().out == kept.read_text(encoding="utf-8"), "run: prepsweep catalogue > docs/stages.md"


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_option_is_told_with_its_keys(file: Path) -> None:
    text = page()
    group, option = file.parent.name, file.stem
    section = text.partition(f"### `{group}={option}`\n")[2].partition("\n##")[0]
    assert len(section.split()) > 5
    found = Option(group, file)
    assert all(f"| `{key}` |" in section for key in found.keys)
    assert len(FILES) >= 18


def told(group: str, name: str) -> Option:
    return next(option for option in options_of(group) if option.file.stem == name)


def test_reasons_come_from_the_source() -> None:
    reasons = {("clean", "drop_short"): ["short"], ("clean", "exact_dedup"): ["duplicate"], ("refine", "label_errors"): ["label_error"]}
    reasons |= {("clean", "near_dedup"): ["near_duplicate"], ("balance", "oversample"): []}
    for (group, name), expected in reasons.items():
        assert told(group, name).reasons == expected


def test_comments_above_and_behind_a_key_are_told(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    lines = ["# @package clean.x", "# Does it.", "_target_: prepsweep.clean.drop_short.drop_short", "_partial_: true"]
    lines += ["# Why", "# so.", "one: 1  # or two", "other: [a, 'b|c']", "deep:", "  one: 3  # not this one"]
    file.write_text("\n".join(lines), encoding="utf-8")
    option = Option("clean", file)
    assert option.keys == {
        "clean.x.one": (1, "Why so. or two"),
        "clean.x.other": (["a", "b|c"], ""),
        "clean.x.deep": ({"one": 3}, ""),
    }
    lines = [
        "# @package _global_",
        "# A loss.",
        "task:",
        "  loss:",
        "    _target_: prepsweep.clean.drop_short.drop_short",
        "    a: 2.0  # x",
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert Option("balance", file).keys == {"task.loss.a": (2.0, "x")}


def test_the_source_of_a_method_is_told() -> None:
    assert any("aclanthology.org/D19-1670" in sentence for sentence in told("augment", "eda").sources)
    assert any("10.1613/jair.1.12125" in sentence for sentence in told("refine", "label_errors").sources)
