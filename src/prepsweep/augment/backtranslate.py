"""Back-translation (Sennrich et al. 2016, https://aclanthology.org/P16-1009): the text there and back again."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from prepsweep.augment.inflect import word_set
from prepsweep.errors import Refused
from prepsweep.lineage import add_children, table_of
from prepsweep.scripts import refuse_other_scripts

if TYPE_CHECKING:
    from datasets import Dataset

Translate = Callable[[Iterable[str]], Iterable[str]]
_APERTIUM = "prepsweep.translators.apertium.apertium"
# Apertium's languages that are written in another script than Latin.
_SCRIPTS = {
    "Cyrillic": word_set("bak bel bul chv kaz khk kir kjh kpv mhr mkd mrj myv oss rus sah tat tyv udm ukr xal"),
    "Arabic": word_set("arb ara ckb fas pes prs uig urd"),
    "Devanagari": word_set("hin mar nep san"),
    "Bengali": word_set("asm ben"),
    "Hebrew": word_set("heb"),
    "Greek": word_set("ell"),
    "Han": word_set("cmn zho"),
}


def backtranslate(dataset: Dataset, *, translator: Callable[..., Iterable[str]], source: str, pivot: str) -> Dataset:
    """One child per row: its text translated from `source` to `pivot` and back.

    `translator` is called with the texts and the keywords `source` and `target`. A text that comes back with the same
    words, or with none, is its parent's own text and leaves as `unchanged`.
    """

    def there(texts: Iterable[str]) -> Iterable[str]:
        return translator(texts, source=source, target=pivot)

    def back(texts: Iterable[str]) -> Iterable[str]:
        return translator(texts, source=pivot, target=source)

    return there_and_back(dataset, there=there, back=back, stage="backtranslate")


def there_and_back(dataset: Dataset, *, there: Translate, back: Translate, stage: str) -> Dataset:
    """`dataset` followed by one child per row, its text after `there` and `back`; equal texts are translated once.

    The texts go in sorted, so that a translator which remembers what it saw gives the same for any order of rows.
    """
    texts: list[str] = table_of(dataset).column("text").to_pylist()
    distinct = sorted(set(texts))
    returned = dict(zip(distinct, back(there(distinct)), strict=True))
    children = [_new_or_same(text, returned[text]) for text in texts]
    return add_children(dataset, parents=range(len(texts)), texts=children, stage=stage)


def _new_or_same(text: str, returned: str) -> str:
    words = returned.split()
    return text if not words or words == text.split() else returned


def check_rows(dataset: Dataset, *, translator: Mapping[str, Any], source: str, **_: object) -> None:
    """Refuse rows mostly in another script than Apertium's `source` is written in; other translators say for themselves."""
    if translator.get("_target_") == _APERTIUM:
        known = next((script for script, languages in _SCRIPTS.items() if source.split("_")[0] in languages), "Latin")
        refuse_other_scripts(dataset, known=known, where="augment.backtranslate", tool=f"Apertium is asked for {source}")


def fingerprint(*, translator: Mapping[str, Any], source: str, pivot: str) -> dict[str, str]:
    """What the translator reads in both directions, as its module's `fingerprint_pair` says; refuses what is missing."""
    arguments = {name: value for name, value in translator.items() if name not in ("_target_", "_partial_")}
    try:
        module = importlib.import_module(str(translator["_target_"]).rpartition(".")[0])
    except (KeyError, ModuleNotFoundError, ValueError) as error:
        what = f"{translator.get('_target_')!r} is no function of an installed module"
        raise Refused("augment.backtranslate.translator", what, "set _target_ to prepsweep.translators.apertium.apertium") from error
    fingerprint_pair: Callable[..., dict[str, str]] | None = getattr(module, "fingerprint_pair", None)
    if fingerprint_pair is None:
        return {}
    return fingerprint_pair(source=source, target=pivot, **arguments) | fingerprint_pair(source=pivot, target=source, **arguments)
