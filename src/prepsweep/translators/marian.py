"""Neural translation by any sequence-to-sequence checkpoint of transformers: Marian (OPUS-MT), NLLB, M2M100, mBART."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prepsweep.errors import Refused, nearest
from prepsweep.fingerprints import hash_folder
from prepsweep.pretrained import checkpoint_folder
from prepsweep.translators.seq2seq import generate, load

_WHERE = "augment.backtranslate_marian"


def marian(
    texts: Iterable[str],
    *,
    checkpoint: str,
    revision: str,
    source: str | None,
    target: str | None,
    num_beams: int,
    max_length: int,
    batch_tokens: int,
    device: str,
) -> list[str]:
    """The translations of `texts`, in order; a blank text comes back as it is.

    `checkpoint` is a folder or a name on the hub, where `revision` (branch, tag or commit) says which version. `source`
    and `target` are the checkpoint's own language codes, needed where it knows several (NLLB, M2M); else they are
    ignored. A text longer than `max_length` tokens is cut, its translation too. `batch_tokens` bounds the padded size of
    a batch, so memory; batches are made by length, and which texts share one can change the last bit of a score.
    """
    tokenizer, model = load(checkpoint_folder(checkpoint, revision, where=_WHERE), checkpoint, where=_WHERE)
    prefix, forced = _languages(tokenizer, checkpoint, source, target)
    options = {} if forced is None else {"forced_bos_token_id": forced}
    given = list(texts)
    translated = generate(
        given,
        tokenizer=tokenizer,
        model=model,
        prefix=prefix,
        n_returned=1,
        num_beams=num_beams,
        max_length=max_length,
        batch_tokens=batch_tokens,
        device=device,
        task=f"translate with {checkpoint}",
        **options,
    )
    return [text for (text,) in translated]


def fingerprint_pair(*, checkpoint: str, revision: str, **_: object) -> dict[str, str]:
    """Content hash of the checkpoint, which serves both directions."""
    return {"checkpoint": hash_folder(checkpoint_folder(checkpoint, revision, where=_WHERE))}


def _languages(tokenizer: Any, checkpoint: str, source: str | None, target: str | None) -> tuple[str, int | None]:
    """What `tokenizer` needs for a direction: a prefix of each text, and the id that the translation begins with."""
    if hasattr(tokenizer, "src_lang"):
        tokens = getattr(tokenizer, "lang_code_to_id", None) or tokenizer.all_special_tokens
        known = [code for code in tokens if not code.startswith("<")]
        for key, code in (("source", source), ("pivot", target)):
            if code not in known:
                raise Refused(f"{_WHERE}.{key}", f"{checkpoint} knows many languages, and {code!r} is none", nearest(str(code), known))
        tokenizer.src_lang = source
        forced = tokenizer.get_lang_id(target) if hasattr(tokenizer, "get_lang_id") else tokenizer.convert_tokens_to_ids(target)
        return "", int(forced)
    codes = getattr(tokenizer, "supported_language_codes", None)
    if target is None or not codes:
        return "", None
    if f">>{target}<<" not in codes:
        names = [code.strip("<>") for code in codes]
        raise Refused(f"{_WHERE}.pivot", f"{checkpoint} does not translate to {target!r}", nearest(target, names))
    return f">>{target}<< ", None
