"""Losses of single rows, for training: the balance of the classes as a property of the loss.

A loss is a plain function `(logits, labels, *, options) -> losses` of shapes (n_rows, n_classes), (n_rows,) and (n_rows,);
soft labels are probabilities (n_rows, n_classes) in place of `labels`, and log p is then its mean under them. The task
weighs the rows and takes the mean. One that has `priors` in its signature is given the share of each class among the
train rows, in the order of the classes. Evaluation keeps to plain cross-entropy, so that arms can be compared.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from omegaconf import DictConfig

from prepsweep.errors import Refused, nearest
from prepsweep.stages import instance

if TYPE_CHECKING:
    from torch import Tensor

Loss = Callable[..., "Tensor"]
INJECTED = ("priors", "n_steps")
_WHERE = "task.loss"


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log p of the true class."""
    from torch.nn import functional

    return functional.cross_entropy(logits.float(), labels, reduction="none")


def focal(logits: Tensor, labels: Tensor, *, gamma: float) -> Tensor:
    """-(1 - p) ** gamma * log p of the true class: what is learned already weighs little; gamma 0 is cross-entropy.

    Lin et al. (2017), Focal Loss for Dense Object Detection, arXiv:1708.02002, equation 4.
    """
    import torch

    losses = cross_entropy(logits, labels)
    # At p = 1 the slope of (1 - p) ** gamma is infinite for gamma below 1: held off 0, or one sure row makes it all NaN.
    missing = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).eps)
    return missing**gamma * losses


def logit_adjust(logits: Tensor, labels: Tensor, *, priors: Sequence[float], tau: float) -> Tensor:
    """Cross-entropy of the logits plus tau * log prior: rare classes must win by a wider margin; tau 0 is cross-entropy.

    Menon et al. (2021), Long-tail Learning via Logit Adjustment, arXiv:2007.07314, equation 10. After `oversample`, or
    beside `class_weights` or `weighted_sampler`, all priors are alike, and it does nothing.
    """
    import torch

    # xlogy is 0 for tau 0, also where a class has no rows left and its log is not finite.
    shift = torch.special.xlogy(tau, torch.tensor(priors, dtype=torch.float32, device=logits.device))
    return cross_entropy(logits.float() + shift, labels)


def class_priors(rows: pa.Table, classes: Sequence[str]) -> list[float]:
    """Share of each of `classes` in the training on these rows, in their order: what their weights and draws make of their number."""
    seen = rows.column("weight")
    if "sampling_weight" in rows.column_names:
        seen = pc.multiply(seen, rows.column("sampling_weight"))
    # In one thread, so that floats are added up in one order.
    sums = pa.table({"label": rows.column("label"), "seen": pc.cast(seen, pa.float64())}).group_by("label", use_threads=False)
    of_class = {found["label"]: found["seen_sum"] for found in sums.aggregate([("seen", "sum")]).to_pylist()}
    return [of_class.get(name, 0.0) / sum(of_class.values()) for name in classes]


def with_its_options(node: DictConfig, where: str, unknown: str) -> partial[Any]:
    """The function that a node of the task names, bound to its options: refused where one is not its own, or is not set."""
    bound = instance(node, where, _partial_=True)
    assert isinstance(bound, partial)
    parameters = inspect.signature(bound.func).parameters.values()
    options = {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY} - set(INJECTED)
    name = getattr(bound.func, "__name__", str(node["_target_"]))
    for key in sorted(set(bound.keywords) - options):
        hint = nearest(key, options) if options else f"take {where}.{key} out"
        raise Refused(f"{where}.{key}", unknown.format(name), hint)
    for key in sorted(options - set(bound.keywords)):
        raise Refused(f"{where}.{key}", "is not set", f"add {where}.{key}=…")
    return bound


def check_loss(node: Any) -> None:
    """Refuse a `task.loss` that is none, options that it does not have, and values that cannot be meant."""
    if not isinstance(node, DictConfig):
        raise Refused(_WHERE, f"is not a loss: {node!r}", "use balance=focal or balance=logit_adjust, or leave it out for cross-entropy")
    loss = with_its_options(node, _WHERE, "the loss {} has no such option (one loss a run)")
    if loss.func in (focal, logit_adjust):
        for key, value in loss.keywords.items():
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or value < 0:
                fix = f"0 is plain cross-entropy; try {_WHERE}.{key}=1"
                raise Refused(f"{_WHERE}.{key}", f"must be a number of at least 0, got {value!r}", fix)
