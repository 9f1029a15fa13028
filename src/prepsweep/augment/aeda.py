"""AEDA, "an easier data augmentation" (Karimi et al. 2021, https://aclanthology.org/2021.findings-emnlp.234): stray punctuation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prepsweep.augment.children import make_children
from prepsweep.augment.draws import pick, row_draw, shuffled
from prepsweep.augment.values import check_whole
from prepsweep.segmentation import SPACELESS, check_segmenter, cut, load_segmenter, word_places

if TYPE_CHECKING:
    from datasets import Dataset

_MARKS = ".;?:!,"
_WIDE_MARKS = "。；？：！，"


def aeda(dataset: Dataset, *, seed: int, segmenter: str, n_aug: int, num_proc: int) -> Dataset:
    """`n_aug` children per row: the row's text with punctuation marks put in, between 1 and a third of its words.

    How many, which words and which of the six marks `. ; ? : ! ,` are drawn evenly; a mark goes before its word with a
    space behind it, at most one to a word, as in the authors' code (which cuts at spaces and draws up to 0.3 words + 1;
    this is the paper's rule). Before Han and kana it is the full-width mark without a space. No word is lost, moved or
    changed, so this is the augmentation least likely to flip a label; where marks carry it ("great!" or "great?"), they
    can. A text without words leaves as `unchanged`.
    """
    check(segmenter=segmenter, n_aug=n_aug)
    load_segmenter(segmenter)
    return make_children(dataset, partial(_marked, seed=seed, segmenter=segmenter, n_aug=n_aug), stage="aeda", num_proc=num_proc)


def check(*, segmenter: str, n_aug: int) -> None:
    """Refuse fewer than one child, and a segmenter that is not there."""
    check_whole(n_aug, where="augment.aeda.n_aug")
    check_segmenter(segmenter, where="augment.aeda")


def _marked(uid: str, text: str, *, seed: int, segmenter: str, n_aug: int) -> list[str]:
    parts = cut(text, segmenter)
    places = word_places(parts)
    if not places:
        return [text] * n_aug
    draw = row_draw(seed, "aeda", uid)
    most = max(1, len(places) // 3)
    children = []
    for _ in range(n_aug):
        child = parts.copy()
        for place in shuffled(places, draw, n_first=1 + int(draw() * most)):
            word = child[place]
            child[place] = pick(_WIDE_MARKS, draw) + word if SPACELESS.match(word) else f"{pick(_MARKS, draw)} {word}"
        children.append("".join(child))
    return children
