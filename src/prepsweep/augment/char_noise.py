"""Character noise: slips on the keyboard, misread scans, typing errors."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from prepsweep.augment.children import make_children
from prepsweep.augment.draws import Draw, in_random_order, pick, row_draw
from prepsweep.augment.values import check_fraction, check_whole
from prepsweep.errors import Refused, nearest
from prepsweep.segmentation import SPACELESS, cut, word_places

if TYPE_CHECKING:
    from datasets import Dataset

KINDS = ("keyboard", "ocr", "typo")
# Left edge of each row of a QWERTY keyboard, in keys.
_ROWS = {"qwertyuiop": 0.0, "asdfghjkl": 0.25, "zxcvbnm": 0.75}
# What optical character recognition takes for the other, both ways.
_CONFUSED = "0 O, 0 o, 1 l, 1 I, l I, 5 S, 8 B, 2 Z, 9 g, rn m, cl d, vv w, c e, h b, u v, f t, i j"


def char_noise(dataset: Dataset, *, seed: int, kind: str, alpha: float, n_aug: int, num_proc: int) -> Dataset:
    """`n_aug` children per row, max(1, round(alpha * words)) words of each with one edit of their characters.

    `keyboard` puts a QWERTY neighbour in a letter's place; `ocr` a character or pair that scans are misread as (0 and O,
    rn and m, l and 1); `typo` swaps two neighbours, deletes, repeats, or inserts a neighbouring key before a letter
    (Belinkov & Bisk 2018, https://arxiv.org/abs/1711.02173; Pruthi et al. 2019, https://aclanthology.org/P19-1561).
    Words too short (one letter; not for `ocr`) or without such a character are passed over, another is drawn.

    Marks and white space are never edited, and digits by `ocr` alone: 2 of 5 stars stays so. Han and kana have no QWERTY
    keys and no confusions here, so only `typo` touches them: it swaps two neighbouring ones. A text with nothing to edit
    leaves as `unchanged`. Labels survive as far as a reader can still guess the word.
    """
    check(kind=kind, alpha=alpha, n_aug=n_aug)
    texts_of = partial(_noised, seed=seed, kind=kind, alpha=alpha, n_aug=n_aug)
    return make_children(dataset, texts_of, stage="char_noise", num_proc=num_proc)


def check(*, kind: str, alpha: float, n_aug: int) -> None:
    """Refuse a kind that is none, and values that edit nothing."""
    if kind not in KINDS:
        raise Refused("augment.char_noise.kind", f"unknown kind {kind!r}", nearest(str(kind), KINDS))
    check_fraction(alpha, where="augment.char_noise.alpha", try_value=0.1)
    if not alpha:
        raise Refused("augment.char_noise.alpha", "0 edits nothing", "use augment=none for no noise")
    check_whole(n_aug, where="augment.char_noise.n_aug")


def _keyboard() -> dict[str, str]:
    keys = {key: (number, left + at) for number, (row, left) in enumerate(_ROWS.items()) for at, key in enumerate(row)}
    near = {
        key: "".join(other for other, (r, x) in keys.items() if other != key and abs(r - row) <= 1 and abs(x - place) <= 1.0)
        for key, (row, place) in keys.items()
    }
    return near | {key.upper(): others.upper() for key, others in near.items()}


def _confusions() -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for pair in _CONFUSED.split(", "):
        one, other = pair.split()
        found[one].append(other)
        found[other].append(one)
    return dict(found)


_NEAR = _keyboard()
_READ_AS = _confusions()
# Longest first, and behind a look-ahead, so that every position is a match of its own.
_MISREAD = re.compile(f"(?=({'|'.join(sorted(_READ_AS, key=lambda seen: (-len(seen), seen)))}))")


def _noised(uid: str, text: str, *, seed: int, kind: str, alpha: float, n_aug: int) -> list[str]:
    parts = cut(text, "characters")
    places = word_places(parts)
    if not places:
        return [text] * n_aug
    draw = row_draw(seed, "char_noise", uid)
    n_edits, edit = max(1, int(alpha * len(places) + 0.5)), _EDITS[kind]
    children = []
    for _ in range(n_aug):
        child, left = parts.copy(), n_edits
        for place in in_random_order(places, draw):
            left -= edit(child, place, draw)
            if not left:
                break
        children.append("".join(child))
    return children


def _slip(child: list[str], place: int, draw: Draw) -> bool:
    word = child[place]
    sites = [at for at, letter in enumerate(word) if letter in _NEAR]
    if len(word) < 2 or not sites:
        return False
    at = pick(sites, draw)
    child[place] = word[:at] + pick(_NEAR[word[at]], draw) + word[at + 1 :]
    return True


def _misread(child: list[str], place: int, draw: Draw) -> bool:
    word = child[place]
    sites = list(_MISREAD.finditer(word))
    if not sites:
        return False
    at, seen = (site := pick(sites, draw)).start(), site[1]
    child[place] = word[:at] + pick(_READ_AS[seen], draw) + word[at + len(seen) :]
    return True


def _mistype(child: list[str], place: int, draw: Draw) -> bool:
    word = child[place]
    if SPACELESS.match(word):
        return _swap_characters(child, place)
    sites = [at for at, letter in enumerate(word) if letter.isalpha()]
    if len(sites) < 2:
        return False
    operation, at = int(draw() * 4), pick(sites, draw)
    letter, behind = word[at], word[at + 1 : at + 2]
    if operation == 0 and behind.isalpha() and behind != letter:
        edited = behind + letter + word[at + 2 :]
    elif operation == 1 and len(sites) > 2:
        edited = word[at + 1 :]
    elif operation == 2 and letter in _NEAR:
        edited = pick(_NEAR[letter], draw) + word[at:]
    else:
        edited = letter + word[at:]
    child[place] = word[:at] + edited
    return True


def _swap_characters(child: list[str], place: int) -> bool:
    behind = place + 1
    if behind == len(child) or not SPACELESS.match(child[behind]) or child[behind] == child[place]:
        return False
    child[place], child[behind] = child[behind], child[place]
    return True


_EDITS = {"keyboard": _slip, "ocr": _misread, "typo": _mistype}
