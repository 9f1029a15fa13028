"""Labelling functions in Python and rules in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prepsweep.annotate.functions import functions_of, python_votes
from prepsweep.annotate.label_functions import check, fingerprint, label_functions
from prepsweep.annotate.origins import PROPOSED
from prepsweep.annotate.rules import read_rules, rule_votes
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from tests.conftest import rows_of

FUNCTIONS = """
from __future__ import annotations

from re import search

import pyarrow as pa
import pyarrow.compute as pc


def link(text: str) -> str | None:
    return "spam" if search(r"https?://", text) else None


def long(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.greater(pc.utf8_length(texts), 100), "spam", pa.scalar(None, pa.string()))


def number(text):
    return 7 if "7" in text else True if "yes" in text else None


def _helper(a, b, c):
    raise AssertionError("is not called")
"""
TEXTS = ["see http://x.y", "", "7", "yes 👍", "频道", "x" * 200, "a\u2028b"]
OPTIONS: dict[str, Any] = {
    "num_proc": 1,
    "functions_file": None,
    "functions_module": None,
    "rules_file": None,
    "label_model": "majority",
    "soft": False,
    "rows": "all",
    "on_abstain": "drop",
}


def written(tmp_path: Path, code: str, name: str = "rules.py") -> str:
    path = tmp_path / name
    path.write_text(code, encoding="utf-8")
    functions_of.cache_clear()
    return str(path)


def voted(path: str, texts: list[str] = TEXTS, **columns: list[str]) -> dict[str, list[str | None]]:
    table = table_of(rows_of([(text, "x") for text in texts], "", **columns))
    return {name: labels.to_pylist() for name, labels in python_votes(table, file=path, module=None, num_proc=1).items()}


def test_public_functions_of_the_file_vote_text_by_text_or_on_the_whole_column(tmp_path: Path) -> None:
    assert voted(written(tmp_path, FUNCTIONS)) == {
        "link": ["spam", None, None, None, None, None, None],
        "long": [None, None, None, None, None, "spam", None],
        "number": [None, None, "7", "true", None, None, None],
    }


def test_a_function_of_two_arguments_sees_both_texts_of_a_pair(tmp_path: Path) -> None:
    code = "def same(one, other):\n    return 'yes' if one == other else None\n\ndef first(one):\n    return one or None\n"
    found = voted(written(tmp_path, code), ["a", "b"], text_pair=["a", "c"])
    assert found == {"same": ["yes", None], "first": ["a", "b"]}
    with pytest.raises(Refused, match="same: takes two texts"):
        voted(written(tmp_path, code), ["a"])


@pytest.mark.parametrize(
    ("code", "match"),
    [
        ("x = 1\n", r"rules\.py: defines no function"),
        ("def f(text):\n    return 1.5\n", r"f: gave 1\.5, which is no class"),
        ("def f(text):\n    a = 1\n    return text[99]\n", r"rules\.py:3: f: IndexError: string index out of range"),
        ("import nothing_such\n", r"rules\.py:1: ModuleNotFoundError"),
        ("def f(text)\n", r"rules\.py:1: SyntaxError"),
        ("def f():\n    return 'a'\n", r"f: takes 0 arguments"),
        ("def f(texts: 'pa.Array'):\n    return ['a']\n", r"f: gave 1 labels for 7 texts"),
        ("def f(texts: 'pa.Array'):\n    return texts.gone()\n", r"rules\.py:2: f: AttributeError"),
    ],
)
def test_a_function_that_cannot_be_used_is_one_line(tmp_path: Path, code: str, match: str) -> None:
    with pytest.raises(Refused, match=match) as refused:
        voted(written(tmp_path, code))
    assert "\n" not in str(refused.value)


def test_a_module_must_be_of_a_trusted_package() -> None:
    with pytest.raises(Refused, match=r"functions_module: os is not in a trusted package"):
        check(**(OPTIONS | {"functions_module": "os"}))


def test_two_processes_vote_as_one(tmp_path: Path) -> None:
    table = table_of(rows_of([(f"{n} http://{n}", "x") for n in range(12_000)]))
    path = written(tmp_path, FUNCTIONS)
    one, two = (python_votes(table, file=path, module=None, num_proc=n) for n in (1, 2))
    assert one == two


def rules(tmp_path: Path, text: str, texts: list[str], **files: str) -> dict[str, list[str | None]]:
    for name, content in files.items():
        (tmp_path / f"{name}.txt").write_text(content, encoding="utf-8")
    path = tmp_path / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    votes = rule_votes(table_of(rows_of([(one, "x") for one in texts])), read_rules(path), known=[])
    return {name: labels.to_pylist() for name, labels in votes.items()}


def test_keywords_are_whole_words_in_any_case_and_anywhere_in_chinese(tmp_path: Path) -> None:
    found = rules(
        tmp_path,
        "- {label: a, keywords: [Check out, a+b, naïve, 订阅, it's]}\n",
        ["CHECK OUT!", "checkout", "check out", "a+b", "aa+b", "NAÏVE", "naïvely", "请订阅吧", "yes it's", "check outs", "订check out", ""],
    )
    says = [True, False, True, True, False, True, False, True, True, False, True, False]
    assert found == {"1_keywords": ["a" if one else None for one in says]}


def test_the_other_kinds_of_rules(tmp_path: Path) -> None:
    text = """
- {name: link, label: spam, regex: 'https?://'}
- {name: any_case, label: spam, regex: free, ignore_case: true}
- {name: short, label: ham, max_words: 2}
- {name: between, label: ham, min_words: 2, max_words: 3}
- {name: praise, label: ham, lexicon_file: praise.txt, min_hits: 2}
"""
    found = rules(tmp_path, text, ["FREE http://x", "good and Good", "well done good", "很好看", ""], praise="good\n\nwell done\n好看\n")
    assert found == {
        "link": ["spam", None, None, None, None],
        "any_case": ["spam", None, None, None, None],
        "short": [None, None, None, None, "ham"],
        "between": ["ham", "ham", "ham", "ham", None],
        "praise": [None, "ham", "ham", None, None],
    }


def test_a_model_votes_where_it_is_sure(tmp_path: Path, tiny_model: Path) -> None:
    text = f"- {{name: old, model: {tiny_model}, min_confidence: %s, classes: {{LABEL_0: ham, LABEL_1: spam}}}}\n"
    sure = rules(tmp_path, text % 0.0, ["great film", "", "dull"])
    assert set(sure["old"]) <= {"ham", "spam", None}
    assert [label is None for label in sure["old"]] == [False, True, False]
    assert rules(tmp_path, text % 0.99, ["great film", "", "dull"]) == {"old": [None, None, None]}
    with pytest.raises(Refused, match=r"rules\.yaml:1: the checkpoint has no class 'LABEL_9'"):
        rules(tmp_path, f"- {{model: {tiny_model}, min_confidence: 0, classes: {{LABEL_9: ham}}}}\n", ["a"])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", r"rules\.yaml:1: is no list of rules"),
        ("- [a]\n", r"rules\.yaml:1: is no rule"),
        ("- {label: a}\n", r"rules\.yaml:1: the rule has none of keywords"),
        ("- {label: a, regex: x}\n- {label: a, regexx: x}\n", r"rules\.yaml:2: the rule has none of"),
        ("- {label: a, keywords: [x], ignorecase: true}\n", r"rules\.yaml:1: a rule with keywords has no key 'ignorecase'"),
        ("- {keywords: [x]}\n", r"rules\.yaml:1: the rule lacks 'label'"),
        ("- {label: 1, keywords: [x]}\n", r"rules\.yaml:1: the label 1 is not text"),
        ("- {label: a, keywords: x}\n", r"rules\.yaml:1: keywords must be a list"),
        ("- {label: a, regex: '(?=x)'}\n", r"rules\.yaml:1: RE2 cannot read the expression"),
        ("- {label: a, lexicon_file: gone.txt}\n", r"rules\.yaml:1: no such file: .*gone\.txt"),
        ("- {label: a, max_words: many}\n", r"rules\.yaml:1: min_words and max_words must be numbers"),
        ("- {name: n, label: a, regex: x}\n- {name: n, label: a, regex: y}\n", r"rules\.yaml:2: two rules are named 'n'"),
        ("- {label: a\n", r"rules\.yaml:2: is no YAML"),
    ],
)
def test_a_rule_that_is_none_is_refused_with_its_line(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(Refused, match=match) as refused:
        rules(tmp_path, text, ["a"])
    assert "\n" not in str(refused.value)


def test_functions_and_rules_vote_together_and_a_word_list_is_part_of_the_identity(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("good\n")
    rules_file = tmp_path / "rules.yaml"
    rules_file.write_text("- {name: praise, label: ham, lexicon_file: list.txt}\n")
    options = OPTIONS | {"functions_file": written(tmp_path, FUNCTIONS), "rules_file": str(rules_file)}
    result = label_functions(rows_of([("http://x", "spam"), ("good", "ham"), ("so", "ham")]), **options)
    assert table_of(result.rows)[PROPOSED].to_pylist() == ["spam", "ham", None]
    assert list(result.facts["voters"]) == ["link", "long", "number", "praise"]
    before = fingerprint(functions_module=None, rules_file=str(rules_file))
    (tmp_path / "list.txt").write_text("bad\n")
    assert fingerprint(functions_module=None, rules_file=str(rules_file)) != before
    rules_file.write_text("- {name: link, label: ham, regex: x}\n")
    with pytest.raises(Refused, match="a function is named 'link' too"):
        label_functions(rows_of([("a", "x")]), **options)


def test_nothing_to_vote_is_refused() -> None:
    with pytest.raises(Refused, match=r"^annotate\.label_functions: nothing votes"):
        check(**OPTIONS)
    with pytest.raises(Refused, match="functions_file is given too"):
        check(**(OPTIONS | {"functions_file": "a.py", "functions_module": "b"}))
