"""Texts as vectors of a sentence encoder: what tells two texts apart that share no word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.checkpoints import MODEL_FILES, checkpoint_folder, content_of
from prepsweep.errors import Refused
from prepsweep.kept import vectors
from prepsweep.pretrained import hardware_of, longest_read
from prepsweep.progress import track
from prepsweep.schema import text_columns

if TYPE_CHECKING:
    import torch

_ROWS_AT_ONCE = 2000
_BLOCK = 4096
_MAX_PAIRS = 20_000_000
_FIX = "use an encoder, such as a checkpoint of sentence-transformers"


@dataclass(frozen=True)
class _Tokens:
    """Token ids of all texts one after the other, where each begins, and which texts the vocabulary does not cover."""

    flat: NDArray[np.int32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    unknown: NDArray[np.bool_]


def embed(
    texts: Sequence[str], *, checkpoint: str, revision: str | None, max_length: int, batch_size: int, device: str
) -> NDArray[np.float32]:
    """Vectors of length 1 in the order of `texts`, shape (n, d): the mean of the encoder's last states over the tokens.

    A text is read up to `max_length` tokens. Equal texts are encoded once and have equal vectors. Batches depend on
    the set of texts and not on their order, so the same set gives the same bytes on one machine; another `batch_size`
    or device can change the last bits. `device` is a name that torch knows, or "auto": a GPU if there is one.
    """
    compute = partial(_embedded, checkpoint=checkpoint, revision=revision, max_length=max_length, batch_size=batch_size, device=device)
    if not texts:
        return compute(texts)
    distinct, places = np.unique(np.asarray(texts, dtype=object), return_inverse=True)
    spec = {"_target_": f"{__name__}.embed", "max_length": max_length}
    files = partial(content_of_encoder, checkpoint, revision, where="checkpoint")
    found = vectors(compute, distinct.tolist(), spec=spec, files=files)
    return found[places.reshape(-1)]


def _embedded(
    texts: Sequence[str], *, checkpoint: str, revision: str | None, max_length: int, batch_size: int, device: str
) -> NDArray[np.float32]:
    import torch

    folder = _folder(checkpoint, revision, "checkpoint")
    model = _encoder(folder, checkpoint)
    found = np.empty((len(texts), int(model.config.hidden_size)), dtype=np.float32)
    tokenizer = _tokenizer(folder, checkpoint)
    tokens = _tokens(tokenizer, texts, longest_read(model, max_length))
    hardware = hardware_of(device)
    model.to(hardware).eval()
    # Longest first, so that memory runs out at once or not at all; ties in the order of the texts.
    order = np.argsort(-tokens.lengths, kind="stable")
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    with torch.inference_mode():
        for rows in track(batches, "embedding texts"):
            found[rows] = _means(model, *_padded(tokens, rows, tokenizer.pad_token_id or 0), hardware)
    return found


def embed_rows(rows: pa.Table, **encoder: Any) -> NDArray[np.float32]:
    """Vectors of length 1 of rows: `embed` of their text; of pairs both vectors u and v, |u - v| and u * v.

    What lies between two texts is in none of them: these features are those of Conneau et al. 2017 (arXiv:1705.02364).
    """
    sides = [embed(rows.column(name).to_pylist(), **encoder) for name in text_columns(rows.column_names)]
    if len(sides) == 1:
        return sides[0]
    together = np.concatenate([*sides, np.abs(sides[0] - sides[1]), sides[0] * sides[1]], axis=1)
    found: NDArray[np.float32] = together / np.linalg.norm(together, axis=1, keepdims=True)
    return found


def unreadable(texts: Sequence[str], *, checkpoint: str, revision: str | None, max_length: int) -> NDArray[np.bool_]:
    """Which texts hold a token that the encoder's vocabulary lacks, or no token at all, shape (n,).

    To an English encoder "👍" and "👎" are one and the same unknown token, and so are most Chinese words: its vectors say
    nothing about how alike such texts are.
    """
    return _tokens(_tokenizer(_folder(checkpoint, revision, "checkpoint"), checkpoint), texts, max_length).unknown


def similar_pairs(
    vectors: NDArray[np.float32], *, threshold: float, device: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs (first < second) of the rows of `vectors` with a cosine of `threshold` or more, and their cosines.

    All pairs are looked at, a block of the product at a time: n^2 d operations, 64 MB whatever n is. More than 20 million
    pairs are refused: then the threshold parts nothing.
    """
    import torch

    rows = torch.from_numpy(vectors).to(hardware_of(device))
    starts = range(0, len(rows), _BLOCK)
    first, second, cosines, n_pairs = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.float64)], 0
    for top in track(starts, "comparing texts"):
        for left in range(top, len(rows), _BLOCK):
            product = rows[top : top + _BLOCK] @ rows[left : left + _BLOCK].T
            found = (product >= threshold).nonzero()
            if left == top:
                found = found[found[:, 0] < found[:, 1]]
            n_pairs += len(found)
            if n_pairs > _MAX_PAIRS:
                raise Refused("threshold", f"more than {_MAX_PAIRS:,} pairs have a cosine of {threshold} or more", "raise the threshold")
            first.append((found[:, 0] + top).cpu().numpy())
            second.append((found[:, 1] + left).cpu().numpy())
            cosines.append(product[found[:, 0], found[:, 1]].double().clamp(max=1.0).cpu().numpy())
    return np.concatenate(first), np.concatenate(second), np.concatenate(cosines)


def content_of_encoder(checkpoint: str, revision: str | None, *, where: str) -> dict[str, str]:
    """Content hashes of the encoder's files, for a stage's `fingerprint`; a checkpoint of the hub is fetched first."""
    return content_of(_folder(checkpoint, revision, where), MODEL_FILES)


def _folder(checkpoint: str, revision: str | None, where: str) -> Path:
    return checkpoint_folder(checkpoint, revision=revision, patterns=MODEL_FILES, where=where)


def _tokenizer(folder: Path, checkpoint: str) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not tokenizer.is_fast:
        raise Refused("checkpoint", f"{checkpoint} has no fast tokenizer", "choose a checkpoint with a tokenizer.json")
    return tokenizer


def _encoder(folder: Path, checkpoint: str) -> Any:
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    shown = logging.get_verbosity()
    # A classification head that is left out is no news to anybody.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model = AutoModel.from_pretrained(folder, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise Refused("checkpoint", f"cannot load {checkpoint}: {reason}", _FIX) from error
    finally:
        logging.set_verbosity(shown)
    if getattr(model.config, "is_encoder_decoder", False):
        raise Refused("checkpoint", f"{checkpoint} is an encoder with a decoder", _FIX)
    return model


def _tokens(tokenizer: Any, texts: Sequence[str], max_length: int) -> _Tokens:
    """Ids of the texts, each cut to `max_length`; `unknown` marks texts with an unknown token or with none of their own."""
    unknown_id = -1 if tokenizer.unk_token_id is None else tokenizer.unk_token_id
    special = np.array(sorted(set(tokenizer.all_special_ids) - {unknown_id}), dtype=np.int32)
    flat, lengths, unknown = [np.empty(0, np.int32)], [np.empty(0, np.int64)], [np.empty(0, np.bool_)]
    for start in range(0, len(texts), _ROWS_AT_ONCE):
        part = list(texts[start : start + _ROWS_AT_ONCE])
        rows = tokenizer(part, truncation=True, max_length=max_length, return_attention_mask=False)["input_ids"]
        sizes = np.fromiter(map(len, rows), np.int64, len(rows))
        ids = np.fromiter((token for row in rows for token in row), np.int32, int(sizes.sum()))
        owner = np.repeat(np.arange(len(rows)), sizes)
        own = np.bincount(owner[~np.isin(ids, special)], minlength=len(rows))
        missing = np.bincount(owner[ids == unknown_id], minlength=len(rows))
        flat.append(ids)
        lengths.append(sizes)
        unknown.append((own == 0) | (missing > 0))
    n_tokens = np.concatenate(lengths)
    return _Tokens(np.concatenate(flat), np.cumsum(n_tokens) - n_tokens, n_tokens, np.concatenate(unknown))


def _padded(tokens: _Tokens, rows: NDArray[np.intp], pad: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids and attention mask of `rows`, shape (n_rows, longest) each."""
    lengths = tokens.lengths[rows]
    columns = np.arange(int(lengths.max(initial=1)))
    mask = columns[None, :] < lengths[:, None]
    ids = np.full(mask.shape, pad, dtype=np.int64)
    ids[mask] = tokens.flat[(tokens.starts[rows][:, None] + columns[None, :])[mask]]
    return ids, mask.astype(np.int64)


def _means(model: Any, ids: NDArray[np.int64], mask: NDArray[np.int64], hardware: str) -> NDArray[np.float32]:
    """Mean of the last states over the tokens of each row, at length 1."""
    import torch

    attention = torch.from_numpy(mask).to(hardware)
    states: torch.Tensor = model(input_ids=torch.from_numpy(ids).to(hardware), attention_mask=attention).last_hidden_state
    weights = attention.unsqueeze(-1).float()
    means = (states.float() * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
    found: NDArray[np.float32] = torch.nn.functional.normalize(means, dim=1).cpu().numpy()
    return found
