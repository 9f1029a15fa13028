"""What befell the second text of a pair is shown like what befell the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from prepsweep.cli import main
from prepsweep.walk import walk
from tests.conftest import make_reviews


def test_show_and_why_tell_what_was_rewritten_in_the_second_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(text, f"is it {label}", label) for text, label in make_reviews(60)]
    rows[0] = (rows[0][0], "<b>is</b> it", rows[0][2])
    (tmp_path / "data.csv").write_text("text,second,label\n" + "".join(f'"{a}",{b},{c}\n' for a, b, c in rows), encoding="utf-8")
    given = ["data=csv", "data.path=data.csv", "data.text_pair_column=second", "clean=[strip_markup]"]
    assert main(["show", "clean.strip_markup", *given]) == 0
    shown = capsys.readouterr().out
    assert "text_pair changed: 1 rows, 1 of them" in shown
    assert "\ntext changed" not in shown
    uid = walk(given).of("data")[0].after.dataset["uid"][0]
    assert main(["why", uid, *given]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"read as fresh: {rows[0][0]} | <b>is</b> it" in told
    assert "clean.strip_markup: text_pair" in told
    assert "data.csv:2" in told
