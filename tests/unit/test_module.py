"""Fine-tuning as it is meant: dropout on, the right parameters decayed, the schedule of BERT, steps by budget."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from prepsweep.errors import Refused
from prepsweep.length_groups import logits_by_length
from prepsweep.module import FineTuning
from prepsweep.optimizer import adamw
from prepsweep.precision import resolve_precision
from prepsweep.tasks.heads import sequence_head
from prepsweep.tasks.losses import cross_entropy
from prepsweep.tasks.mixup import mixup
from prepsweep.tasks.text_classification import TextClassification
from prepsweep.training import n_steps

CLASSES = ["a", "b", "c"]


@pytest.fixture
def module(tiny_model: Path) -> FineTuning:
    task = TextClassification(CLASSES, loss=cross_entropy)
    return FineTuning(
        task.load_model(tiny_model), task, learning_rate=0.1, layer_decay=1.0, weight_decay=0.01, warmup_fraction=0.2, n_steps=10
    )


def test_dropout_is_on(module: FineTuning) -> None:
    ids = torch.arange(4, 12)[None]
    outputs = [module.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits for _ in range(2)]
    assert not torch.equal(*outputs)


def test_biases_and_norms_do_not_decay(module: FineTuning) -> None:
    names = {id(parameter): name for name, parameter in module.model.named_parameters()}
    optimizer = module.configure_optimizers()["optimizer"]
    decayed, plain = ({names[id(p)] for p in group["params"]} for group in optimizer.param_groups)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01, 0.0]
    assert all(name.endswith("bias") or "LayerNorm" in name for name in plain)
    assert not any(name.endswith("bias") or "LayerNorm" in name for name in decayed)
    assert decayed | plain == set(names.values())


def test_learning_rate_rises_over_the_warm_up_and_falls_to_zero(module: FineTuning) -> None:
    made = module.configure_optimizers()
    rates = []
    for _ in range(10):
        rates.append(made["optimizer"].param_groups[0]["lr"])
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    assert rates == pytest.approx([0.05, 0.1, 0.1, 0.0875, 0.075, 0.0625, 0.05, 0.0375, 0.025, 0.0125])
    assert made["optimizer"].param_groups[0]["lr"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("budget", "n_before", "n_train", "steps"),
    [
        ({"kind": "equal_steps", "epochs": 2}, 100, 400, 8),
        ({"kind": "equal_steps", "epochs": 2}, 100, 50, 8),
        ({"kind": "epochs", "epochs": 2}, 100, 400, 26),
        ({"kind": "steps", "steps": 7}, 100, 400, 7),
    ],
)
def test_budget(budget: dict[str, object], n_before: int, n_train: int, steps: int) -> None:
    assert n_steps(budget, n_before=n_before, n_train=n_train, batch_size=32) == steps


def test_head_has_the_classes_by_name_and_float32(tiny_model: Path) -> None:
    model = TextClassification(CLASSES, loss=cross_entropy).load_model(tiny_model)
    assert model.config.id2label == {0: "a", 1: "b", 2: "c"}  # type: ignore[union-attr]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_head_that_would_read_padding_is_refused(tmp_path: Path) -> None:
    from transformers import XLNetConfig, XLNetForSequenceClassification

    config = XLNetConfig(vocab_size=50, d_model=16, n_layer=1, n_head=2, d_inner=16)
    XLNetForSequenceClassification(config).save_pretrained(tmp_path / "xlnet")
    with pytest.raises(Refused, match="the head of XLNetForSequenceClassification reads the end of a text where padding stands"):
        sequence_head(tmp_path / "xlnet", CLASSES)


def test_computed_tokens_are_those_of_the_calls_of_the_model_in_training(module: FineTuning) -> None:
    mask = (torch.arange(40) < torch.tensor([40, 40, 4, 4, 4, 4])[:, None]).long()
    batch = {"input_ids": mask * 5, "attention_mask": mask}
    logits_by_length(module.model, batch)
    assert module.tokens_computed == 40 * 2 + 4 * 4
    module.model.eval()
    logits_by_length(module.model, batch)
    assert module.tokens_computed == 40 * 2 + 4 * 4, "evaluation does not count"
    module.model.train()
    mixup(module.model, batch, alpha=1.0)
    assert module.tokens_computed == 40 * 2 + 4 * 4 + 40 * 6, "mixed rows are computed whole"


def test_the_optimizer_steps_under_a_scaler_as_without_one() -> None:
    found = []
    for scaler in (None, torch.amp.GradScaler("cpu", init_scale=1024.0)):
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 3)
        optimizer = adamw(model, learning_rate=0.1, layer_decay=1.0, weight_decay=0.01)
        loss = model(torch.ones(2, 4)).square().sum() * 1000
        (scaler.scale(loss) if scaler else loss).backward()
        if scaler:
            scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer) if scaler else optimizer.step()
        found.append([norm, *(parameter.detach() for parameter in model.parameters())])
    for plain, scaled in zip(*found, strict=True):
        torch.testing.assert_close(scaled, plain)


def test_precision_is_what_was_asked_or_what_the_device_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_precision("bf16-mixed", "cpu") == "bf16-mixed"
    monkeypatch.setattr("prepsweep.precision._processor_has_bf16", lambda: False)
    assert resolve_precision("auto", "cpu") == "32-true"
    monkeypatch.setattr("prepsweep.precision._processor_has_bf16", lambda: True)
    for speedup, precision in ((1.1, "32-true"), (2.0, "bf16-mixed")):
        monkeypatch.setattr("prepsweep.precision.bf16_speedup", lambda speedup=speedup: speedup)
        assert resolve_precision("auto", "cpu") == precision
