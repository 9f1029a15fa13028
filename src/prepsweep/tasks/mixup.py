"""Mixup: training on rows that are each mixed with another of the batch, between their word embeddings."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from prepsweep.errors import Refused
from prepsweep.tasks.losses import with_its_options

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_WHERE = "task.mixup"
_SMALLEST = 0.01  # Below, nearly every share is 0 or 1 to the last bit.


@dataclass(frozen=True)
class Mixed:
    """Row i of `logits` (n_rows, n_classes) is of row i, by the share `shares[i]`, and for the rest of row `partners[i]`."""

    logits: Tensor
    partners: Tensor
    shares: Tensor


def mixup(model: Module, inputs: Mapping[str, Tensor], *, alpha: float) -> Mixed:
    """Logits of mixed rows: word embeddings lambda * own + (1 - lambda) * another row's, lambda from Beta(alpha, alpha) for each row.

    Zhang et al. 2018 (arXiv:1710.09412), for words as Guo et al. 2019 (arXiv:1905.08941) have it; Sun et al. 2020
    (arXiv:2010.02394) mix in Transformers. The task takes the losses of both labels by the same shares, each row by its weight. Texts
    are mixed place by place, the shorter one filled up with zeros, and every place counts that either has; of a pair of
    texts the places are parted as in the row with the larger share. Steps and rows stay what they are.
    Draws come from torch's generator on the processor, so `seeds.model` decides them. Only training is mixed.
    """
    import torch

    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    shares = torch.distributions.Beta(alpha, alpha).sample(torch.Size([len(ids)])).to(ids.device)
    partners = torch.randperm(len(ids)).to(ids.device)
    embeddings = model.get_input_embeddings()(ids) * mask.unsqueeze(-1)  # type: ignore[operator]
    own = shares[:, None, None]
    # A text without a share is not there, so that with lambda 1 a row is exactly itself.
    there = torch.maximum(mask * (shares > 0)[:, None], mask[partners] * (shares < 1)[:, None])
    types = {name: torch.where(shares[:, None] < 0.5, given[partners], given) for name, given in inputs.items() if name == "token_type_ids"}
    mixed = own * embeddings + (1 - own) * embeddings[partners]
    return Mixed(model(inputs_embeds=mixed, attention_mask=there, **types).logits, partners, shares)


def refuse_without_embeddings(model: Module) -> None:
    """Refuse a model that reads token ids only."""
    reads_ids_only = "inputs_embeds" not in inspect.signature(model.forward).parameters
    if reads_ids_only or getattr(model.config, "is_encoder_decoder", False):
        what = f"{type(model).__name__} takes no embeddings in place of token ids, which is where mixup mixes"
        raise Refused(_WHERE, what, "leave augment=mixup out, or choose another model.name")


def check_mixup(task: DictConfig) -> None:
    """Refuse a `task.mixup` that is none, and an alpha that cannot be meant."""
    if "mixup" not in task:
        return
    node: Any = task.mixup
    if not isinstance(node, DictConfig):
        raise Refused(_WHERE, f"is not a way to mix rows: {node!r}", "use augment=mixup, or leave it out")
    alpha = with_its_options(node, _WHERE, "{} has no such option").keywords["alpha"]
    number = isinstance(alpha, (int, float)) and not isinstance(alpha, bool)
    if not number or not math.isfinite(alpha) or alpha < _SMALLEST:
        what = f"must be a number of at least {_SMALLEST}, got {alpha!r}"
        raise Refused(f"{_WHERE}.alpha", what, f"try {_WHERE}.alpha=0.2; without augment=mixup nothing is mixed")
