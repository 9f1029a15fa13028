"""Scripts that texts are written in, and the refusal of texts in a script that a tool does not know."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from prepsweep.errors import Refused
from prepsweep.lineage import table_of

if TYPE_CHECKING:
    from datasets import Dataset

N_SAMPLED = 1000
# Letters of the Unicode blocks of each script.
_LETTERS = {
    "Latin": "A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a",
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
    "Cyrillic": "\u0400-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f",
    "Armenian": "\u0530-\u058f",
    "Georgian": "\u10a0-\u10ff\u1c90-\u1cbf",
    "Hebrew": "\u0590-\u05ff",
    "Arabic": "\u0600-\u06ff\u0750-\u077f\u0870-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
    "Ethiopic": "\u1200-\u139f",
    "Devanagari": "\u0900-\u097f",
    "Bengali": "\u0980-\u09ff",
    "Gurmukhi": "\u0a00-\u0a7f",
    "Gujarati": "\u0a80-\u0aff",
    "Tamil": "\u0b80-\u0bff",
    "Telugu": "\u0c00-\u0c7f",
    "Kannada": "\u0c80-\u0cff",
    "Malayalam": "\u0d00-\u0d7f",
    "Sinhala": "\u0d80-\u0dff",
    "Thai": "\u0e00-\u0e7f",
    "Lao": "\u0e80-\u0eff",
    "Myanmar": "\u1000-\u109f",
    "Khmer": "\u1780-\u17ff",
    "kana": "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f",
    "Hangul": "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff",
    "Han": "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
}
_RUN = re.compile("|".join(f"(?P<{script}>[{letters}]+)" for script, letters in _LETTERS.items()))
_ASCII_LETTER = re.compile("[A-Za-z]")
# Checkpoints on the hub that translate to English from the language that the script suggests.
_OPUS = {"Han": "zh", "kana": "ja", "Cyrillic": "ru", "Arabic": "ar", "Devanagari": "hi"}


def script_of(text: str) -> str | None:
    """The script of most letters of `text`; None where there are none. Of equals the one that comes first."""
    if text.isascii():
        return "Latin" if _ASCII_LETTER.search(text) else None
    counted: Counter[str] = Counter()
    for run in _RUN.finditer(text):
        counted[str(run.lastgroup)] += run.end() - run.start()
    return counted.most_common(1)[0][0] if counted else None


def refuse_other_scripts(dataset: Dataset, *, known: str, where: str, tool: str) -> None:
    """Refuse rows that are mostly written in another script than `known`, the one that `tool` has.

    At most 1,000 rows are read, those with the smallest uids: uids are hashes, so this is a sample that no order of rows
    changes. Rows without letters do not count.
    """
    table = table_of(dataset).select(["uid", "text"])
    if len(table) > N_SAMPLED:
        table = table.take(pc.select_k_unstable(table.column("uid"), N_SAMPLED, [("uid", "ascending")]))
    counted = Counter(script for script in map(script_of, table.column("text").to_pylist()) if script)
    n_others = counted.total() - counted[known]
    if n_others * 2 <= counted.total():
        return
    script = max((name for name in counted if name != known), key=lambda name: (counted[name], name))
    language = _OPUS.get(script)
    checkpoint = f"Helsinki-NLP/opus-mt-{language}-en" if language else "a checkpoint of that language"
    what = f"{n_others} of {counted.total()} texts looked at are not in {known} script but mostly in {script}, and {tool}"
    raise Refused(where, what, f"use augment=word_noise, or augment=backtranslate_marian with forward={checkpoint}")
