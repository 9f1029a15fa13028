"""Rules in YAML that vote for a class or abstain: keywords, regular expressions, lengths, word lists, models that exist.

- {label: SPAM, keywords: [subscribe, check out]}
- {label: SPAM, regex: 'https?://'}
- {label: HAM, max_words: 5}
- {label: HAM, lexicon_file: praise.txt, min_hits: 2}
- {name: old_model, model: path/to/checkpoint, min_confidence: 0.9}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from prepsweep.annotate.classifier import classified, content_of_model
from prepsweep.errors import Refused, nearest
from prepsweep.fingerprints import hash_file
from prepsweep.text import words
from prepsweep.word_arrays import TEXTS_AT_ONCE, word_counts, words_of

# Key that says what kind of rule it is → further keys that it needs, and those that it may have.
_KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "keywords": (("label",), ()),
    "regex": (("label",), ("ignore_case",)),
    "min_words": (("label",), ("max_words",)),
    "max_words": (("label",), ("min_words",)),
    "lexicon_file": (("label",), ("min_hits",)),
    "model": (("min_confidence",), ("classes",)),
}
_NO_WORD = r"[^\pL\pN\pM]"
# Between these there are no spaces, so that a keyword may stand anywhere.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}"


@dataclass(frozen=True)
class Rule:
    """One rule: its place in the file, its name among the voters, its kind, and its keys."""

    where: str
    name: str
    kind: str
    values: Mapping[str, Any]
    folder: Path


def read_rules(path: Path) -> list[Rule]:
    """The rules of a file; refused, with the line, where one is none.

    `keywords` are whole words or phrases, in any case; Chinese ones may stand anywhere. `regex` is RE2, which knows no
    look-around and is never slow. `min_words` and `max_words` may stand together. A `lexicon_file` has an entry a line; the
    text must hold `min_hits` (1) of them, repeats counted. A `model` is a checkpoint with a head over classes, renamed by `classes`.
    """
    try:
        text = path.read_text(encoding="utf-8")
        entries, root = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise Refused(
            where, f"is no YAML: {getattr(error, 'problem', None) or error}", "write a list of rules, one '- {…}' each"
        ) from error
    if not isinstance(entries, list) or not entries:
        raise Refused(f"{path}:1", "is no list of rules", "write a list of rules, one '- {…}' each")
    places = [f"{path}:{node.start_mark.line + 1}" for node in getattr(root, "value", [])]
    found = [_rule(entry, where, number, path.parent) for number, (entry, where) in enumerate(zip(entries, places, strict=True), 1)]
    names = [rule.name for rule in found]
    for place, rule in enumerate(found):
        if rule.name in names[:place]:
            raise Refused(rule.where, f"two rules are named {rule.name!r}", "give each a name of its own")
    return found


def _rule(entry: Any, where: str, number: int, folder: Path) -> Rule:
    if not isinstance(entry, Mapping):
        raise Refused(where, f"is no rule: {entry!r}", "write it as {label: …, keywords: […]}")
    kinds = [kind for kind in _KINDS if kind in entry]
    if not kinds:
        raise Refused(where, f"the rule has none of {', '.join(_KINDS)}", "add one")
    needed, optional = _KINDS[kinds[0]]
    known = {"name", kinds[0], *needed, *optional}
    for key in entry:
        if key not in known:
            raise Refused(where, f"a rule with {kinds[0]} has no key {key!r}", nearest(str(key), known))
    for key in needed:
        if key not in entry:
            raise Refused(where, f"the rule lacks {key!r}", f"add {key}: …")
    if not isinstance(entry.get("label", ""), str):
        raise Refused(where, f"the label {entry['label']!r} is not text", f"quote it: label: '{entry['label']}'")
    return Rule(where, str(entry.get("name", f"{number}_{kinds[0]}")), kinds[0], entry, folder)


def rule_votes(rows: pa.Table, rules: Iterable[Rule], *, known: Iterable[str]) -> dict[str, pa.Array]:
    """Name of a rule → its labels of the rows, null where it abstains; `known` are names of other voters."""
    taken, votes = set(known), {}
    for rule in rules:
        if rule.name in taken:
            raise Refused(rule.where, f"a function is named {rule.name!r} too", "give the rule another name")
        votes[rule.name] = _votes(rule, rows)
    return votes


def files_of(path: Path) -> dict[str, str]:
    """Content hashes of what the rules read besides their own file."""
    found: dict[str, str] = {}
    for rule in read_rules(path):
        if rule.kind == "lexicon_file":
            found[rule.name] = hash_file(_lexicon_file(rule))
        elif rule.kind == "model":
            found |= {
                f"{rule.name}.{name}": digest for name, digest in content_of_model(rule.values["model"], None, where=rule.where).items()
            }
    return found


def _votes(rule: Rule, rows: pa.Table) -> pa.Array:
    texts = rows["text"].combine_chunks()
    if rule.kind == "model":
        return classified(
            rows,
            checkpoint=rule.values["model"],
            revision=None,
            classes=rule.values.get("classes"),
            max_length=512,
            batch_size=64,
            device="auto",
            where=rule.where,
        ).labels(float(rule.values["min_confidence"]))
    return pc.if_else(_MATCHES[rule.kind](rule, texts), rule.values["label"], pa.scalar(None, pa.string()))


def _with_keywords(rule: Rule, texts: pa.Array) -> pa.Array:
    return pc.match_substring_regex(texts, _pattern(_strings(rule)), ignore_case=True)


def _with_regex(rule: Rule, texts: pa.Array) -> pa.Array:
    try:
        return pc.match_substring_regex(texts, str(rule.values["regex"]), ignore_case=bool(rule.values.get("ignore_case", False)))
    except pa.ArrowInvalid as error:
        raise Refused(rule.where, f"RE2 cannot read the expression ({error})", "it knows no look-around and no back-references") from error


def _of_length(rule: Rule, texts: pa.Array) -> pa.Array:
    bounds = [rule.values.get(name, default) for name, default in (("min_words", 0), ("max_words", float("inf")))]
    if not all(isinstance(bound, (int, float)) and not isinstance(bound, bool) for bound in bounds):
        raise Refused(rule.where, "min_words and max_words must be numbers", "write max_words: 5")
    listed = texts.to_pylist()
    parts = [word_counts(listed[start : start + TEXTS_AT_ONCE]) for start in range(0, len(listed), TEXTS_AT_ONCE)]
    n_words = np.concatenate([np.empty(0, np.int64), *parts])
    return pa.array((bounds[0] <= n_words) & (n_words <= bounds[1]))


def _with_lexicon(rule: Rule, texts: pa.Array) -> pa.Array:
    entries = [line.strip().lower() for line in _lexicon_file(rule).read_text(encoding="utf-8").splitlines() if line.strip()]
    if not entries:
        raise Refused(rule.where, f"{rule.values['lexicon_file']} has no entries", "write one a line")
    single = pa.array(sorted({entry for entry in entries if words(entry) == [entry]}), pa.string())
    phrases = [entry for entry in entries if words(entry) != [entry]]
    hits = pc.count_substring_regex(texts, _pattern(phrases), ignore_case=True).to_numpy().astype(np.int64) if phrases else 0
    listed, counts = pc.utf8_lower(texts).to_pylist(), [np.empty(0, np.int64)]
    for start in range(0, len(listed), TEXTS_AT_ONCE):
        found = words_of(listed[start : start + TEXTS_AT_ONCE])
        owners = np.repeat(np.arange(len(found.counts)), found.counts)
        counts.append(np.bincount(owners[pc.is_in(found.words, single).to_numpy(zero_copy_only=False)], minlength=len(found.counts)))
    return pa.array(np.concatenate(counts) + hits >= int(rule.values.get("min_hits", 1)))


def _lexicon_file(rule: Rule) -> Path:
    file = rule.folder / str(rule.values["lexicon_file"])
    if not file.is_file():
        raise Refused(rule.where, f"no such file: {file}", "name a text file with an entry a line, from the folder of the rules")
    return file


def _strings(rule: Rule) -> list[str]:
    given = rule.values[rule.kind]
    if not isinstance(given, list) or not given or not all(isinstance(entry, str) and entry.strip() for entry in given):
        raise Refused(rule.where, f"{rule.kind} must be a list of words, got {given!r}", f"write {rule.kind}: [one, two words]")
    return given


def _pattern(entries: Iterable[str]) -> str:
    """Any of `entries` as RE2 finds it: not within a longer word, where its script parts words by spaces."""
    before, after = rf"(?:^|{_NO_WORD}|[{_UNSPACED}])", rf"(?:$|{_NO_WORD}|[{_UNSPACED}])"
    return "|".join(
        (before if _is_spaced(entry[0]) else "") + "".join(map(_quoted, entry)) + (after if _is_spaced(entry[-1]) else "")
        for entry in map(str.strip, entries)
    )


def _is_spaced(character: str) -> bool:
    return character.isalnum() and not pc.match_substring_regex(pa.scalar(character), f"[{_UNSPACED}]").as_py()


def _quoted(character: str) -> str:
    return character if character.isalnum() or ord(character) > 127 else rf"\x{{{ord(character):x}}}"


_MATCHES: dict[str, Callable[[Rule, pa.Array], pa.Array]] = {
    "keywords": _with_keywords,
    "regex": _with_regex,
    "min_words": _of_length,
    "max_words": _of_length,
    "lexicon_file": _with_lexicon,
}
