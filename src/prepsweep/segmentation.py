"""Pieces of a text for stages that edit words: combining marks stay with their letter, and `jieba` cuts runs of Han into words."""

from __future__ import annotations

import importlib.util
import re
import unicodedata
import warnings
from functools import cache
from itertools import groupby, pairwise
from typing import Any

from prepsweep.errors import Refused, nearest
from prepsweep.text import pieces

SEGMENTERS = ("characters", "jieba")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# Written without spaces; a letter of these never joins the word before it.
SPACELESS = re.compile(f"[\u3040-\u30ff{_HAN.pattern[1:]}")
# What `text.pieces` finds in ASCII, in three quarters of the time.
_ASCII_PIECE = re.compile(r"[A-Za-z0-9]+(?:['\-][A-Za-z0-9]+)*|\s+|.", re.DOTALL)
_JOINERS = "\u200c\u200d"


def cut(text: str, segmenter: str) -> list[str]:
    """`text` in words, runs of white space and single marks; joined they give `text` back.

    As `text.pieces`, but for two things. Combining marks and joiners belong to the word that they stand in (Hindi, Thai,
    a decomposed "é"), so that no edit parts them. Under `jieba` a run of Han is cut into words of its dictionary
    (https://github.com/fxsjy/jieba); under `characters` each is a word of its own, as kana always are.
    """
    if text.isascii():
        return _ASCII_PIECE.findall(text)
    parts = _with_marks(pieces(text))
    return _with_han_words(parts) if segmenter == "jieba" else parts


def word_places(parts: list[str]) -> list[int]:
    """Where in `parts` the words are."""
    return [place for place, part in enumerate(parts) if part != " " and part[0].isalnum()]


def check_segmenter(segmenter: str, *, where: str) -> None:
    """Refuse a name that is none, and `jieba` where it is not installed."""
    if segmenter not in SEGMENTERS:
        raise Refused(f"{where}.segmenter", f"unknown segmenter {segmenter!r}", nearest(str(segmenter), SEGMENTERS))
    if segmenter == "jieba" and importlib.util.find_spec("jieba") is None:
        fix = "pip install 'prepsweep[chinese]', or use segmenter=characters"
        raise Refused(f"{where}.segmenter", "segmenter=jieba needs jieba, which is not installed", fix)


def load_segmenter(segmenter: str) -> None:
    """Read the dictionary now (a second), before any process is forked, so that all share it."""
    if segmenter == "jieba":
        _jieba()


def _with_marks(parts: list[str]) -> list[str]:
    # Where a word begins: joined once at the end, because a text in Thai can be one word.
    starts: list[int] = []
    inside = False  # Whether the part before ended with a mark, so that letters behind it are of the same word.
    for place, part in enumerate(parts):
        head = parts[starts[-1]] if starts else " "
        mark = len(part) == 1 and (part in _JOINERS or unicodedata.category(part)[0] == "M")
        goes_on = inside and part[0].isalnum() and head[0].isalnum() and not SPACELESS.match(part)
        if not goes_on and (not mark or head.isspace()):
            starts.append(place)
        inside = mark
    return ["".join(parts[start:end]) for start, end in pairwise([*starts, len(parts)])]


def _with_han_words(parts: list[str]) -> list[str]:
    words: list[str] = []
    for is_han, run in groupby(parts, lambda part: _HAN.fullmatch(part) is not None):
        same = list(run)
        words += _jieba().cut("".join(same)) if is_han else same
    return words


@cache
def _jieba() -> Any:
    """The tokenizer with its dictionary, read from the package itself.

    Its own `initialize` would log to stderr, and write and trust a cache file in the folder for temporary files.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Old escapes in its source, and pkg_resources.
        import jieba

        tokenizer = jieba.Tokenizer()
        tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return tokenizer
