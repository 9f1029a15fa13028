"""R-Drop: what two passes with other dropout disagree in is part of the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def disagreement(one: Tensor, other: Tensor) -> Tensor:
    """Half the KL divergence both ways between the classes of two passes' logits (n_rows, n_classes), shape (n_rows,).

    Wu et al. (2021), R-Drop: Regularized Dropout for Neural Networks, arXiv:2106.14448, equation 2.
    """
    log_p, log_q = one.float().log_softmax(dim=1), other.float().log_softmax(dim=1)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=1) / 2
