"""English inflection: the forms of a lemma, by rule and by WordNet's lists of irregular forms; case; a or an.

A form that neither settles ("beat" or "beaten", "more amusing") is None, and its caller leaves the word alone: a word
less replaced is better than a wrong form.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping


def word_set(words: str) -> frozenset[str]:
    """The words of a string with spaces between them."""
    return frozenset(words.split())


# morphy's rules of detachment (morphy(7WN)): suffix, ending put in its place, and the form that has the suffix.
SUFFIXES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "n": (
        ("s", "", "plural"),
        ("ses", "s", "plural"),
        ("xes", "x", "plural"),
        ("zes", "z", "plural"),
        ("ches", "ch", "plural"),
        ("shes", "sh", "plural"),
        ("men", "man", "plural"),
        ("ies", "y", "plural"),
    ),
    "v": (
        ("s", "", "third"),
        ("ies", "y", "third"),
        ("es", "e", "third"),
        ("es", "", "third"),
        ("ed", "e", "ed"),
        ("ed", "", "ed"),
        ("ing", "e", "ing"),
        ("ing", "", "ing"),
    ),
    "a": (
        ("er", "", "comparative"),
        ("est", "", "superlative"),
        ("er", "e", "comparative"),
        ("est", "e", "superlative"),
    ),
    "r": (),
}

# Verbs whose past is the verb itself; the lists have no line for them.
_INVARIANT = word_set(
    "beat bet bid broadcast burst cast cost cut forecast hit hurt inset knit let misread offset proofread put quit read "
    "recast reread reset rid set shed shut slit split spread thrust typeset undercut upset wed wet"
)
# Lemmas whose listed form is rare or archaic, so that the rule makes the better one: wrought, brethren, pence.
_REGULAR_VERBS = word_set("address bless bypass coordinate curse grip ken overpass pen prove stave transfix work")
_REGULAR_NOUNS = word_set(
    "ban bandit beef brother bus camera cicada colon coma concerto corona cry dogma edema fish gas genius lat libretto mamma "
    "momentum patina pea pelvis penny persona pleura retina rumen solo soprano stadium stamen swami taxi tempo torso trachea "
    "turf ultimatum vacuum virtuoso"
)
_NOT_MEN = ("brahman", "caiman", "german", "human", "norman", "ottoman", "roman", "shaman", "talisman")
_CONSONANT_Y = re.compile(r"[^aeiou]y$")
# Hiss at the end, or one of the few verbs in -o; nouns in -oes (heroes) are listed.
_SIBILANT = re.compile(r"(?:s|x|z|ch|sh|^(?:under|out|over|un|re)?(?:go|do))$")
# One vowel between consonants in one syllable: the last consonant is doubled (slim, slimmed).
_DOUBLED = re.compile(r"^(?:[^aeiou]|qu)*[aeiouy][bdfgklmnprtvz]$")
_ONE_SYLLABLE = re.compile(r"^(?:[^aeiouy]|qu)*y?[aeiou]*[aeiouy][^aeiouy]*e?$")
# Optional participles of regular verbs (shown, sewn), not won and spun, which are the past too.
_OPTIONAL_PARTICIPLE = re.compile(r"(?<![ou])n$")

# Written with one letter and spoken with another: an hour, a unit.
_SILENT_H = ("hour", "honest", "honor", "honour", "heir")
_SOUNDS_LIKE_Y = ("eu", "ewe", "uni", "use", "usu", "uti", "ubi", "ura", "one", "once")


class Inflections:
    """Forms of lemmas, from the exception lists (word → lemmas) of each part of speech turned round."""

    def __init__(self, exceptions: Mapping[str, Mapping[str, tuple[str, ...]]]) -> None:
        self._listed: dict[str, dict[str, list[str]]] = {pos: defaultdict(list) for pos in exceptions}
        for pos, words in exceptions.items():
            for word, lemmas in words.items():
                for lemma in lemmas:
                    self._listed[pos][lemma].append(word)

    def form_of(self, word: str, lemma: str, pos: str) -> str:
        """Which form the listed `word` is of `lemma`: "took" is past, "taken" participle, "made" both, so "ed"."""
        if pos == "n":
            return "plural"
        if pos != "v":
            return _degree(word)
        if word.endswith("ing"):
            return "ing"
        if word.endswith("s"):
            return "third"
        past, participle = self._past(lemma)
        return "ed" if past == participle else "past" if word == past else "participle"

    def inflect(self, lemma: str, pos: str, form: str) -> str | None:
        """`lemma` in `form`, or None where this file cannot tell; "ed" only if past and participle are one."""
        if form == "base":
            return lemma
        if pos == "n":
            return self._plural(lemma)
        if pos == "v":
            return self._verb(lemma, form)
        return self._compared(lemma, pos, form)

    def _plural(self, lemma: str) -> str:
        listed = self._listed["n"].get(lemma)
        if listed and lemma not in _REGULAR_NOUNS:
            return listed[0]
        # Compounds (policeman, grandchild) follow their last part where the lists do not have them.
        return f"{lemma[:-3]}men" if lemma.endswith("man") and not lemma.endswith(_NOT_MEN) else _with_s(lemma)

    def _verb(self, lemma: str, form: str) -> str | None:
        listed = self._listed["v"].get(lemma, [])
        if form == "third":
            return next((word for word in listed if re.search(r"[^s]s$", word)), _with_s(lemma))
        if form == "ing":
            return next((word for word in listed if word.endswith("ing")), _with_ing(lemma))
        past, participle = self._past(lemma)
        if form == "ed":
            return past if past == participle else None
        return past if form == "past" else participle

    def _past(self, lemma: str) -> tuple[str | None, str | None]:
        """Past and participle; None for the one that the lists leave open."""
        listed = [word for word in self._listed["v"].get(lemma, []) if not word.endswith(("ing", "s"))]
        irregular = [word for word in listed if not word.endswith("ed") or word in ("fed", "led", "bled", "bred", "sped", "fled")]
        if lemma in _INVARIANT:
            return lemma, "beaten" if lemma == "beat" else lemma
        if not irregular or lemma in _REGULAR_VERBS:
            regular = next((word for word in listed if word.endswith("ed")), _with_ed(lemma))
            return regular, regular
        if len(irregular) > 2:
            return None, None
        if len(irregular) == 2:
            return _past_of_two(*irregular)
        word = irregular[0]
        if lemma.endswith(("come", "run")):
            return word, lemma
        return (_with_ed(lemma), None) if _OPTIONAL_PARTICIPLE.search(word) else (word, word)

    def _compared(self, lemma: str, pos: str, form: str) -> str | None:
        listed = next((word for word in self._listed[pos].get(lemma, []) if _degree(word) == form), None)
        if listed or pos == "r" or not _ONE_SYLLABLE.match(lemma):
            return listed
        suffix = "er" if form == "comparative" else "est"
        if lemma.endswith("e"):
            return lemma + suffix[1:]
        if _CONSONANT_Y.search(lemma):
            return f"{lemma[:-1]}i{suffix}"
        return f"{lemma}{lemma[-1]}{suffix}" if _DOUBLED.match(lemma) else lemma + suffix


def _degree(word: str) -> str:
    """Worst, best and farthest are superlatives; worse, less and better are not."""
    return "superlative" if word.endswith("st") else "comparative"


def _past_of_two(first: str, second: str) -> tuple[str | None, str | None]:
    """sang and sung, began and begun: the u is the participle's; took and taken, bore and borne: the n is."""
    for past, participle in ((first, second), (second, first)):
        if past.replace("a", "u") == participle:
            return past, participle
    nasal = [bool(re.search(r"ne?$", word)) for word in (first, second)]
    if nasal[0] == nasal[1]:
        return None, None
    return (second, first) if nasal[0] else (first, second)


def _with_s(lemma: str) -> str:
    if _CONSONANT_Y.search(lemma):
        return f"{lemma[:-1]}ies"
    return lemma + ("es" if _SIBILANT.search(lemma) else "s")


def _with_ed(lemma: str) -> str:
    if lemma.endswith("e"):
        return f"{lemma}d"
    if _CONSONANT_Y.search(lemma):
        return f"{lemma[:-1]}ied"
    return f"{lemma}{lemma[-1]}ed" if _DOUBLED.match(lemma) else f"{lemma}ed"


def _with_ing(lemma: str) -> str:
    # die, tie, belie; not birdie.
    if re.search(r"^(?:un|be)?[^aeiou]ie$", lemma):
        return f"{lemma[:-2]}ying"
    if lemma.endswith("e") and not lemma.endswith(("ee", "oe", "ye")):
        return f"{lemma[:-1]}ing"
    return f"{lemma}{lemma[-1]}ing" if _DOUBLED.match(lemma) else f"{lemma}ing"


def match_case(original: str, new: str) -> str:
    """`new` with the capitals of `original`: FILM, Film or film."""
    if not original[0].isupper():
        return new
    return new.upper() if len(original) > 1 and original.isupper() else new[0].upper() + new[1:]


def indefinite_article(word: str) -> str:
    """The article that `word` takes: an hour, a unit, an eagle, a bird."""
    if word.startswith(_SILENT_H):
        return "an"
    return "a" if word[0] not in "aeiou" or word.startswith(_SOUNDS_LIKE_Y) else "an"
