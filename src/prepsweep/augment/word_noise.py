"""Word noise: words left out, and neighbours that change places."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prepsweep.augment.children import make_children
from prepsweep.augment.draws import Draw, n_misses, pick, row_draw
from prepsweep.augment.edits import delete_words
from prepsweep.augment.values import check_fraction, check_whole
from prepsweep.errors import Refused
from prepsweep.segmentation import check_segmenter, cut, load_segmenter, word_places

if TYPE_CHECKING:
    from datasets import Dataset


def word_noise(dataset: Dataset, *, seed: int, p_swap: float, p_delete: float, segmenter: str, n_aug: int, num_proc: int) -> Dataset:
    """`n_aug` children per row: each word deleted with `p_delete`; of those left, each changes places with the next with `p_swap`.

    The noise of Lample et al. 2018 (https://arxiv.org/abs/1711.00043), but a word moves one place at most. Where chance
    leaves a text as it was, one edit is made at a random place: a deletion or a swap, in the ratio of `p_delete` to
    `p_swap`. One word always stays; marks stay in their place, and a deleted word takes the space before it along.

    Nothing here looks for an antonym, but a label can hang on one word: to delete "not" flips it. Long texts forgive
    this, short ones do not, so keep `p_delete` low for them. A text of one word or none leaves as `unchanged`.
    """
    check(p_swap=p_swap, p_delete=p_delete, segmenter=segmenter, n_aug=n_aug)
    load_segmenter(segmenter)
    texts_of = partial(_noised, seed=seed, p_swap=p_swap, p_delete=p_delete, segmenter=segmenter, n_aug=n_aug)
    return make_children(dataset, texts_of, stage="word_noise", num_proc=num_proc)


def check(*, p_swap: float, p_delete: float, segmenter: str, n_aug: int) -> None:
    """Refuse values that edit nothing, and a segmenter that is not there."""
    check_fraction(p_swap, where="augment.word_noise.p_swap", try_value=0.1)
    check_fraction(p_delete, where="augment.word_noise.p_delete", try_value=0.1)
    if not p_swap and not p_delete:
        raise Refused("augment.word_noise", "makes no noise: p_swap and p_delete are both 0", "set one, or use augment=none")
    check_whole(n_aug, where="augment.word_noise.n_aug")
    check_segmenter(segmenter, where="augment.word_noise")


def _noised(uid: str, text: str, *, seed: int, p_swap: float, p_delete: float, segmenter: str, n_aug: int) -> list[str]:
    parts = cut(text, segmenter)
    places = word_places(parts)
    if len(places) < 2:
        return [text] * n_aug
    draw = row_draw(seed, "word_noise", uid)
    children = []
    for _ in range(n_aug):
        child = parts.copy()
        gone = _hit(places, p_delete, draw) if p_delete else []
        if len(gone) == len(places):
            gone.remove(pick(gone, draw))
        stay = [place for place in places if place not in gone] if gone else places
        swapped = _swap(child, stay, p_swap, draw) if p_swap else False
        if not gone and not swapped:
            gone = _edit_once(child, places, p_delete / (p_delete + p_swap), draw)
        if gone:
            delete_words(child, gone)
        children.append("".join(child))
    return children


def _hit(places: list[int], p: float, draw: Draw) -> list[int]:
    """Each of `places` with probability `p`."""
    hit, n_places = [], len(places)
    at = n_misses(p, draw, most=n_places)
    while at < n_places:
        hit.append(places[at])
        at += 1
        at += n_misses(p, draw, most=n_places - at)
    return hit


def _swap(child: list[str], places: list[int], p: float, draw: Draw) -> bool:
    last = len(places) - 1
    first = at = n_misses(p, draw, most=last)
    while at < last:
        _exchange(child, places, at)
        at += 2
        at += n_misses(p, draw, most=last - at)
    return first < last


def _edit_once(child: list[str], places: list[int], deletes: float, draw: Draw) -> list[int]:
    """One swap in `child`, or else the place of one word to delete."""
    if draw() < deletes:
        return [pick(places, draw)]
    _exchange(child, places, int(draw() * (len(places) - 1)))
    return []


def _exchange(child: list[str], places: list[int], at: int) -> None:
    first, second = places[at], places[at + 1]
    child[first], child[second] = child[second], child[first]
