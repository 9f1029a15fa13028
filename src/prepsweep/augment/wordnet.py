"""Princeton WordNet 3.0 read from its dict files: what a word may be (lemma, part of speech, form), and its synonyms.

Formats: wndb(5WN) for `index.*`, `data.*` and `*.exc`, cntlist(5WN) for the counts, morphy(7WN) for the lemmas. Only
index lines are held apart in memory; a synset is cut out of its data file when it is asked for, because the offsets in
the index are positions in that file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from prepsweep.augment.inflect import SUFFIXES, Inflections
from prepsweep.errors import Refused

FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
# The digit after % in a sense key; 5 is an adjective satellite, which the index files under adjectives.
_POS_OF_KEY = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
# A sense counts as frequent from two in five tagged uses of its lemma on: below, another meaning is the likelier one.
FREQUENT_SHARE = 0.4
# Words kept per lookup table: a corpus's whole vocabulary, and a bound for texts full of one-off identifiers.
VOCABULARY = 1 << 18


class Reading(NamedTuple):
    """One thing that a word may be: "watches" is the plural of the noun watch, or the third person of the verb."""

    lemma: str
    pos: str
    form: str
    n_uses: int


class Synset(NamedTuple):
    """Words of one meaning, with spaces, and for verbs the (sentence frame, number of the word or 0 for all) pairs."""

    members: tuple[str, ...]
    numbered_frames: tuple[tuple[int, int], ...]
    # Of each antonym: number of the own word, part of speech and offset of the other synset, number of its word.
    opposites: tuple[tuple[int, str, int, int], ...]

    def frames(self, lemma: str) -> set[int]:
        """Sentence frames of one member: 8 is "Somebody ----s something"."""
        return {frame for frame, word in self.numbered_frames if word in (0, self.number(lemma))}

    def number(self, lemma: str) -> int:
        """Place of a member, from 1, as frames and pointers count."""
        return [member.replace(" ", "_").lower() for member in self.members].index(lemma) + 1


class WordNet:
    """Readings of words and synonyms of lemmas, from one folder with the dict files."""

    def __init__(self, folder: Path) -> None:
        self._index = {pos: _index_lines(folder / f"index.{name}") for pos, name in FILES.items()}
        # Latin-1 keeps every byte one character, so that offsets stay what the index says.
        self._data = {pos: (folder / f"data.{name}").read_text(encoding="latin-1") for pos, name in FILES.items()}
        self._exceptions = {pos: _exceptions(folder / f"{name}.exc") for pos, name in FILES.items()}
        self._counts = _sense_counts(folder / "cntlist.rev")
        self.pairs = frozenset(lemma for lines in self._index.values() for lemma in lines if lemma.count("_") == 1)
        self.inflections = Inflections(self._exceptions)
        self.synonyms = lru_cache(VOCABULARY)(self._synonyms)
        self.antonyms = lru_cache(VOCABULARY)(self._antonyms)
        self.any_synonyms = lru_cache(VOCABULARY)(self._any_synonyms)
        self._frequent = lru_cache(VOCABULARY)(self._frequent_senses)

    def readings(self, word: str) -> list[Reading]:
        """What the lower-case `word` may be, as morphy finds it; empty for a word that WordNet does not know."""
        found = []
        for pos in FILES:
            for lemma, form in self._lemmas(word, pos):
                found.append(Reading(lemma, pos, form, self.n_uses(lemma, pos)))
        return found

    def _lemmas(self, word: str, pos: str) -> Iterator[tuple[str, str]]:
        index = self._index[pos]
        if word in index:
            yield word, "base"
        listed = [lemma for lemma in self._exceptions[pos].get(word, ()) if lemma in index and lemma != word]
        for lemma in listed:
            yield lemma, self.inflections.form_of(word, lemma, pos)
        # morphy takes no rule where a list has the word, and none for short nouns and those in -ss.
        if listed or (pos == "n" and (word.endswith("ss") or len(word) <= 2)):
            return
        seen = {word}
        for suffix, ending, form in SUFFIXES[pos]:
            if word.endswith(suffix) and (lemma := word[: -len(suffix)] + ending) in index and lemma not in seen:
                seen.add(lemma)
                yield lemma, form

    def n_uses(self, lemma: str, pos: str) -> int:
        """Tagged uses of `lemma` in all its senses; 0 for one that WordNet does not have."""
        return sum(self._sense_count(lemma, pos))

    def is_name(self, word: str) -> bool:
        """Whether a sense of the lower-case `word` is written with a capital: grant (the president), may, jack."""
        capitalised = word.capitalize()
        return any(capitalised in self._synset(pos, offset).members for pos in FILES for offset in self._offsets(word, pos))

    def _synonyms(self, lemma: str, pos: str) -> tuple[str, ...]:
        """Lemmas that share a frequent sense with `lemma`, one that is frequent for them as well; in order of sense.

        "movie" gives "film"; "watch" does not give "ticker", because another sense of it prevails. A verb's synonym
        takes the objects that it takes (sentence frames), and one that nobody was seen to use (histrion) is none.
        """
        found: dict[str, None] = {}
        for offset in self._frequent(lemma, pos):
            synset = self._synset(pos, offset)
            needed = synset.frames(lemma)
            for member in synset.members:
                spelled = member.replace(" ", "_")
                if spelled == lemma or not member.islower() or offset not in self._frequent(spelled, pos):
                    continue
                if needed <= synset.frames(spelled) and (not self._counts or any(self._sense_count(spelled, pos))):
                    found[member] = None
        return tuple(found)

    def _antonyms(self, lemma: str, pos: str) -> tuple[str, ...]:
        """Direct antonyms (pointer `!`) of `lemma` in its frequent senses: "good" gives "bad"; in order of sense."""
        found: dict[str, None] = {}
        for offset in self._frequent(lemma, pos):
            synset = self._synset(pos, offset)
            for word, other_pos, other, other_word in synset.opposites:
                if word == synset.number(lemma):
                    found[self._synset(other_pos, other).members[other_word - 1]] = None
        return tuple(member for member in found if member.islower())

    def _any_synonyms(self, word: str) -> tuple[str, ...]:
        """All words of all synsets of all readings of `word`, without the word itself: the pool of EDA."""
        found: dict[str, None] = {}
        for pos in FILES:
            for lemma, _ in self._lemmas(word, pos):
                for offset in self._offsets(lemma, pos):
                    found.update(dict.fromkeys(self._synset(pos, offset).members))
        return tuple(member for member in found if member.lower() != word)

    def _offsets(self, lemma: str, pos: str) -> list[int]:
        line = self._index[pos].get(lemma)
        if line is None:
            return []
        # pos n_synsets n_pointers [pointer…] n_senses n_tagged offset…
        fields = line.split()
        return [int(offset) for offset in fields[-int(fields[1]) :]]

    def _sense_count(self, lemma: str, pos: str) -> list[int]:
        """Tagged uses of each sense; without cntlist.rev the index's order of the senses that have any."""
        line = self._index[pos].get(lemma)
        if line is None:
            return []
        fields = line.split()
        n_senses = int(fields[1])
        if not self._counts:
            n_tagged = int(fields[-n_senses - 1])
            return [max(n_tagged - sense, 0) for sense in range(n_senses)]
        tagged = self._counts.get((lemma, pos), {})
        return [tagged.get(sense, 0) for sense in range(1, n_senses + 1)]

    def _frequent_senses(self, lemma: str, pos: str) -> tuple[int, ...]:
        offsets, counts = self._offsets(lemma, pos), self._sense_count(lemma, pos)
        if len(offsets) == 1:
            return tuple(offsets)
        least = FREQUENT_SHARE * sum(counts)
        return tuple(offset for offset, count in zip(offsets, counts, strict=True) if count and count >= least)

    def _synset(self, pos: str, offset: int) -> Synset:
        data = self._data[pos]
        if data[offset : offset + 8] != f"{offset:08d}":
            raise ValueError(f"wordnet: data.{FILES[pos]} has no synset at {offset}, so it and index.{FILES[pos]} are of two versions")
        # offset lex_filenum ss_type n_words(hex) [word lex_id]… n_pointers [4 fields]… n_frames [+ frame word(hex)]… | gloss
        fields = data[offset : data.index("\n", offset)].partition("|")[0].split()
        end = 4 + 2 * int(fields[3], 16)
        # Adjectives have a marker of position at the end: afraid(p).
        members = tuple(re.sub(r"\((?:a|p|ip)\)$", "", word).replace("_", " ") for word in fields[4:end:2])
        behind = end + 1 + 4 * int(fields[end])
        frames = fields[behind:][1:] if pos == "v" else []
        numbered = tuple((int(frame), int(word, 16)) for frame, word in zip(frames[1::3], frames[2::3], strict=True))
        # A pointer is symbol, offset, part of speech, and two hexadecimal numbers in one: own word, other word.
        pointers = (fields[at : at + 4] for at in range(end + 1, behind, 4))
        opposites = tuple((int(n[:2], 16), kind, int(to), int(n[2:], 16)) for symbol, to, kind, n in pointers if symbol == "!")
        return Synset(members, numbered, opposites)


def _index_lines(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="latin-1").split("\n")
    # Licence lines start with two spaces.
    cut = (line.partition(" ") for line in lines if line and line[0] != " ")
    return {lemma: rest for lemma, _, rest in cut}


def _exceptions(path: Path) -> dict[str, tuple[str, ...]]:
    fields = (line.split() for line in path.read_text(encoding="latin-1").splitlines())
    return {word: tuple(lemmas) for word, *lemmas in (row for row in fields if row)}


def _sense_counts(path: Path) -> dict[tuple[str, str], dict[int, int]]:
    """`{(lemma, pos): {sense number: tagged uses}}`; empty if the file is not there."""
    counts: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for line in path.read_text(encoding="latin-1").splitlines() if path.is_file() else ():
        key, sense, count = line.split()
        lemma, _, rest = key.partition("%")
        counts[lemma, _POS_OF_KEY[rest[0]]][int(sense)] = int(count)
    return dict(counts)


@lru_cache(maxsize=4)
def load_wordnet(folder: str) -> WordNet:
    """WordNet from `folder`, read once per process: about a third of a second."""
    return WordNet(Path(folder))


def require_wordnet(folder: str, *, where: str) -> WordNet:
    """WordNet from `folder`, or `Refused` naming the key `where`."""
    check_wordnet(folder, where=where)
    return load_wordnet(str(folder))


def check_wordnet(folder: str, *, where: str) -> None:
    """Refuse a folder without WordNet's dict files; costs a few `stat`."""
    needed = [name for kind in FILES.values() for name in (f"data.{kind}", f"index.{kind}", f"{kind}.exc")]
    missing = [name for name in needed if not Path(folder, name).is_file()]
    if missing:
        what = f"no WordNet at {folder}" if len(missing) == len(needed) else f"no {missing[0]} in the WordNet folder {folder}"
        fix = f"sudo apt-get install wordnet-base, set {where} to a folder with its dict files, or use augment=backtranslate"
        raise Refused(where, what, fix)
