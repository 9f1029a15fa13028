"""Losses that balance classes: against values by hand, torch's own cross-entropy and numeric gradients; refused values."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from prepsweep.balance.class_weights import class_weights
from prepsweep.balance.weighted_sampler import weighted_sampler
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.preflight.compose import compose_runs
from prepsweep.stages import instance, stages_of
from prepsweep.tasks.losses import check_loss, class_priors, cross_entropy, focal, logit_adjust
from prepsweep.tasks.text_classification import TextClassification
from tests.conftest import compose, rows_of

CLASSES = ["a", "b", "c"]
PRIORS = [0.7, 0.2, 0.1]
LOSSES = [cross_entropy, partial(focal, gamma=2.0), partial(focal, gamma=0.5), partial(logit_adjust, priors=PRIORS, tau=1.5)]


def logits_and_labels(seed: int = 0) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    return torch.randn(12, 3, generator=drawn), torch.randint(0, 3, (12,), generator=drawn)


def test_focal_by_hand() -> None:
    # p of the true class is 0.8 and 0.25: -(0.2 ** 2) * ln 0.8 and -(0.75 ** 2) * ln 0.25.
    logits = torch.tensor([[0.8, 0.2], [0.25, 0.75]]).log()
    found = focal(logits, torch.tensor([0, 0]), gamma=2.0).tolist()
    assert found == pytest.approx([0.04 * -math.log(0.8), 0.5625 * -math.log(0.25)], rel=1e-5)


def test_logit_adjust_by_hand() -> None:
    # Logits 0 and 0 with priors 0.9 and 0.1 at tau 1: the softmax is the priors themselves.
    found = logit_adjust(torch.zeros(2, 2), torch.tensor([0, 1]), priors=[0.9, 0.1], tau=1.0).tolist()
    assert found == pytest.approx([-math.log(0.9), -math.log(0.1)], rel=1e-5)


@pytest.mark.parametrize("loss", [partial(focal, gamma=0), partial(logit_adjust, priors=PRIORS, tau=0)])
def test_gamma_0_and_tau_0_are_cross_entropy(loss: Callable[..., Tensor]) -> None:
    logits, labels = logits_and_labels()
    torch.testing.assert_close(loss(logits, labels), torch.nn.functional.cross_entropy(logits, labels, reduction="none"))


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_the_slopes(loss: Callable[..., Tensor]) -> None:
    logits, labels = logits_and_labels()
    logits.requires_grad_(True)
    loss(logits, labels).sum().backward()
    assert logits.grad is not None
    step = 1e-2
    for row, column in ((0, 0), (3, 1), (11, 2)):
        ends = []
        for sign in (1, -1):
            moved = logits.detach().clone()
            moved[row, column] += sign * step
            ends.append(float(loss(moved, labels).sum()))
        assert float(logits.grad[row, column]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=2e-3)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_that_are_sure_give_finite_losses_and_gradients(loss: Callable[..., Tensor], dtype: torch.dtype) -> None:
    logits = torch.tensor([[300.0, -300.0, 0.0], [-300.0, 300.0, 0.0]], dtype=dtype, requires_grad=True)
    found = loss(logits, torch.tensor([0, 0]))
    found.sum().backward()
    assert found.dtype == torch.float32
    assert torch.isfinite(found).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@given(st.integers(0, 1000), st.floats(0, 5), st.floats(0, 5))
def test_a_larger_gamma_never_raises_a_loss(seed: int, one: float, other: float) -> None:
    logits, labels = logits_and_labels(seed)
    low, high = sorted((one, other))
    assert (focal(logits, labels, gamma=high) <= focal(logits, labels, gamma=low) + 1e-6).all()


def test_logit_adjust_asks_a_wider_margin_of_rare_classes() -> None:
    logits = torch.zeros(3, 3)
    losses = logit_adjust(logits, torch.tensor([0, 1, 2]), priors=PRIORS, tau=1.0).tolist()
    assert losses == sorted(losses)
    absent = logit_adjust(logits, torch.tensor([0, 0, 1]), priors=[0.5, 0.5, 0.0], tau=0)
    assert torch.isfinite(absent).all(), "a class without rows"


def test_priors_are_in_the_order_of_the_classes() -> None:
    rows = table_of(rows_of([("1", "b"), ("2", "b"), ("3", "c"), ("4", "b"), ("5", "a")], "train"))
    assert class_priors(rows, ["c", "a", "b"]) == pytest.approx([0.2, 0.2, 0.6])
    assert class_priors(rows, ["a", "b", "c", "none"])[3] == 0


@pytest.mark.parametrize("balanced", [class_weights, weighted_sampler])
def test_priors_are_those_of_the_training_not_of_the_file(balanced: Any) -> None:
    rows = table_of(balanced(rows_of([("1", "b"), ("2", "b"), ("3", "c"), ("4", "b"), ("5", "a")], "train"), power=1.0))
    assert class_priors(rows, ["a", "b", "c"]) == pytest.approx([1 / 3] * 3), "or rare classes would be raised twice"


def test_the_task_gives_the_priors_and_weighs_the_rows() -> None:
    logits, labels = logits_and_labels()
    weights = torch.arange(1.0, 13.0)
    task = TextClassification(CLASSES, loss=partial(logit_adjust, tau=1.0), priors=PRIORS)
    rows = logit_adjust(logits, labels, priors=PRIORS, tau=1.0)
    found = task.loss(logits, {"labels": labels, "weights": weights})
    assert float(found) == pytest.approx(float((rows * weights).sum() / weights.sum()), rel=1e-6)
    for loss in (cross_entropy, partial(focal, gamma=2.0)):
        assert TextClassification(CLASSES, loss=loss, priors=PRIORS).scores(logits.numpy(), labels.numpy())["loss"] == pytest.approx(
            float(cross_entropy(logits, labels).mean()), rel=1e-5
        ), "evaluation is plain cross-entropy"


@pytest.mark.parametrize(
    ("choice", "function", "options", "stages"),
    [
        ("none", cross_entropy, {}, []),
        ("focal", focal, {"gamma": 2.0}, []),
        ("logit_adjust", logit_adjust, {"tau": 1.0}, []),
        ("[oversample,focal]", focal, {"gamma": 2.0}, ["oversample"]),
        ("[focal,class_weights]", focal, {"gamma": 2.0}, ["class_weights"]),
    ],
)
def test_balance_chooses_the_loss(choice: str, function: object, options: dict[str, float], stages: list[str]) -> None:
    cfg = compose(f"balance={choice}")
    check_loss(cfg.task.loss)
    loss = instance(cfg.task.loss, "task.loss")
    assert (loss.func, loss.keywords) == (function, options)
    assert [stage.name for stage in stages_of(cfg, "balance")] == stages


def refused(*overrides: str) -> str:
    with pytest.raises(Refused) as error:
        check_loss(compose_runs(list(overrides), multirun=False)[0].task.loss)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["balance=focal", "task.loss.gama=1"], "task.loss.gama: unknown option. fix: did you mean 'gamma'?"),
        (
            ["balance=focal", "+task.loss.gama=1"],
            "task.loss.gama: the loss focal has no such option (one loss a run). fix: did you mean",
        ),
        (["balance=[focal,logit_adjust]"], "task.loss.gamma: the loss logit_adjust has no such option (one loss a run)"),
        (
            ["+task.loss.gamma=1"],
            "task.loss.gamma: the loss cross_entropy has no such option (one loss a run). fix: take task.loss.gamma",
        ),
        (["balance=focal", "~task.loss.gamma"], "task.loss.gamma: is not set. fix: add task.loss.gamma=…"),
        (["balance=focal", "task.loss.gamma=-1"], "task.loss.gamma: must be a number of at least 0, got -1"),
        (["balance=focal", "task.loss.gamma=two"], "task.loss.gamma: must be a number of at least 0, got 'two'"),
        (["balance=logit_adjust", "task.loss.tau=nan"], "task.loss.tau: must be a number of at least 0, got nan"),
        (["balance=logit_adjust", "+task.loss.priors=[1,0]"], "task.loss.priors: the loss logit_adjust has no such option"),
        (["task.loss=focal"], "task.loss: is not a loss: 'focal'. fix: use balance=focal"),
        (["task.loss._target_=os.system"], "task.loss: _target_ 'os.system' is not in a trusted package"),
        (
            ["task.loss._target_=prepsweep.tasks.losses.focall"],
            "prepsweep.tasks.losses has no function 'focall'. fix: did you mean 'focal'?",
        ),
        (["balance=focall"], "balance: no option 'focall'. fix: did you mean 'focal'?"),
    ],
)
def test_refused_in_one_line(overrides: list[str], message: str) -> None:
    assert message in refused(*overrides)


def test_losses_are_checked_without_torch() -> None:
    import subprocess
    import sys

    code = "import sys; import prepsweep.tasks.losses; print([m for m in ('torch', 'transformers', 'sklearn') if m in sys.modules])"
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
