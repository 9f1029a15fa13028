"""Files of the annotation tests that the contract suite needs too, and votes for its rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

RULES = """\
- {label: fresh, keywords: [great, lovely, 喜欢]}
- {name: sad, label: rotten, regex: 'dull|boring|awful'}
- {label: plot, lexicon_file: plot.txt}
- {label: rotten, max_words: 2}
"""


def write_rules(folder: Path) -> Path:
    """A file of rules and the word list that it reads."""
    (folder / "plot.txt").write_text("killer\nbrother\ntown\nsecret\nwar\n", encoding="utf-8")
    path = folder / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def labelling_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rules for the classes of the tests' reviews."""
    return write_rules(tmp_path_factory.mktemp("rules"))


def made_votes(pairs: list[tuple[str, str]]) -> list[str]:
    """Three votes for each row as `data.carry_columns` brings them along: the label, a class by the text's length, one class or none."""
    classes = sorted({label for _, label in pairs})
    sizes = [len(text) for text, _ in pairs]
    votes = [[label, classes[n % len(classes)], None if n % 2 else classes[0]] for n, (_, label) in zip(sizes, pairs, strict=True)]
    return [json.dumps(row, ensure_ascii=False) for row in votes]
