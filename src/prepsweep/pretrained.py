"""Checkpoints of transformers that a stage runs, weights and all: where they lie, on what they run, in which batches."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prepsweep.checkpoints import own_code_refused
from prepsweep.errors import Refused

# What transformers reads; hub repositories carry the same weights for TensorFlow, Rust and ONNX too.
_FILES = ("*.json", "*.safetensors", "*.bin", "*.spm", "*.model", "*.txt")
_WEIGHTS = ("*.safetensors", "*.bin")
# Kinds of models that have an embedding for each place in a text. Those of the second line count places from that of padding.
_COUNTED = ("albert", "bert", "distilbert", "electra", "gpt2")
_COUNTED_FROM_PADDING = ("camembert", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl")


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
    return own_code_refused(folder, where)


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


def n_places(model: Any) -> int | None:
    """Tokens of a text that a model can read at once; None where there is no such number (relative or rotary places)."""
    config = model.config.to_dict()
    kind, size = config["model_type"], config.get("max_position_embeddings", config.get("n_positions"))
    if size is None or kind not in (*_COUNTED, *_COUNTED_FROM_PADDING):
        return None
    # Prompt and prefix tuning put learned places before the text.
    learned = getattr(getattr(model, "active_peft_config", None), "num_virtual_tokens", 0)
    return int(size) - learned - (config["pad_token_id"] + 1 if kind in _COUNTED_FROM_PADDING else 0)


def longest_read(model: Any, max_length: int) -> int:
    """Tokens of a text that `model` is given: `max_length`, or fewer where its configuration says that it has not so many places."""
    most: int = n_places(model) or getattr(model.config, "max_position_embeddings", None) or max_length
    return min(max_length, most)


def hardware_of(device: str) -> str:
    """`device`, or for "auto" the accelerator that is there."""
    import torch

    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
