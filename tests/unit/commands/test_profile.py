"""`prepsweep profile`: what is planted in the data is found with its exact count, and the right stage is suggested."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from prepsweep.cache import Cache
from prepsweep.cli import main
from prepsweep.commands import console
from prepsweep.flow import run
from prepsweep.lineage import table_of
from prepsweep.profile import facts_of, suggestions_from, tried
from prepsweep.profile.baseline import baseline
from prepsweep.profile.findings import command_line
from prepsweep.profile.page import page
from prepsweep.profile.terminal import print_profile
from prepsweep.profile.tokens import token_facts
from prepsweep.stages import source_of
from tests.conftest import compose, rows_of

NOUNS = [f"{first}{last}" for first in ("ba", "ko", "li", "mu", "ne", "po", "ra", "su") for last in ("ta", "mo", "ri", "ke", "nu")]
HOSTILE = "<script>alert('x')</script>\u202e\x1b[31m{{ 7 * 7 }}${seed}"


def sentences(n: int, seed: int = 0) -> list[str]:
    """Different texts of 8 to 14 words that say nothing about any class."""
    rng = random.Random(seed)
    return [f"{' '.join(rng.choices(NOUNS, k=rng.randrange(8, 14)))} {seed}x{row}" for row in range(n)]


def table(pairs: list[tuple[str, str]], split: str | list[str] = "") -> pa.Table:
    return table_of(rows_of(pairs, split))


def pairs_of(n_a: int, n_b: int, seed: int = 0) -> list[tuple[str, str]]:
    texts = sentences(n_a + n_b, seed)
    rows = [(text, "a" if row < n_a else "b") for row, text in enumerate(texts)]
    random.Random(seed).shuffle(rows)
    return rows


def test_sizes_and_lengths() -> None:
    facts = facts_of(
        table([("one two three", "a"), ("你好,世界", "a"), ("👍", "b"), ("", "b"), (" \t", "b")], ["train", "train", "dev", "dev", "test"])
    )
    assert facts["rows"] == 5
    assert facts["splits"] == {"dev": 2, "train": 2, "test": 1}
    assert facts["classes"] == {"b": 3, "a": 2}
    assert facts["classes_by_split"] == {"dev": {"b": 2}, "test": {"b": 1}, "train": {"a": 2}}
    assert facts["imbalance_ratio"] == 1.5
    assert facts["length"]["words"] == {"min": 0, "p10": 0, "median": 0, "p90": 4, "p99": 4, "max": 4, "mean": 1.4}
    assert facts["length"]["words_by_class"]["b"]["max"] == 0
    assert facts["length"]["characters"]["max"] == 13
    assert facts["blank_texts"]["rows"] == 2
    assert facts["texts_without_words"]["rows"] == 1
    assert {name: sum(bins) for name, bins in facts["length"]["histogram"]["by_class"].items()} == {"a": 2, "b": 3}


def test_clean_rows_have_nothing_to_find() -> None:
    facts = facts_of(table(pairs_of(300, 300)))
    assert facts["leaks"] == facts["giveaways"] == facts["label_spellings"] == []
    assert all(facts[name]["rows"] == 0 for name in ("repeats", "repeats_but_for_case_and_marks", "conflicts", "blank_texts", "mojibake"))
    assert suggestions_from(facts, {}, []) == []


def test_planted_repeats_and_conflicts_are_counted() -> None:
    rows = pairs_of(100, 100)
    copies = [rows[0], rows[0], rows[1]]
    variants = [(rows[2][0].upper() + "!", rows[2][1]), (f"  {rows[3][0]}.", rows[3][1])]
    conflicts = [(text, "b" if label == "a" else "a") for text, label in rows[4:11]]
    facts = facts_of(table([*rows, *copies, *variants, *conflicts]))
    assert facts["repeats"]["rows"] == 3
    assert facts["repeats_but_for_case_and_marks"]["rows"] == 2
    assert facts["conflicts"]["rows"] == 14
    assert facts["conflicts"]["examples"][0]["text"] == rows[4][0]


def test_copies_across_given_splits_are_leaks() -> None:
    rows, test = pairs_of(100, 100), pairs_of(20, 20, seed=1)
    facts = facts_of(table([*rows, *test, *rows[:6]], ["train"] * 200 + ["test"] * 46))
    (found,) = [leak for leak in facts["leaks"] if leak["name"] == "same_text_across_splits"]
    assert (found["count"], found["splits"]) == (6, ["train", "test"])


def test_a_planted_giveaway_is_found_with_its_rows() -> None:
    rows = [(f"{text} zauber" if label == "a" and row % 2 else text, label) for row, (text, label) in enumerate(pairs_of(200, 200))]
    n_planted = sum("zauber" in text for text, _ in rows)
    facts = facts_of(table(rows))
    (found,) = facts["giveaways"]
    assert (found["token"], found["label"], found["rows"], found["precision"]) == ("zauber", "a", n_planted, 1.0)
    assert [(leak["name"], leak["count"]) for leak in facts["leaks"]] == [("token_predicts_label", n_planted)]


def test_words_of_a_class_that_nearly_all_rows_have_give_nothing_away() -> None:
    assert facts_of(table(pairs_of(1000, 20)))["giveaways"] == []


@pytest.mark.parametrize(
    ("task", "labels", "counts"),
    [
        ("multi_label", ['["a","b"]', '["b"]', "[]"], {"a": 20, "b": 40, "(none)": 20}),
        ("regression", ["0.5", "1.5", "2.5"], {"0.5": 20, "1.5": 20, "2.5": 20}),
        ("token_classification", ['["B-PER","O","O","O"]', '["O","B-LOC","I-LOC","O"]', '["O","O","O","O"]'], {"LOC": 20, "PER": 20}),
    ],
)
def test_rows_of_every_task_are_profiled_and_shown(
    task: str, labels: list[str], counts: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"some words no{row} end" for row in range(60)]
    if task == "token_classification":
        texts = [json.dumps(text.split()) for text in texts]
    rows = [{"text": text, "label": labels[row % 3]} for row, text in enumerate(texts)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    given = [f"task={task}", "data=jsonl", "data.path=rows.jsonl"]
    assert main(["profile", *given]) == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"^{re.escape(name)} +{n_rows} ", shown, re.MULTILINE) for name, n_rows in counts.items())
    assert main(["rows", *given, "--limit=1"]) == 0
    assert "classes" in capsys.readouterr().out
    assert main(["profile", *given, "--baseline"]) == 2
    assert "error: --baseline: classifies texts of one class" in capsys.readouterr().err


def test_tokens_of_a_thousand_classes_are_counted_in_little_memory_and_not_all_printed(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(f"sign{n} word{7 * n + row} same", f"c{n}") for n in range(1000) for row in range(6)]
    tracemalloc.start()
    facts = facts_of(table(rows))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000, "a table of 8,000 tokens and 1,000 classes has 64 MB"
    assert {(found["token"], found["label"], found["rows"]) for found in facts["giveaways"]} == {
        (f"sign{n}", f"c{n}", 6) for n in range(1000)
    }
    print_profile(facts | {"languages": {}, "stages": {}, "suggestions": [], "overrides": []}, console())
    assert "and 970 more" in capsys.readouterr().out.partition("Tokens of one class only")[2]


def test_mojibake_lost_characters_and_spellings() -> None:
    rows = [("schÃ¶n und gut", "Good"), ("schön und gut", "good"), ("lost \ufffd here", "good "), ("plain", "bad"), ("很好", "ｇood")]
    facts = facts_of(table(rows))
    assert (facts["mojibake"]["rows"], facts["mojibake"]["examples"][0]["text"]) == (1, "schÃ¶n und gut")
    assert facts["replacement_characters"]["rows"] == 1
    assert facts["label_spellings"] == [{"Good": 1, "good": 1, "good ": 1, "ｇood": 1}]


def profiled(tmp_path: Path, rows: list[tuple[str, str]]) -> dict[str, Any]:
    """Facts of a CSV file as the command gathers them, without the languages (a library more) and the tokens."""
    (tmp_path / "data.csv").write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    overrides = ["data=csv", "data.path=data.csv", "clean=[exact_dedup]"]
    cfg = compose(*overrides)
    source = run(source_of(cfg), None, Cache(Path(cfg.paths.cache_dir)), [])
    trials = tried(overrides, source, Cache(Path(cfg.paths.cache_dir)))
    trials.pop("language", None)
    facts = facts_of(table_of(source.dataset)) | {"stages": trials, "overrides": overrides}
    return facts | {"suggestions": suggestions_from(facts, facts["stages"], ["exact_dedup"])}


def test_the_right_stages_are_suggested_with_what_they_would_do(tmp_path: Path) -> None:
    rows = pairs_of(400, 20)
    facts = profiled(tmp_path, [*rows, *rows[:5], *((f"{text} <br/> &amp; schÃ¶n", label) for text, label in pairs_of(7, 0, seed=2))])
    found = {each["stage"]: each for each in facts["suggestions"]}
    assert found["clean.exact_dedup"]["rows"] == 5
    assert found["clean.exact_dedup"]["override"] is None
    assert found["clean.strip_markup"]["rows"] == 7
    assert found["clean.normalize_unicode"]["rows"] == 7
    assert found["clean.normalize_unicode"]["override"] == "'clean=[normalize_unicode,exact_dedup]'"
    assert found["balance.class_weights"]["why"].startswith("the largest class has 20.6 times")
    assert command_line(facts) == (
        "python train.py data=csv data.path=data.csv 'clean=[normalize_unicode,strip_markup,exact_dedup]' balance=class_weights"
    )


def test_personal_data_and_conflicts_are_counted_by_their_stages(tmp_path: Path) -> None:
    rows = pairs_of(30, 30)
    mails = [(f"{text} write to bob{row}@example.com", label) for row, (text, label) in enumerate(pairs_of(4, 0, seed=3))]
    conflicts = [(text, "b" if label == "a" else "a") for text, label in rows[:2]]
    facts = profiled(tmp_path, [*rows, *mails, *conflicts])
    assert facts["stages"]["pii"]["facts"]["rows"] == 4
    assert {(each["stage"], each["rows"]) for each in facts["suggestions"]} == {("clean.pii", 4), ("clean.label_conflicts", 4)}


def test_rows_in_other_languages_are_told_by_the_one_that_prevails() -> None:
    facts = facts_of(table(pairs_of(20, 20)))
    trials = {"language": {"dropped": 40, "facts": {"languages": {"zh": 30, "en": 6, "unknown": 4}}}}
    (found,) = suggestions_from(facts, trials, ["exact_dedup"])
    assert (found["rows"], found["override"]) == (6, "'clean=[exact_dedup,language]' 'clean.language.keep=[zh]'")
    assert suggestions_from(facts, {"language": {"facts": {"languages": {"zh": 5, "en": 3, "de": 3}}}}, []) == []


def test_exact_copies_are_no_reason_for_near_deduplication() -> None:
    facts, trials = facts_of(table(pairs_of(20, 20))), {"exact_dedup": {"dropped": 5}, "near_dedup": {"dropped": 5}}
    assert [each["stage"] for each in suggestions_from(facts, trials, [])] == ["clean.exact_dedup"]
    trials["near_dedup"]["dropped"] = 8
    assert [(each["stage"], each["rows"]) for each in suggestions_from(facts, trials, [])][-1] == ("clean.near_dedup", 3)


def test_a_stage_that_cannot_run_here_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prepsweep.clean import exact_dedup
    from prepsweep.errors import Refused

    def refusing(**_: object) -> dict[str, str]:
        raise Refused("clean.exact_dedup", "needs a library", "pip install it")

    monkeypatch.setattr(exact_dedup, "fingerprint", refusing, raising=False)
    facts = profiled(tmp_path, pairs_of(20, 20))
    assert facts["stages"]["exact_dedup"] == {"refused": "clean.exact_dedup: needs a library. fix: pip install it"}


def test_tokens_tell_how_many_texts_are_cut(tiny_model: Path) -> None:
    rows = [("great film " * 3, "a")] * 8 + [("great film " * 20, "b")] * 2
    cfg = compose(f"model.name={tiny_model}", "preprocess.tokenize.max_length=16")
    facts = token_facts(table(rows), cfg)
    assert facts == {
        "max_length": 16, "sampled": 10, "mean": 14.8, "p90": 42, "max": 42, "truncated_fraction": 0.2, "suggested_max_length": 64,
    }  # fmt: skip
    known = facts_of(table(rows)) | {"tokens": facts}
    assert [each["override"] for each in suggestions_from(known, {}, [])][-1] == "preprocess.tokenize.max_length=64"
    assert token_facts(table(rows), compose("model.name=nobody/nothing")) is None


def test_the_baseline_beats_the_majority_only_where_words_tell_the_class() -> None:
    told = baseline(table([(f"{text} {label * 3}", label) for text, label in pairs_of(60, 60)]))
    assert told["tfidf"]["macro_f1"] > 0.95
    assert told["majority"]["accuracy"] == 0.5
    untold = baseline(table(pairs_of(60, 60)))
    assert untold["tfidf"]["macro_f1"] < 0.7
    assert baseline(table([("x", "a"), ("y", "a"), ("z", "b")])) == {"refused": "a class has fewer than two different texts"}


class Page(HTMLParser):
    """Tags and their attributes, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(tmp_path: Path) -> tuple[str, Page]:
    """The page of rows whose texts, labels and overrides are hostile."""
    rows = pairs_of(30, 30)
    hostile = [(f"{HOSTILE} {text}", HOSTILE) for text, _ in rows[:20]]
    facts = facts_of(table([*rows, *hostile, *hostile[:2], (hostile[0][0], "a"), (HOSTILE + " schÃ¶n", "b")]))
    more = {"stages": {"exact_dedup": {"dropped": 2, "facts": {HOSTILE: 3}}}, "overrides": [f"data.path={HOSTILE}"], "tokens": None}
    facts |= more | {"languages": {HOSTILE: 3}, "baseline": {"refused": HOSTILE}}
    facts["suggestions"] = [{"stage": HOSTILE, "rows": 1, "why": HOSTILE, "override": "'a=[b]'"}]
    html = page(facts)
    parsed = Page()
    parsed.feed(html)
    return html, parsed


def test_a_page_runs_and_fetches_nothing_whatever_the_rows_say(tmp_path: Path) -> None:
    _, parsed = shown(tmp_path)
    tags = {tag for tag, _ in parsed.tags}
    assert not tags & {"script", "img", "iframe", "link", "object", "embed", "form", "a", "base"}
    names = {name for _, attributes in parsed.tags for name in attributes}
    assert not {name for name in names if name.startswith("on")} | names & {"href", "src", "style"}
    policy = next(attributes["content"] for tag, attributes in parsed.tags if tag == "meta" and "http-equiv" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "alert('x')" in parsed.text
    assert "{{ 7 * 7 }}${seed}" in parsed.text


def test_a_page_shows_unseen_characters_as_codes(tmp_path: Path) -> None:
    html, parsed = shown(tmp_path)
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert "⟨U+202E⟩⟨U+001B⟩" in parsed.text


def test_the_style_sheet_is_the_one_that_the_policy_allows(tmp_path: Path) -> None:
    html, _ = shown(tmp_path)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in html


def test_the_command_prints_and_writes(tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*pairs_of(90, 10), ("\x1b[31m <b>red</b>", "a")]
    (tmp_path / "data.csv").write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    assert main(["profile", "data=csv", "data.path=data.csv", f"model.name={tiny_model}", "--html", "report.html", "--baseline"]) == 0
    out = capsys.readouterr().out
    for part in ("101 rows in 2 classes", "clean.strip_markup", "balance.class_weights", "most frequent class", "python train.py data=csv"):
        assert part in out
    assert "\x1b" not in out
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert "101" in html


def test_labels_that_differ_in_case_are_counted_and_can_be_joined(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{text},{label}\n" for text, label in pairs_of(9, 9)) + "more text,A\nand more,A\n"
    (tmp_path / "data.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    command = ["data=csv", "data.path=data.csv", f"model.name={tiny_model}"]
    assert main(["profile", *command]) == 0
    out = capsys.readouterr().out
    assert "'a' (9), 'A' (2)" in out
    (line,) = [line for line in out.splitlines() if line.startswith("python train.py")]
    assert "data.classes=any" in line
    assert main(["rows", *[part.strip("'") for part in line.split()[2:]], "--stage=fix_labels", "--format=jsonl"]) == 0
    assert capsys.readouterr().out.count('"label": "a"') == 11
