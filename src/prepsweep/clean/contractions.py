"""English contractions spelled out where only one reading is possible."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prepsweep.text import rewrite

if TYPE_CHECKING:
    from datasets import Dataset

# The forms are those of https://en.wikipedia.org/wiki/Wikipedia:List_of_English_contractions that have one reading.
_NOT = "is are was were do does did has have had can could will would shall should must might may ought need dare ca wo sha"
_STEMS = {"ca": "can", "wo": "will", "sha": "shall"}
_TAILS = {"m": "am", "re": "are", "ve": "have", "ll": "will", "s": "is"}
_BEFORE_IS = "it he she that there here who what where when why how"
_PRONOUNS = "i you he she it we they who that there this these those what"
# 's is "has" before these, and may be "is" or "has" before another participle.
_HAS = frozenset(["been", "got", "had"])
_EITHER = frozenset(
    """
    beaten become begun bet born bought broken brought built caught chosen come cost cut done drawn driven eaten fallen felt
    forgotten found frozen gone grown heard held hidden hit kept known led left lost made meant met paid put read ridden risen run
    said seen sent set shown shut sold spent spoken stolen stuck taken taught thought told torn understood woken won worn written
    """.split()  # noqa: SIM905 - a list of so many is hard to read
)
_ADVERBS = "not never already always just only also ever really probably long now since recently finally all still even indeed"
_MARK = "['’‘ʼ＇`´]"


def _any(words: str) -> str:
    return "(?:" + "|".join(words.split()) + ")"


_ANY_MARK = re.compile(_MARK)
# Where one may be; to try the long pattern at every word would take five times as long.
_CANDIDATE = re.compile(
    rf"(?:\b[a-z]+(?: n)? ?|(?<!\w)){_MARK}(?:t(?:{_MARK}ve)?|s|m|re|ve|ll|d{_MARK}ve|tis|twas|twill)(?!\w)", re.IGNORECASE
)
# A blank before the tail, as tokenised corpora have it ("do n't", "it 's"), only behind words that are never names.
_CONTRACTION = re.compile(
    rf"""\b(?P<verb>{_any(_NOT)})\ ?(?P<n>n){_MARK}t(?P<not_have>{_MARK}ve)?(?!\w)
    |\b(?P<let>let)\ ?{_MARK}(?P<us>s)(?![\w-])
    |\b(?P<subject>{_any(_BEFORE_IS)})\ ?{_MARK}(?P<s>s)(?![\w-])(?=(?:\s+{_any(_ADVERBS)}\b)*\s+(?P<next>[a-z]+)|)
    |\b(?P<am>i)\ ?{_MARK}(?P<m>m)(?![\w-])
    |(?P<who>\b[a-z]+){_MARK}(?P<d>d){_MARK}ve(?![\w-])
    |(?P<host>\b[a-z]+|\b{_any(_PRONOUNS + " could should would might must")}\ ){_MARK}(?P<tail>re|ve|ll)(?![\w-])
    |(?<![\w'’]){_MARK}(?P<it>t)(?P<be>is|was|will)(?![\w-])""",
    re.IGNORECASE | re.VERBOSE,
)


def contractions(dataset: Dataset, *, num_proc: int) -> Dataset:
    """Texts with English contractions spelled out, capitals kept: "don't" becomes "do not", "I'M" "I AM", "can't" "cannot".

    What has two readings stays: 'd (had, would), "ain't", and 's before a participle ("it's gone"). 's is "is" only behind
    a pronoun or question word ("it's", "who's"; "has" before "been", "got" and "had"), so a possessive ("John's", "it's
    own") stays. The order of words stays too: "isn't it" becomes "is not it". An "it's" that should be "its" becomes "it is".
    Typographic apostrophes count as others; text of other languages has no such forms.
    """
    return rewrite(dataset, _spell_out, num_proc=num_proc)


def _spell_out(text: str) -> str:
    return _CANDIDATE.sub(_spelled, text) if _ANY_MARK.search(text) else text


def _spelled(candidate: re.Match[str]) -> str:
    match = _CONTRACTION.match(candidate.string, candidate.start())
    return _long_form(match) + candidate.string[match.end() : candidate.end()] if match else candidate[0]


def _long_form(match: re.Match[str]) -> str:
    found = match.groupdict()
    if verb := found["verb"]:
        stem = _STEMS.get(verb.lower(), verb)
        gap = "" if verb.lower() == "ca" else " "
        have = " have" if found["not_have"] else ""
        return _like(verb, stem) + _upper_if(found["n"], f"{gap}not{have}")
    if found["let"]:
        return found["let"] + _upper_if(found["us"], " us")
    if found["subject"]:
        verb = _is_or_has((found["next"] or "").lower())
        return found["subject"] + _upper_if(found["s"], f" {verb}") if verb else match[0]
    if found["am"]:
        return found["am"] + _upper_if(found["m"], " am")
    if found["who"]:
        return found["who"] + _upper_if(found["d"], " would have")
    if found["host"]:
        return found["host"].rstrip(" ") + _upper_if(found["tail"], f" {_TAILS[found['tail'].lower()]}")
    return _like(found["it"] + found["be"], "it") + _upper_if(found["be"], f" {found['be'].lower()}")


def _is_or_has(next_word: str) -> str | None:
    """What 's stands for before `next_word`; None where it cannot be told."""
    if next_word in _HAS:
        return "has"
    participle = next_word in _EITHER or (len(next_word) > 3 and next_word.endswith("ed"))
    return None if participle or next_word == "own" else "is"


def _like(model: str, word: str) -> str:
    """`word` with the capitals of `model`."""
    if model == word or not model[0].isupper():
        return word
    return word.upper() if model.isupper() else word.capitalize()


def _upper_if(letter: str, words: str) -> str:
    return words.upper() if letter.isupper() else words
