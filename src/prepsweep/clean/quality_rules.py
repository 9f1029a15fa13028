"""The rules of `quality`: each says whether a text breaks it, at a limit that the option gives.

After Gopher (Rae et al. 2021, https://arxiv.org/abs/2112.11446, appendix A1.1) and C4 (Raffel et al. 2020,
https://jmlr.org/papers/v21/20-074.html, section 2.2). A character of a script without spaces counts as a word, as in `text.words`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from prepsweep.text import words

# Gopher's eight; English, as the rule is.
_STOP_WORDS = frozenset(["the", "be", "to", "of", "and", "that", "have", "with"])
_SYMBOL = re.compile(r"#|…|\.\.\.+")
_BULLET = re.compile(r"[-*•‣▪●·–]\s")
_TERMINAL = tuple(".!?…。！？\"'”’」』）)")
_ELLIPSIS = ("...", "…")
_TOP_SIZES, _REPEAT_SIZE = (2, 3, 4), 5


class Measured:
    """A text and what the rules ask about it, each worked out once and only where asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = words(text)

    @cached_property
    def lower(self) -> list[str]:
        return [word.lower() for word in self.words]

    @cached_property
    def spaced_words(self) -> list[str]:
        """Words of scripts with spaces, numbers left out: a length of 1 that every sign of another script has says nothing."""
        return [word for word in self.words if word[0].isalpha() and (word.isascii() or len(word) > 1)]

    @cached_property
    def lines(self) -> list[str]:
        return [line.strip() for line in self.text.splitlines() if line.strip()]

    @cached_property
    def has_repeats(self) -> bool:
        return len(set(self.lower)) < len(self.lower)


def few_words(text: Measured, limit: float) -> bool:
    """Fewer words than the limit."""
    return len(text.words) < limit


def many_words(text: Measured, limit: float) -> bool:
    """More words than the limit."""
    return len(text.words) > limit


def word_length(text: Measured, limits: Sequence[float]) -> bool:
    """A mean length outside the limits, of the words of scripts with spaces; a text mostly of other words or numbers passes."""
    n_words = len(text.spaced_words)
    is_spaced = 0 < len(text.words) <= 2 * n_words
    return is_spaced and not limits[0] <= sum(map(len, text.spaced_words)) / n_words <= limits[1]


def symbols(text: Measured, limit: float) -> bool:
    """More hash signs and ellipses for each word than the limit."""
    return len(_SYMBOL.findall(text.text)) > limit * len(text.words)


def few_letters(text: Measured, limit: float) -> bool:
    """A smaller share of the words than the limit has a letter in it; a Chinese character is one."""
    return sum(word[0].isalpha() or any(map(str.isalpha, word)) for word in text.words) < limit * len(text.words)


def bullet_lines(text: Measured, limit: float) -> bool:
    """Of two lines or more, a larger share than the limit begins with a bullet."""
    return len(text.lines) > 1 and sum(map(bool, map(_BULLET.match, text.lines))) > limit * len(text.lines)


def ellipsis_lines(text: Measured, limit: float) -> bool:
    """A larger share of the lines than the limit ends with an ellipsis."""
    return sum(line.endswith(_ELLIPSIS) for line in text.lines) > limit * len(text.lines)


def repeated_lines(text: Measured, limit: float) -> bool:
    """A larger share of the lines than the limit repeats a line before."""
    return len(text.lines) - len(set(text.lines)) > limit * len(text.lines)


def top_ngram(text: Measured, limit: float) -> bool:
    """The commonest sequence of 2, 3 or 4 words, there at least twice, has a larger share of the letters than the limit.

    In scripts without spaces these are sequences of characters: 哈哈哈哈 breaks it as "ha ha ha ha" does.
    """
    if not text.has_repeats:
        return False
    n_letters = sum(map(len, text.words))
    return any(_top_letters(text.lower, size) > limit * n_letters for size in _TOP_SIZES)


def _top_letters(lower: Sequence[str], size: int) -> int:
    """Letters within the commonest sequence of `size` words, each counted once where it overlaps itself."""
    ngrams = list(zip(*(lower[start:] for start in range(size)), strict=False))
    counts = Counter(ngrams)
    repeated = [ngram for ngram, n_times in counts.items() if n_times > 1]
    if not repeated:
        return 0
    top = max(repeated, key=lambda ngram: (counts[ngram] * sum(map(len, ngram)), ngram))
    places = {start + step for start, ngram in enumerate(ngrams) if ngram == top for step in range(size)}
    return sum(len(lower[place]) for place in places)


def repeated_ngrams(text: Measured, limit: float) -> bool:
    """Words within repeats of a sequence of 5 words (the second and later ones) have a larger share of the letters than the limit.

    In scripts without spaces these are sequences of 5 characters.
    """
    if not text.has_repeats:
        return False
    seen: set[tuple[str, ...]] = set()
    covered: set[int] = set()
    for start in range(len(text.lower) - _REPEAT_SIZE + 1):
        ngram = tuple(text.lower[start : start + _REPEAT_SIZE])
        if ngram in seen:
            covered.update(range(start, start + _REPEAT_SIZE))
        seen.add(ngram)
    return sum(len(text.words[place]) for place in covered) > limit * sum(map(len, text.words))


def few_stop_words(text: Measured, limit: float) -> bool:
    """Fewer of Gopher's eight English stop words than the limit; a text mostly of words without a to z passes."""
    in_latin = sum(word.isascii() for word in text.words)
    return 2 * in_latin >= len(text.words) and sum(word in _STOP_WORDS for word in text.lower) < limit


def no_terminal_punctuation(text: Measured, limit: float) -> bool:
    """A smaller share of the lines than the limit ends a sentence: . ! ? … or a closing quote, or 。！？」 in Chinese."""
    return sum(line.endswith(_TERMINAL) for line in text.lines) < limit * len(text.lines)


def bad_markers(text: Measured, markers: Sequence[str]) -> bool:
    """One of the markers is in the text, whatever its case."""
    lower = text.text.lower()
    return any(marker.lower() in lower for marker in markers)


# In the order in which a row's reason is sought.
RULES: dict[str, Callable[[Measured, Any], bool]] = {
    rule.__name__: rule
    for rule in (
        few_words,
        many_words,
        word_length,
        symbols,
        few_letters,
        bullet_lines,
        ellipsis_lines,
        repeated_lines,
        top_ngram,
        repeated_ngrams,
        few_stop_words,
        no_terminal_punctuation,
        bad_markers,
    )
}
