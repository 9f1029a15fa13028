"""Synonym replacement: some words of each text by synonyms of the same part of speech, in the same form."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from prepsweep.augment.children import make_children
from prepsweep.augment.draws import pick, shuffled
from prepsweep.augment.inflect import indefinite_article, match_case, word_set
from prepsweep.augment.tagger import STOP_WORDS, Tagged, Tagger, Word
from prepsweep.augment.wordnet import VOCABULARY, WordNet, check_wordnet, load_wordnet
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.randomness import row_rng
from prepsweep.scripts import refuse_other_scripts
from prepsweep.text import pieces

if TYPE_CHECKING:
    from datasets import Dataset

# Marks that open something at a word, and behind a space have closed it.
_QUOTES = "\"'“”‘’()[]"
_ENDS = ".!?…:;"
_ABBREVIATIONS = word_set("mr mrs ms dr st jr sr vs prof gen col sen rep rev capt lt")
# Verbs with too many meanings for any synonym to fit.
_LIGHT = word_set("be come do get give go have make put take")
_OBJECTS = word_set("me you him her it us them")
_PLAIN_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
_VOWEL = re.compile(r"[aeiou]|.y")
_ONLY_PLURAL = re.compile(r"[^isu]s$")


def synonym(dataset: Dataset, *, seed: int, wordnet_dir: str, replaced_fraction: float, n_copies: int, num_proc: int) -> Dataset:
    """`n_copies` children per row, each with `replaced_fraction` of its replaceable words (at least one) replaced.

    Replaceable is an open-class word whose part of speech is certain here and that has a synonym in a frequent sense.
    Stop words, names (capitals inside a sentence), words of a compound that WordNet lists ("science fiction") and names
    of classes are not, and are never put in. The inflection and the case are kept, and "a" or "an" before the word
    stays right; so do all other characters. A text without a replaceable word leaves as `unchanged`. English only: rows
    mostly in another script are refused. Synonyms of a frequent sense seldom flip a label; antonyms are never among them.
    """
    check(replaced_fraction=replaced_fraction, n_copies=n_copies)
    check_wordnet(wordnet_dir, where="augment.synonym.wordnet_dir")
    values: dict[str, Any] = {"seed": seed, "wordnet_dir": wordnet_dir, "replaced_fraction": replaced_fraction, "n_copies": n_copies}
    return replace_words(dataset, relation="synonym", num_proc=num_proc, **values)


def replace_words(dataset: Dataset, *, relation: str, num_proc: int, wordnet_dir: str, **values: Any) -> Dataset:
    """Children with words replaced by another that stands in `relation` to them ("synonym", "antonym"); see `synonym`."""
    classes = tuple(sorted({label.casefold() for label in table_of(dataset).column("label").unique().to_pylist() if label}))
    replacer_of(wordnet_dir, classes, relation)  # Read before any process is forked, so that all share it.
    texts_of = partial(_copies, relation=relation, wordnet_dir=wordnet_dir, classes=classes, **values)
    return make_children(dataset, texts_of, stage=relation, num_proc=num_proc)


def check(*, replaced_fraction: float, n_copies: int, **_: object) -> None:
    """Refuse values that replace nothing."""
    if not (isinstance(replaced_fraction, (int, float)) and 0 < replaced_fraction <= 1):
        fix = "use augment=none for no replacement, or a fraction such as 0.3"
        raise Refused("augment.synonym.replaced_fraction", f"must be between 0 and 1, got {replaced_fraction!r}", fix)
    if not (isinstance(n_copies, int) and n_copies >= 1):
        raise Refused("augment.synonym.n_copies", f"must be at least 1, got {n_copies!r}", "use augment=none for no copies")


def check_rows(dataset: Dataset, **_: object) -> None:
    """Refuse rows mostly in a script that WordNet has no words of."""
    refuse_other_scripts(dataset, known="Latin", where="augment.synonym", tool="WordNet is English")


def fingerprint(*, wordnet_dir: str, **_: object) -> dict[str, str]:
    """Nothing to add (the folder is hashed as an argument); refuses a folder that is not WordNet's."""
    check_wordnet(wordnet_dir, where="augment.synonym.wordnet_dir")
    return {}


def _copies(
    uid: str, text: str, *, relation: str, wordnet_dir: str, classes: tuple[str, ...], seed: int, replaced_fraction: float, n_copies: int
) -> list[str]:
    parts = pieces(text)
    sites = replacer_of(wordnet_dir, classes, relation).sites(parts)
    if not sites:
        return [text] * n_copies
    draw = row_rng(seed, relation, uid).random
    n_replaced = max(1, int(replaced_fraction * len(sites) + 0.5))
    children = []
    for _ in range(n_copies):
        child = parts.copy()
        for place, options in shuffled(sites, draw, n_first=n_replaced):
            child[place] = match_case(parts[place], pick(options, draw))
        children.append("".join(child))
    return children


@lru_cache(maxsize=4)
def replacer_of(wordnet_dir: str, classes: tuple[str, ...], relation: str) -> Replacer:
    """The replacer of one WordNet, one set of class names and one relation, with its lookup tables, once per process."""
    wordnet = load_wordnet(wordnet_dir)
    return Replacer(wordnet, frozenset(classes), wordnet.antonyms if relation == "antonym" else wordnet.synonyms)


class Replacer:
    """Finds the replaceable words of a text and what may stand in their place."""

    def __init__(self, wordnet: WordNet, classes: frozenset[str], others: Callable[[str, str], tuple[str, ...]]) -> None:
        self._wordnet, self._others = wordnet, others
        self._classes = classes | {reading.lemma for name in classes for reading in wordnet.readings(name)}
        self._tagger = Tagger(wordnet)
        self._options = lru_cache(VOCABULARY)(self._find_options)

    def sites(self, parts: list[str]) -> list[tuple[int, tuple[str, ...]]]:
        """`(place in parts, synonyms in the right form)` of every replaceable word."""
        looked_up = list(map(self._tagger.words.__getitem__, parts))
        words = [word for word in looked_up if word is not None]
        places: list[int] = []
        found = []
        for at, tagged in self._tagger.read(words):
            options = self._options(tagged, words[at - 1].lower if at and words[at - 1].kind == "A" else "")
            if options and not self._in_compound(tagged, at, words):
                places = places or [place for place, word in enumerate(looked_up) if word is not None]
                if not self._is_name(places[at], parts):
                    found.append((places[at], options))
        return found

    def _find_options(self, tagged: Tagged, article: str) -> tuple[str, ...]:
        assert tagged.reading is not None
        word, (lemma, pos, form, _) = tagged.word, tagged.reading
        if lemma in _LIGHT or not self._classes.isdisjoint((word, lemma)):
            return ()
        options: dict[str, None] = {}
        for other in self._others(lemma, pos):
            inflected = self._wordnet.inflections.inflect(other, pos, form) if self._is_usable(other, lemma, pos) else None
            if inflected is None or inflected == word or inflected in STOP_WORDS or inflected in self._classes:
                continue
            if not article or article == indefinite_article(inflected):
                options[inflected] = None
        return tuple(options)

    def _is_usable(self, other: str, lemma: str, pos: str) -> bool:
        # One word for one word: a fraction of the words stays what it says. No abbreviation (hr, min), no noun that has
        # only a plural (athletics), and no adverb that is an adjective first (sure, easy).
        if not _PLAIN_WORD.fullmatch(other) or other in STOP_WORDS or other in self._classes:
            return False
        if len(other) <= 3 and (lemma.startswith(other) or not _VOWEL.search(other)):
            return False
        if pos == "n":
            return not _ONLY_PLURAL.search(other)
        return pos != "r" or self._wordnet.n_uses(other, "a") <= self._wordnet.n_uses(other, "r")

    def _in_compound(self, tagged: Tagged, at: int, words: list[Word]) -> bool:
        assert tagged.reading is not None
        pairs, lemma = self._wordnet.pairs, tagged.reading.lemma
        if at and f"{words[at - 1].lower}_{lemma}" in pairs:
            return True
        behind = [word.lower for word in words[at + 1 : at + 3]] + ["", ""]
        # "rip me off" is the verb "rip off".
        other = behind[behind[0] in _OBJECTS]
        return f"{lemma}_{other}" in pairs or f"{tagged.word}_{other}" in pairs

    def _is_name(self, place: int, parts: list[str]) -> bool:
        """Whether the capital of the word at `place` is that of a name; a text all in capitals has no names."""
        word = parts[place]
        if not word[0].isupper():
            return False
        if word.isupper() and len(word) > 1:
            return not "".join(parts).isupper()
        if not starts_sentence(parts, place):
            return True
        behind = parts[place + 2 : place + 3] if parts[place + 1 : place + 2] == [" "] else []
        return (behind != [] and behind[0][0].isupper()) or self._wordnet.is_name(word.lower())


def starts_sentence(parts: list[str], place: int) -> bool:
    """Whether the word at `place` is the first of its sentence, so that its capital says nothing."""
    attached = True
    for at in range(place - 1, -1, -1):
        part = parts[at]
        if "\n" in part or (part in _QUOTES and attached):
            return True
        if part in _ENDS:
            word = parts[at - 1] if at else ""
            return not (part == "." and (word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isupper())))
        if not part.isspace() and part not in _QUOTES:
            return False
        attached = False
    return True
