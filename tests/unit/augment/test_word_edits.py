"""Punctuation, word and character noise: what may change, what never does, and how often."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from prepsweep.augment import char_noise as char_noise_module
from prepsweep.augment.aeda import aeda
from prepsweep.augment.char_noise import KINDS, char_noise
from prepsweep.augment.draws import in_random_order, row_draw
from prepsweep.augment.edits import delete_words
from prepsweep.augment.word_edits import ascii_pieces, cut_pieces, without_words
from prepsweep.augment.word_noise import word_noise
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.randomness import row_keys, uniform
from prepsweep.segmentation import cut, word_places
from prepsweep.text import pieces, words
from tests.conftest import make_reviews, rows_of

TEXT = "The cats (quickly) saw one big film, and that was it: 10 words."
STAGES: dict[str, tuple[Callable[..., Dataset], dict[str, Any]]] = {
    "aeda": (aeda, {"segmenter": "characters", "n_aug": 1}),
    "word_noise": (word_noise, {"p_swap": 0.1, "p_delete": 0.1, "segmenter": "characters", "n_aug": 1}),
    **{kind: (char_noise, {"kind": kind, "alpha": 0.1, "n_aug": 1}) for kind in KINDS},
}
AWKWARD = st.text(max_size=60) | st.text("ab 我喜\u3042\u0e44\u093f\u0301\u200d👍🏽\u2028.,'-", max_size=30)


def has_utf8(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def children_of(name: str, text: str, **changes: Any) -> list[str]:
    stage, options = STAGES[name]
    made = table_of(stage(rows_of([(text, "fresh")]), seed=0, num_proc=1, **(options | changes)))
    children: list[str] = made.column("text").to_pylist()[1:]
    return children


def test_aeda_puts_in_one_mark_to_a_third_of_the_words() -> None:
    text = "one two three four five six seven eight nine"
    counted: Counter[int] = Counter()
    for child in children_of("aeda", text, n_aug=600):
        assert [word for word in child.split() if word.isalpha()] == text.split()
        marks = [word for word in child.split() if not word.isalpha()]
        assert set(marks) <= set(".;?:!,")
        assert not re.search(r"\W \W", child), "two marks before one word"
        counted[len(marks)] += 1
    assert set(counted) == {1, 2, 3}
    assert all(150 <= n <= 250 for n in counted.values()), "the number is drawn evenly"


def test_aeda_marks_stand_before_words_and_short_texts_get_one() -> None:
    assert {child[0] for child in children_of("aeda", "Good.", n_aug=100)} == set(".;?:!,")
    assert {child[1:] for child in children_of("aeda", "Good.", n_aug=100)} == {" Good."}
    assert {re.sub("[.;?:!,]", "x", child) for child in children_of("aeda", "ab cd", n_aug=50)} == {"x ab cd", "ab x cd"}


def test_aeda_leaves_numbers_addresses_and_split_contractions_whole() -> None:
    text = 'it \'s 3.14 at http://x.com/a?b=c or a@b.org, (or "so") 约3.5元 $5'
    tokens = Counter(text.replace("约3.5元", "").split())
    children = children_of("aeda", text, n_aug=200)
    assert all(Counter(child.split()) >= tokens for child in children)
    assert any("约： 3.5元" in child or "3.5。元" in child for child in children), "beside Han a mark needs no space"
    assert set(children_of("aeda", '"Great!"', n_aug=5)) == {'"Great!"'}


def test_aeda_marks_chinese_in_full_width_without_spaces() -> None:
    children = set(children_of("aeda", "很好", n_aug=100))
    assert children == {place.format(mark) for mark in "。；？：！，" for place in ("{}很好", "很{}好")}
    assert set(children_of("aeda", "电影很好看", segmenter="jieba", n_aug=60)) <= {
        place.format(mark) for mark in "。；？：！，" for place in ("{}电影很好看", "电影{}很好看", "电影很{}好看")
    }


def test_word_noise_deletes_and_swaps_with_the_given_probabilities() -> None:
    text = " ".join(f"w{n}" for n in range(100))
    left = [len(child.split()) for child in children_of("word_noise", text, p_swap=0.0, p_delete=0.2, n_aug=300)]
    assert abs(sum(left) / len(left) - 80) < 1.5
    moved = []
    for child in children_of("word_noise", text, p_swap=0.2, p_delete=0.0, n_aug=300):
        assert Counter(child.split()) == Counter(text.split())
        assert all(abs(place - int(word[1:])) <= 1 for place, word in enumerate(child.split())), "a word moves one place at most"
        moved.append(sum(place != int(word[1:]) for place, word in enumerate(child.split())) / 2)
    # A swap takes its second word out of the trials: 0.2 / 1.2 a word.
    assert abs(sum(moved) / len(moved) - 100 * 0.2 / 1.2) < 1.0


def test_word_noise_makes_one_edit_where_chance_makes_none() -> None:
    assert set(children_of("word_noise", "A (b) c!", p_swap=1e-9, p_delete=0.0, n_aug=60)) == {"b (A) c!", "A (c) b!"}
    assert set(children_of("word_noise", "A b, c.", p_swap=0.0, p_delete=1e-9, n_aug=60)) == {"b, c.", "A, c.", "A b,."}
    both = children_of("word_noise", "a b", p_swap=1e-9, p_delete=1e-9, n_aug=400)
    assert 150 < both.count("b a") < 250
    assert set(both) == {"b a", "a", "b"}


def test_word_noise_leaves_one_word() -> None:
    assert set(children_of("word_noise", "a b c", p_swap=0.0, p_delete=1.0, n_aug=60)) == {"a", "b", "c"}
    assert set(children_of("word_noise", "a b c d", p_swap=1.0, p_delete=0.0, n_aug=5)) == {"b a d c"}
    assert children_of("word_noise", "Alone.") == ["Alone."]


def test_word_noise_of_chinese_by_characters_and_by_words() -> None:
    assert set(children_of("word_noise", "好看", p_delete=0.0)) == {"看好"}
    assert set(children_of("word_noise", "我喜欢这部电影", p_swap=1.0, p_delete=0.0, segmenter="jieba")) == {"喜欢我电影这部"}


def test_keyboard_noise_puts_in_neighbours_and_keeps_case() -> None:
    assert set(children_of("keyboard", "GG 10", n_aug=200)) <= {f"{a}{b} 10" for a in "GFHTYVBR" for b in "GFHTYVBR"}
    children = children_of("keyboard", "aQ", n_aug=200)
    assert {child for child in children if child[1] == "Q"} == {f"{key}Q" for key in "qwsz"}
    assert {child for child in children if child[0] == "a"} == {f"a{key}" for key in "WA"}


def test_ocr_noise_confuses_what_scans_confuse() -> None:
    assert set(children_of("ocr", "0", n_aug=50)) == {"O", "o"}
    assert set(children_of("ocr", "barn", n_aug=100)) == {"bam", "harn"}
    assert set(children_of("ocr", "am", n_aug=20)) == {"arn"}
    assert set(children_of("ocr", "1 k", n_aug=50)) == {"l k", "I k"}


def test_typos_swap_delete_repeat_and_insert() -> None:
    children = set(children_of("typo", "abc", n_aug=600))
    assert children >= {"bac", "acb", "bc", "ac", "ab", "aabc", "abbc", "abcc"}
    inserted = children - {"bac", "acb", "bc", "ac", "ab", "aabc", "abbc", "abcc"}
    assert inserted
    assert all(len(child) == 4 and Counter("abc") < Counter(child) for child in inserted)
    assert all(children_of("typo", "ab", n_aug=100)), "no word is lost"


@pytest.mark.parametrize("kind", KINDS)
def test_marks_and_white_space_are_never_edited(kind: str) -> None:
    def marks(text: str) -> list[str]:
        return [piece for piece in pieces(text) if not piece[0].isalnum()]

    for child in children_of(kind, TEXT, alpha=1.0, n_aug=50):
        assert child != TEXT
        assert marks(child) == marks(TEXT)
        assert "10" in words(child) or kind == "ocr"
    assert children_of(kind, "?! ... :-) 。", alpha=1.0) == ["?! ... :-) 。"]


def test_char_noise_of_chinese() -> None:
    assert children_of("keyboard", "我喜欢电影") == ["我喜欢电影"]
    assert children_of("ocr", "我喜欢电影") == ["我喜欢电影"]
    assert set(children_of("typo", "我喜欢", n_aug=50)) == {"喜我欢", "我欢喜"}
    assert children_of("typo", "哈哈") == ["哈哈"]


def test_alpha_is_of_words_and_at_least_one() -> None:
    text = "alpha bravo delta hotel india lima oscar papa quebec tango"
    for alpha, n_edits in ((0.01, 1), (0.1, 1), (0.25, 3), (1.0, 10)):
        for child in children_of("keyboard", text, alpha=alpha, n_aug=10):
            assert sum(a != b for a, b in zip(child.split(), text.split(), strict=True)) == n_edits


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("text", ["", "  ", "...!", "😀"])
def test_texts_without_words_are_unchanged(name: str, text: str) -> None:
    stage, options = STAGES[name]
    made = table_of(stage(rows_of([(text, "fresh")]), seed=0, num_proc=1, **options))
    assert made.column("dropped").to_pylist() == [None, "unchanged"]


@pytest.mark.parametrize("name", STAGES)
def test_seed_order_and_processes(name: str) -> None:
    stage, options = STAGES[name]
    rows = rows_of([*make_reviews(2000), ("我喜欢这部电影。", "fresh"), ("line\u2028end 👍🏽", "plot"), ("long " * 3000, "plot")])
    one, two = (table_of(stage(rows, seed=0, num_proc=n, **options)) for n in (1, 2))
    assert one.equals(two)
    assert not one.equals(table_of(stage(rows, seed=1, num_proc=1, **options)))
    backwards = table_of(stage(rows.select(range(len(rows) - 1, -1, -1)), seed=0, num_proc=1, **options))
    assert dict(zip(*(one[c].to_pylist() for c in ("uid", "text")), strict=True)) == dict(
        zip(*(backwards[c].to_pylist() for c in ("uid", "text")), strict=True)
    )


@settings(deadline=None, max_examples=150)
@given(AWKWARD.filter(has_utf8))
def test_any_text_keeps_its_letters_where_the_stage_says_so(text: str) -> None:
    for child in children_of("aeda", text, n_aug=2):
        assert Counter(child) >= Counter(text)
    for child in children_of("word_noise", text, p_swap=0.5, p_delete=0.0, segmenter="jieba", n_aug=2):
        assert Counter(child) == Counter(text)
    for child in children_of("word_noise", text, p_swap=0.0, p_delete=0.5, n_aug=2):
        assert not Counter(child) - Counter(text)
        assert bool(words(text)) == bool(words(child)), "one word always stays"
    for kind in KINDS:
        for child in char_noise_module._noised("u", text, kind=kind, alpha=0.5, seed=0, n_aug=2):
            assert len(child) >= len(text) / 2


@settings(deadline=None, max_examples=150)
@given(st.lists(AWKWARD.filter(has_utf8) | st.text("aB1 \t\x1c('-\"_.", max_size=30), min_size=1, max_size=4))
def test_pieces_of_many_texts_and_deletions_are_those_of_one(texts: list[str]) -> None:
    plain = [text for text in texts if text.isascii()] or [""]
    for some, pieces_at_once in ((plain, ascii_pieces(plain)), (texts, cut_pieces(texts, "jieba"))):
        cuts = [cut(text, "jieba") for text in some]
        assert pieces_at_once.parts.to_pylist() == [part for parts in cuts for part in (*parts, "\n")]
        assert pieces_at_once.counts.tolist() == [len(word_places(parts)) for parts in cuts]
        gone = pieces_at_once.number % 3 != 1
        for parts in cuts:
            delete_words(parts, [place for number, place in enumerate(word_places(parts)) if number % 3 != 1])
        left = pieces_at_once.joined(np.flatnonzero(without_words(pieces_at_once, gone)))
        assert left.to_pylist() == ["".join(parts) for parts in cuts]


def test_children_stand_behind_each_other_whatever_their_script() -> None:
    texts = ["ab cd", "很好 ok", "ef gh", "é è", ""]
    made = table_of(
        word_noise(rows_of([(text, "x") for text in texts]), seed=0, p_swap=1.0, p_delete=0.0, segmenter="characters", n_aug=2, num_proc=1)
    )
    children = made.column("text").to_pylist()[len(texts) :]
    assert [Counter(child) for child in children] == [Counter(text) for text in texts for _ in range(2)]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("aeda", {"n_aug": 0}, "augment.aeda.n_aug: must be a whole number of at least 1, got 0"),
        ("aeda", {"segmenter": "jeiba"}, "augment.aeda.segmenter: unknown segmenter 'jeiba'. fix: did you mean 'jieba'?"),
        ("word_noise", {"p_swap": 1.5}, "augment.word_noise.p_swap: must be between 0 and 1, got 1.5"),
        ("word_noise", {"p_swap": 0, "p_delete": 0}, "augment.word_noise: makes no noise"),
        ("word_noise", {"n_aug": True}, "augment.word_noise.n_aug: must be a whole number of at least 1, got True"),
        ("typo", {"kind": "ocd"}, "augment.char_noise.kind: unknown kind 'ocd'. fix: did you mean 'ocr'?"),
        ("typo", {"alpha": 0}, "augment.char_noise.alpha: 0 edits nothing"),
        ("typo", {"alpha": "much"}, "augment.char_noise.alpha: must be between 0 and 1, got 'much'"),
    ],
)
def test_bad_values_are_refused(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=f"^{re.escape(message)}"):
        children_of(name, TEXT, **changes)


def test_draws_of_a_row() -> None:
    draw, again, other = (row_draw(0, "stage", uid) for uid in ("u", "u", "v"))
    numbers = [draw() for _ in range(4000)]
    assert numbers == [again() for _ in range(4000)]
    assert all(0 <= number < 1 for number in numbers)
    assert abs(sum(numbers) / 4000 - 0.5) < 0.02
    assert other() not in numbers
    assert sorted(in_random_order("abcde", draw)) == list("abcde")
    assert list(in_random_order("", draw)) == []


def test_draws_of_many_rows_at_once() -> None:
    keys = row_keys(["u", "v"], seed=0, stage="stage", n_each=2)
    assert len(set(keys.tolist())) == 4, "each child draws for itself"
    assert keys[0] == row_keys(["u"], seed=0, stage="stage")[0], "whatever rows there are beside it"
    numbers = np.stack([uniform(np.full(20_000, key), np.arange(20_000)) for key in keys])
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert np.allclose(numbers.mean(axis=1), 0.5, atol=0.01)
    assert np.allclose(np.corrcoef(numbers), np.eye(4), atol=0.03)
    assert np.allclose(np.histogram(numbers, bins=10)[0], 8000, atol=400)
    assert uniform(keys, 7).tolist() == numbers[:, 7].tolist()
