"""Emoji as words, as marks that stand free, or gone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache, partial, reduce
from typing import TYPE_CHECKING

import emoji as library
import pyarrow.compute as pc

from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result
from prepsweep.text import per_text_column, with_texts

if TYPE_CHECKING:
    from datasets import Dataset

ACTIONS = ("name", "remove", "keep_spaced")
# Signs that the Unicode tables call emoji and everybody uses as type: emoji only where U+FE0F says so.
_TYPE = "©®™‼⁉ℹⓂ↔↕↖↗↘↙↩↪▪▫◻◼"
_SKIN_TONE = re.compile("_(?:(?:medium-)?(?:light|dark)|medium)_skin_tone")
# Joiner, emoji style, keycap, skin tones, tags: they mean nothing when they stand alone.
_ATTACHED = re.compile("[\u200d\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
# Asked first, because to look a sign up among a thousand takes `re` ten times as long as in these ranges.
_WHERE_ONE_MAY_BEGIN = "(?=[#*0-9©®\u2000-\u32ff\U0001f000-\U0001ffff])"
# No space is left before these where an emoji is removed.
_CLOSES = frozenset(".,;:!?)]}\"'’”…。，！？、；：）」")


def check(*, action: str) -> None:
    """Refuse an action that there is not."""
    if action not in ACTIONS:
        raise Refused("clean.emoji.action", f"unknown action {action!r}", nearest(str(action), ACTIONS))


def emoji(dataset: Dataset, *, action: str, num_proc: int) -> Result:
    """Texts with each emoji as its name (👍🏽 becomes `:thumbs_up:`), gone, or kept with spaces around it.

    A sequence (family, flag, keycap) is one emoji. `name` is the English short name of Unicode CLDR without the skin tone,
    which would split one meaning into six. A space parts an emoji from a letter or emoji beside it, so that a tokenizer sees
    two words; where one is removed between words a space is left. A text of nothing but emoji becomes empty by `remove`:
    `drop_short` takes such rows out. ©, ™ and arrows stay, as do digits.
    """
    check(action=action)
    found = per_text_column(dataset, partial(_replaced, action=action), num_proc=num_proc)
    counts = reduce(pc.add, [of_column.column("n_emoji") for of_column in found.values()])
    facts = {"emoji": pc.sum(counts).as_py() or 0, "rows": pc.sum(pc.greater(counts, 0)).as_py() or 0}
    return Result(with_texts(dataset, found), facts)


def _replaced(texts: Sequence[str], *, action: str) -> dict[str, list[str] | list[int]]:
    pattern = _pattern(action)
    pairs = [(text, 0) if text.isascii() else _without_pictures(text, pattern, action) for text in texts]
    return {"text": [text for text, _ in pairs], "n_emoji": [n_emoji for _, n_emoji in pairs]}


def _without_pictures(text: str, pattern: re.Pattern[str], action: str) -> tuple[str, int]:
    n_emoji = 0

    def replacement(match: re.Match[str]) -> str:
        nonlocal n_emoji
        parted, n_found = _parted(match[0], named=action == "name")
        n_emoji += n_found
        left, right = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        return _gap(match[0], left, right) if action == "remove" else " " * left.isalnum() + parted + " " * right.isalnum()

    return pattern.sub(replacement, text), n_emoji


@cache
def _pattern(action: str) -> re.Pattern[str]:
    """Runs of emoji; to remove them, with the blanks around."""
    signs = sorted({sign for known in library.EMOJI_DATA for sign in known if not sign.isascii()})
    first = "".join(sign for sign in signs if sign not in _TYPE and not _ATTACHED.match(sign))
    unit = (
        rf"{_WHERE_ONE_MAY_BEGIN}(?:[0-9#*]\ufe0f?\u20e3|[{_TYPE}]\ufe0f|"
        rf"[{first}](?:[\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]|\u200d[{''.join(signs)}])*)"
    )
    return re.compile(rf"[ \t]?(?:{unit}[ \t]*)+" if action == "remove" else rf"(?:{unit})+")


@lru_cache(maxsize=10_000)
def _parted(run: str, *, named: bool) -> tuple[str, int]:
    """The emoji of a run, or their names, with spaces between, and their number."""
    parts, end, found = [], 0, library.emoji_list(run)
    for match in found:
        name = _SKIN_TONE.sub("", library.EMOJI_DATA[match["emoji"]]["en"]) if named else match["emoji"]
        parts += [run[end : match["match_start"]], name]
        end = match["match_end"]
    return " ".join(part for part in [*parts, run[end:]] if _ATTACHED.sub("", part).strip()), len(found)


def _gap(run: str, left: str, right: str) -> str:
    """What stays where a run of emoji and blanks was: one blank between words, nothing at an end or before a full stop."""
    if not left or not right or left.isspace() or right.isspace() or right in _CLOSES:
        return ""
    return " " if run[0].isspace() or run[-1].isspace() or (left.isalnum() and right.isalnum()) else ""
