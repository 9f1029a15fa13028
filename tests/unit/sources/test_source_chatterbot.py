"""Conversations of a wheel, as the task reads them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from prepsweep.sources import chatterbot as source
from prepsweep.sources.chatterbot import chatterbot, check, fingerprint
from prepsweep.tasks.causal_lm_sft import Conversations
from tests.unit.sources.helpers import refusal

FILES = {
    "english/ai.yml": "categories:\n- AI\nconversations:\n- - Are you real?\n  - Yes\n- - Hi\n  - Hello\n  - Bye\n",
    "english/trivia.yml": "categories:\n- T\nconversations:\n- - 6 x 7?\n  - 42\n  - Why?\n  - 'It is: so'\n- no list - '22'\n",
    "chinese/ai.yml": "categories:\n- AI\nconversations:\n- - 你好\n  - 您好！\n",
}
LABELS = {"form": "messages", "n_ranges": 2}


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "elsewhere.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(f"chatterbot_corpus/data/{name}", text)
    monkeypatch.setattr(source, "WHEEL", replace(source.WHEEL, sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    return path


def test_turns_alternate_and_end_in_an_answer(wheel: Path) -> None:
    rows = chatterbot(language="english", wheel_file=str(wheel), download_dir="never-made", labels=Conversations("messages", 2))
    assert rows[:]["label"] == ["Yes", "Hello", "It is: so"], "texts as they stand, what follows the last answer left out"
    assert rows[:]["topic"] == ["ai", "ai", "trivia"]
    assert rows[:]["text"][2] == "6 x 7?\n42\nWhy?\nIt is: so"
    assert [turn["role"] for turn in json.loads(rows[:]["messages"][2])] == ["user", "assistant"] * 2
    chinese = chatterbot(language="chinese", wheel_file=str(wheel), download_dir="never-made", labels=Conversations("messages", 2))
    assert chinese[:]["label"] == ["您好！"]
    assert not Path("never-made").exists()


def test_what_it_cannot_be_used_for_is_refused(wheel: Path) -> None:
    with refusal("data.language", "no conversations in 'klingon'", "english"):
        check(language="klingon", labels=LABELS)
    for labels in (None, LABELS | {"form": "prompt"}):
        with refusal("data", "chatterbot has conversations", "task=causal_lm_sft"):
            check(language="english", labels=labels)
    assert fingerprint(wheel_file=str(wheel), language="english") == {"wheel": source.WHEEL.sha256}
