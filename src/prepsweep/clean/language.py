"""Rows in other languages than wanted leave."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result
from prepsweep.lineage import drop as mark
from prepsweep.schema import ALL_KINDS
from prepsweep.text import per_text_column

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = ALL_KINDS
UNKNOWN = "unknown"
# The codes that py3langid 0.4 tells apart, here because its model takes a second to load. zh, yue and wuu are Chinese,
# pcm is Nigerian English, zxx is no language (code, numbers).
LANGUAGES = frozenset(
    """
    ace af am an ar ary arz as az ba bcl be bg bn br bs ca crh cs cy da de dz el en eo es et eu ext fa fi fo fr fuv fy ga gcf gcr gd
    gl gom grc gu gug guw ha hbo he hi hr ht hu hy id ig is it ja jv ka kab kik kk km kn ko ku ky la lb lg lij ln lo lt ltg lv mg mk
    ml mn mr ms mt my ne nl nn no nso oc om or pa pcm pl ps pt qu ro ru rw sa sdh se si sk sl sn so sq sr st sv sw ta te tg th tk tl
    tr tt ug uk ur uz uzs vec vi vo wa wuu xh yo yue zh zu zxx
    """.split()  # noqa: SIM905 - a list of so many is hard to read
)
_N_FACTS = 20
# Reading on does not change the answer, and a text of megabytes would take seconds.
_READ = 2000


def check(*, keep: Sequence[str] | None, drop: Sequence[str] | None, min_confidence: float, min_letters: int, keep_unknown: bool) -> None:
    """Refuse both or none of `keep` and `drop`, codes that the model does not know, and limits that cannot be met."""
    if (keep is None) == (drop is None):
        raise Refused("clean.language", "needs exactly one of keep and drop", "set the other to null, as in clean.language.keep=null")
    name, codes = ("keep", keep) if keep is not None else ("drop", drop)
    if not isinstance(codes, Sequence) or isinstance(codes, str) or not codes:
        raise Refused(f"clean.language.{name}", f"must be a list of language codes, got {codes!r}", f"write clean.language.{name}=[en]")
    for code in codes:
        if code not in LANGUAGES:
            raise Refused(f"clean.language.{name}", f"unknown language {code!r}", nearest(str(code), LANGUAGES))
    if not (isinstance(min_confidence, (int, float)) and 0 <= min_confidence < 1):
        raise Refused("clean.language.min_confidence", f"must be from 0 to below 1, got {min_confidence!r}", "try 0.7")
    if not (isinstance(min_letters, int) and min_letters >= 1):
        raise Refused("clean.language.min_letters", f"must be at least 1, got {min_letters!r}", "try 3")
    if not isinstance(keep_unknown, bool):
        raise Refused("clean.language.keep_unknown", f"must be true or false, got {keep_unknown!r}", "try true")


def language(
    dataset: Dataset,
    *,
    keep: Sequence[str] | None,
    drop: Sequence[str] | None,
    min_confidence: float,
    min_letters: int,
    keep_unknown: bool,
    num_proc: int,
) -> Result:
    """Rows in another language than those of `keep`, or in one of `drop`, leave with the reason `language`.

    A text of fewer than `min_letters` letters, or whose language has a probability below `min_confidence`, is
    `unknown`: it stays unless `keep_unknown` is false. So a row leaves only for a language that the model is sure of. The
    first 2,000 characters decide. Of a pair each text is judged by itself, and one unwanted takes the row out.

    The model is py3langid's (after Lui & Baldwin 2012, langid.py, https://aclanthology.org/P12-3005), the probability its
    score normalised over 140 languages. Of 13,441 English and Chinese texts of six corpora it took
    2.3% for another language at confidence 0.3 and 0.06% at 0.7, where it left 17% unknown, short ones above all.
    """
    check(keep=keep, drop=drop, min_confidence=min_confidence, min_letters=min_letters, keep_unknown=keep_unknown)
    _identifier()  # Loaded before any process is forked, so that all share it.
    detect = partial(_detected, min_confidence=min_confidence, min_letters=min_letters)
    found = [of_column.column("language").cast(pa.string()) for of_column in per_text_column(dataset, detect, num_proc=num_proc).values()]
    for languages in found:
        listed = pc.is_in(languages, value_set=pa.array(keep or drop, pa.string()))
        unwanted = pc.invert(listed) if keep else listed
        dataset = mark(dataset, "language", pc.if_else(pc.equal(languages, UNKNOWN), not keep_unknown, unwanted))
    return Result(dataset, {"languages": _commonest(pa.chunked_array([chunk for languages in found for chunk in languages.chunks]))})


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _detected(texts: Sequence[str], *, min_confidence: float, min_letters: int) -> dict[str, list[str]]:
    classify = _identifier().classify
    found = []
    for text in texts:
        start = text[:_READ]
        letters = sum(1 for _ in islice(filter(str.isalpha, start), min_letters))
        code, confidence = classify(start) if letters == min_letters else (UNKNOWN, 0.0)
        found.append(str(code) if confidence >= min_confidence else UNKNOWN)
    return {"language": found}


def _commonest(found: pa.ChunkedArray) -> dict[str, int]:
    """Rows by language, most first; beyond the first 20 as `other`."""
    counts = [(pair["values"], pair["counts"]) for pair in pc.value_counts(found).to_pylist()]
    counts.sort(key=lambda pair: (-pair[1], pair[0]))
    rest = sum(n_rows for _, n_rows in counts[_N_FACTS:])
    return dict(counts[:_N_FACTS]) | ({"other": rest} if rest else {})
