"""Unicode repair: mojibake, odd line ends and control characters, one normal form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ftfy

from prepsweep.text import rewrite

if TYPE_CHECKING:
    from datasets import Dataset


def normalize_unicode(dataset: Dataset, *, num_proc: int) -> Dataset:
    """Texts as ftfy repairs them ("schÃ¶n" becomes "schön"), in Unicode normal form C.

    Speer (2019), ftfy, doi:10.5281/zenodo.2591652, with its default settings.
    """
    return rewrite(dataset, _repair, num_proc=num_proc)


def _repair(text: str) -> str:
    # Nothing in plain printable ASCII can be broken, except for an HTML entity; this skips most English rows.
    if text.isascii() and text.isprintable() and "&" not in text:
        return text
    return str(ftfy.fix_text(text, normalization="NFC"))
