"""antonym: opposites from WordNet, and never by accident."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prepsweep.augment import antonym as module
from prepsweep.augment.antonym import antonym
from prepsweep.augment.wordnet import WordNet
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from tests.conftest import rows_of


def texts_of(text: str, folder: Path, **changes: Any) -> list[str]:
    values: dict[str, Any] = {"replaced_fraction": 1.0, "n_copies": 1, "allow_label_change": True} | changes
    rows = antonym(rows_of([(text, "x")]), seed=0, wordnet_dir=str(folder), num_proc=1, **values)
    found: list[str] = table_of(rows).column("text").to_pylist()[1:]
    return found


def test_direct_antonyms_of_frequent_senses(tiny: WordNet) -> None:
    assert tiny.antonyms("bright", "a") == ("dull",)
    assert tiny.antonyms("dull", "a") == ("bright",)
    assert tiny.antonyms("sluggish", "a") == (), "the pointer is the first word's, not the synset's"
    assert tiny.antonyms("film", "n") == ()
    assert tiny.antonyms("nothing", "n") == ()


def test_antonyms_of_the_real_wordnet(real_wordnet: WordNet) -> None:
    found = {lemma: real_wordnet.antonyms(lemma, "a") for lemma in ("good", "slow", "beautiful")}
    assert found == {"good": ("bad",), "slow": ("fast",), "beautiful": ("ugly",)}
    assert real_wordnet.antonyms("love", "v") == ("hate",)


@pytest.mark.parametrize(
    ("text", "child"),
    [
        ("A bright film.", "A dull film."),
        ("Dull, awful", "Bright, funny"),
        ("它很好 👍\u2028", "它很好 👍\u2028"),
        ("", ""),
        ("   ", "   "),
    ],
)
def test_words_become_their_opposites(wordnet_folder: Path, text: str, child: str) -> None:
    assert texts_of(text, wordnet_folder) == [child]


def test_it_is_refused_unless_it_is_asked_for(wordnet_folder: Path) -> None:
    assert module.LABEL_PRESERVING is False
    for allowed in (False, None, "yes"):
        with pytest.raises(Refused, match=r"augment\.antonym\.allow_label_change: an antonym often turns a text into one of another class"):
            texts_of("A bright film.", wordnet_folder, allow_label_change=allowed)
    with pytest.raises(Refused, match=r"augment\.antonym\.n_copies: must be at least 1, got 0"):
        module.check(replaced_fraction=0.5, n_copies=0, allow_label_change=True)


def test_chinese_rows_are_refused(wordnet_folder: Path) -> None:
    with pytest.raises(Refused, match=r"augment\.antonym"):
        module.check_rows(rows_of([("我喜欢这部电影", "x"), ("很好看", "y")], "train"))
