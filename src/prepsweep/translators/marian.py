"""Neural translation by any sequence-to-sequence checkpoint of transformers: Marian (OPUS-MT), NLLB, M2M100, mBART."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from prepsweep.errors import Refused, nearest
from prepsweep.fingerprints import hash_folder
from prepsweep.progress import track

_WHERE = "augment.backtranslate_marian"
# What transformers reads; hub repositories carry the same weights for TensorFlow, Rust and ONNX too.
_FILES = ("*.json", "*.safetensors", "*.bin", "*.spm", "*.model", "*.txt")
_WEIGHTS = ("*.safetensors", "*.bin")


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
    import torch

    tokenizer, model = _load(checkpoint_folder(checkpoint, revision, where=_WHERE), checkpoint)
    prefix, forced = _languages(tokenizer, checkpoint, source, target)
    options = {} if forced is None else {"forced_bos_token_id": forced}
    # A checkpoint has no positions beyond its own number.
    longest = min(max_length, getattr(model.config, "max_position_embeddings", max_length))
    given = list(texts)
    encoded = _encode(tokenizer, [prefix + text for text in given], longest)
    translated = list(given)
    hardware = _hardware(device)
    model = model.to(hardware).eval()
    with torch.inference_mode():
        for batch in track(batches_by_length(given, encoded, batch_tokens), f"translate with {checkpoint}"):
            padded = tokenizer.pad({"input_ids": [encoded[row] for row in batch]}, return_tensors="pt").to(hardware)
            tokens = model.generate(**padded, num_beams=num_beams, max_length=longest, do_sample=False, **options)
            for row, text in zip(batch, tokenizer.batch_decode(tokens, skip_special_tokens=True), strict=True):
                translated[row] = text
    return translated


def _encode(tokenizer: Any, texts: list[str], max_length: int) -> list[list[int]]:
    if not texts:
        return []
    encoded: list[list[int]] = tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
    return encoded


def batches_by_length(texts: Sequence[str], encoded: Sequence[Sequence[int]], batch_tokens: int) -> list[list[int]]:
    """Rows in batches whose padded size is at most `batch_tokens` (one row may exceed it); blank texts are in none.

    Longest first, so that memory runs out at once or not at all; ties by text, so that no batch depends on the order.
    """
    rows = [row for row, text in enumerate(texts) if text.strip()]
    rows.sort(key=lambda row: (-len(encoded[row]), texts[row]))
    batches: list[list[int]] = []
    for row in rows:
        if batches and (len(batches[-1]) + 1) * len(encoded[batches[-1][0]]) <= batch_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def fingerprint_pair(*, checkpoint: str, revision: str, **_: object) -> dict[str, str]:
    """Content hash of the checkpoint, which serves both directions."""
    return {"checkpoint": hash_folder(checkpoint_folder(checkpoint, revision, where=_WHERE))}


def checkpoint_folder(checkpoint: str, revision: str, *, where: str) -> Path:
    """Folder with the files of `checkpoint`: itself, or the hub's snapshot, which is downloaded if it is not here yet."""
    folder = Path(checkpoint)
    if not folder.is_dir():
        folder = _snapshot(checkpoint, revision, where)
    if not _is_whole(folder):
        fix = "name a folder that save_pretrained wrote"
        raise Refused(where, f"no checkpoint in {folder}: config.json or the weights are missing", fix)
    if importlib.util.find_spec("sentencepiece") is None and any(folder.glob("*.spm")):
        raise Refused(where, f"the tokenizer of {checkpoint} needs sentencepiece", "pip install 'prepsweep[marian]'")
    return folder


def _is_whole(folder: Path) -> bool:
    return (folder / "config.json").is_file() and any(any(folder.glob(pattern)) for pattern in _WEIGHTS)


def _snapshot(checkpoint: str, revision: str, where: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        here = Path(snapshot_download(checkpoint, revision=revision, local_files_only=True))
        if _is_whole(here):
            return here
    except LocalEntryNotFoundError:
        pass
    except HFValidationError as error:
        raise Refused(where, f"{checkpoint!r} is neither a folder nor a name on the hub", "check the path or the name") from error
    try:
        return Path(snapshot_download(checkpoint, revision=revision, allow_patterns=list(_FILES)))
    except (LocalEntryNotFoundError, HfHubHTTPError) as error:
        fix = "check the name, the revision and the network, set a folder instead, or use augment=backtranslate"
        raise Refused(where, f"cannot get {checkpoint} at {revision} from the hub", fix) from error


def _load(folder: Path, checkpoint: str) -> tuple[Any, Any]:
    """Tokenizer and model, in float32: the stored half precision is slow on a CPU, and gives other translations."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    with warnings.catch_warnings():
        # Marian's tokenizer asks for sacremoses, and then never calls it.
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        try:
            return AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)
        except (OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            fix = "use a sequence-to-sequence checkpoint (Marian, NLLB, M2M100, mBART) with its tokenizer files"
            raise Refused(_WHERE, f"cannot load {checkpoint}: {reason}", fix) from error


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


def _hardware(device: str) -> str:
    import torch

    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
