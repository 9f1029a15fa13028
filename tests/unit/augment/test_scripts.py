"""Segmentation and scripts: Chinese by words, marks with their letter, and refusals of texts that a tool cannot read."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepsweep import segmentation
from prepsweep.augment import backtranslate, eda, synonym
from prepsweep.errors import Refused
from prepsweep.scripts import refuse_other_scripts, script_of
from prepsweep.segmentation import check_segmenter, cut, load_segmenter, word_places
from prepsweep.text import pieces
from tests.conftest import make_reviews, rows_of

CHINESE = [("我喜欢这部电影。", "fresh"), ("剧情很无聊", "rotten"), ("一个关于城市的故事", "plot")]
APERTIUM = {"_target_": "prepsweep.translators.apertium.apertium", "_partial_": True}
EDA = {"wordnet_dir": "x", "alpha_rs": 0.1, "p_rd": 0.1, "segmenter": "characters", "n_aug": 1}


def test_han_by_characters_and_by_words() -> None:
    text = "我喜欢这部电影, very good！"
    assert cut(text, "characters") == pieces(text)
    assert cut(text, "jieba") == ["我", "喜欢", "这部", "电影", ",", " ", "very", " ", "good", "！"]
    assert cut("映画が好き", "jieba")[-2:] == ["好", "き"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("cafe\u0301 e\u0301te\u0301", ["cafe\u0301", "e\u0301te\u0301"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("สวัสดีครับ", ["สวัสดีครับ"]),
        ("か\u3099き", ["か\u3099", "き"]),
        ("\u0301a ❤\ufe0f", ["a"]),
    ],
)
def test_marks_stay_with_their_letter(text: str, found: list[str]) -> None:
    parts = cut(text, "characters")
    assert [parts[place] for place in word_places(parts)] == found


@given(st.text() | st.text("我喜欢电影a1 _-'’\u0301\u093f\u200d\n\u2028\x1c。"))
def test_pieces_join_to_the_text(text: str) -> None:
    for name in segmentation.SEGMENTERS:
        assert "".join(cut(text, name)) == text


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_cut_as_ever(text: str) -> None:
    assert cut(text, "characters") == pieces(text)
    assert word_places(pieces(text)) == [place for place, part in enumerate(pieces(text)) if part[0].isalnum()]


def test_jieba_is_silent_and_leaves_no_file(tmp_path: Path) -> None:
    script = "from prepsweep.segmentation import cut, load_segmenter; load_segmenter('jieba'); print(*cut('我喜欢电影', 'jieba'))"
    environment = {"TMPDIR": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", env=environment, check=True)
    assert (done.stdout, done.stderr) == ("我 喜欢 电影\n", "")
    assert list(tmp_path.iterdir()) == []


def test_the_dictionary_is_read_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: pytest.fail("asked for a folder for temporary files"))
    with caplog.at_level(logging.DEBUG):
        load_segmenter("jieba")
    first = segmentation._jieba()
    cut("电影", "jieba")
    assert segmentation._jieba() is first
    assert not caplog.records


def test_jieba_missing_is_refused_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmentation.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Refused, match=r"^augment\.aeda\.segmenter: .* pip install 'prepsweep\[chinese\]', or use segmenter=characters$"):
        check_segmenter("jieba", where="augment.aeda")
    check_segmenter("characters", where="augment.aeda")


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("A film.", "Latin"),
        ("été", "Latin"),
        ("我喜欢这部 film", "Han"),
        ("ありがとう", "kana"),
        ("영화가 좋다", "Hangul"),
        ("хороший film", "Cyrillic"),
        ("فيلم جيد", "Arabic"),
        ("सिनेमा", "Devanagari"),
        ("10 / 10 👍🏽 \u2028", None),
        ("", None),
    ],
)
def test_script_of(text: str, script: str | None) -> None:
    assert script_of(text) == script


def test_mostly_means_more_than_half_of_the_texts_with_letters() -> None:
    options = {"known": "Latin", "where": "here", "tool": "the tool is English"}
    refuse_other_scripts(rows_of([*CHINESE[:2], ("one", "x"), ("two", "x"), ("", "x"), ("10", "x")]), **options)
    with pytest.raises(Refused, match=r"^here: 3 of 5 texts looked at are not in Latin script but mostly in Han, and the tool is English"):
        refuse_other_scripts(rows_of([*CHINESE, ("one", "x"), ("two", "x"), ("10", "x")]), **options)
    refuse_other_scripts(rows_of([("", "x"), ("10", "x")]), **options)


def test_the_sample_does_not_depend_on_the_order_of_rows() -> None:
    pairs = [(f"电影 {n}", "x") if n % 2 else (f"film {n}", "x") for n in range(4001)]
    said = set()
    for rows in (rows_of(pairs), rows_of(pairs[::-1])):
        with pytest.raises(Refused) as refused:
            refuse_other_scripts(rows, known="Greek", where="here", tool="no tool")
        said.add(str(refused.value))
    assert len(said) == 1
    assert "1000 of 1000" in said.pop()


def hook(name: str, rows: Any, **changes: Any) -> None:
    if name == "eda":
        eda.check_rows(rows, **(EDA | {"alpha_sr": 0.1, "alpha_ri": 0.1} | changes))
    elif name == "synonym":
        synonym.check_rows(rows, wordnet_dir="x", replaced_fraction=0.3, n_copies=1)
    else:
        backtranslate.check_rows(rows, **({"translator": APERTIUM, "source": "eng", "pivot": "spa"} | changes))


@pytest.mark.parametrize("name", ["eda", "synonym", "backtranslate"])
def test_stages_refuse_a_script_that_their_tool_does_not_know(name: str) -> None:
    with pytest.raises(Refused) as refused:
        hook(name, rows_of(CHINESE))
    line = str(refused.value)
    assert line.startswith(f"augment.{name}: 3 of 3 texts")
    assert "augment=word_noise" in line
    assert "Helsinki-NLP/opus-mt-zh-en" in line
    assert "\n" not in line
    hook(name, rows_of(make_reviews(20)))


def test_what_needs_no_english_is_not_refused() -> None:
    hook("eda", rows_of(CHINESE), alpha_sr=0, alpha_ri=0.0)
    hook("backtranslate", rows_of(CHINESE), translator={"_target_": "prepsweep.translators.marian.marian"}, source="zho_Hans")
    hook("backtranslate", rows_of([("хороший фильм", "x")]), source="rus", pivot="ukr")
    with pytest.raises(Refused, match="not in Cyrillic script but mostly in Latin, and Apertium is asked for rus"):
        hook("backtranslate", rows_of(make_reviews(3)), source="rus", pivot="ukr")
