"""Mixup: shares that torch's generator draws, losses of both labels, masks joined, and nothing else of a run changed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from torch import Tensor
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PerceiverConfig,
    PerceiverForSequenceClassification,
    T5Config,
    T5ForSequenceClassification,
)

from prepsweep.errors import Refused
from prepsweep.module import FineTuning
from prepsweep.stages import instance, stages_of
from prepsweep.tasks.losses import Loss, cross_entropy, focal
from prepsweep.tasks.mixup import check_mixup, mixup, refuse_without_embeddings
from prepsweep.tasks.text_classification import TextClassification
from tests.conftest import compose

CLASSES = ["a", "b", "c"]
LENGTHS = [7, 5, 5, 3]


def task_of(model: Path, *, alpha: float | None, loss: Loss = cross_entropy) -> tuple[TextClassification, torch.nn.Module]:
    task = TextClassification(CLASSES, loss=loss, mixup=None if alpha is None else partial(mixup, alpha=alpha))
    torch.manual_seed(0)
    # Without dropout, so that two passes can be compared.
    return task, task.load_model(model).eval()


def batch_of(*, types: bool = False) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What a model is given, and the batch: four rows of different length, class and weight."""
    drawn = torch.Generator().manual_seed(1)
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    inputs = {"input_ids": torch.randint(5, 40, mask.shape, generator=drawn) * mask, "attention_mask": mask}
    if types:
        inputs["token_type_ids"] = (torch.arange(max(LENGTHS)) >= torch.tensor([[2], [3], [1], [2]])).long() * mask
    return inputs, inputs | {"labels": torch.tensor([0, 1, 2, 1]), "weights": torch.tensor([1.0, 0.5, 2.0, 3.0])}


@pytest.fixture
def shares_are(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(shares: list[float], partners: list[int]) -> None:
        monkeypatch.setattr(torch.distributions.Beta, "sample", lambda _, shape: torch.tensor(shares))
        monkeypatch.setattr(torch, "randperm", lambda _: torch.tensor(partners))

    return use


@pytest.mark.parametrize("types", [False, True])
@pytest.mark.parametrize("loss", [cross_entropy, partial(focal, gamma=2.0)], ids=["cross_entropy", "focal"])
def test_shares_of_1_give_the_plain_loss_and_shares_of_0_that_of_the_partners(
    loss: Loss, types: bool, tiny_model: Path, shares_are: Any
) -> None:
    task, model = task_of(tiny_model, alpha=0.2, loss=loss)
    plain = TextClassification(CLASSES, loss=loss)
    inputs, batch = batch_of(types=types)
    expected = plain.training_loss(model, inputs, batch)
    torch.testing.assert_close(expected, plain.loss(model(**inputs).logits, batch))
    for share in (1.0, 0.0):
        shares_are([share] * 4, [3, 0, 1, 2])
        torch.testing.assert_close(task.training_loss(model, inputs, batch), expected)


def test_the_loss_is_that_of_both_labels_by_share_and_weight(tiny_model: Path, shares_are: Any) -> None:
    task, model = task_of(tiny_model, alpha=0.2)
    inputs, batch = batch_of()
    shares, partners = [0.75, 0.5, 1.0, 0.25], [1, 3, 2, 0]
    shares_are(shares, partners)
    mixed = mixup(model, inputs, alpha=0.2)
    log_p = torch.log_softmax(mixed.logits, dim=1)
    labels, weights = batch["labels"].tolist(), batch["weights"].tolist()
    terms = [
        (share * weights[row], -log_p[row, labels[row]], (1 - share) * weights[partner], -log_p[row, labels[partner]])
        for row, (share, partner) in enumerate(zip(shares, partners, strict=True))
    ]
    expected = sum(a * x + b * y for a, x, b, y in terms) / sum(a + b for a, _, b, _ in terms)
    torch.testing.assert_close(task.training_loss(model, inputs, batch), expected)


def test_embeddings_are_mixed_place_by_place_and_masks_joined(tiny_model: Path, shares_are: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, model = task_of(tiny_model, alpha=0.2)
    inputs, _ = batch_of(types=True)
    shares_are([0.75, 0.25, 1.0, 0.0], [1, 3, 0, 0])
    given: dict[str, Tensor] = {}
    plain = model.forward

    def forward(**arguments: Tensor) -> Any:
        given.update(arguments)
        return plain(**arguments)

    monkeypatch.setattr(model, "forward", forward)
    mixup(model, inputs, alpha=0.2)
    words = model.get_input_embeddings()(inputs["input_ids"])  # type: ignore[operator]
    torch.testing.assert_close(given["inputs_embeds"][0, 1], 0.75 * words[0, 1] + 0.25 * words[1, 1])
    torch.testing.assert_close(given["inputs_embeds"][0, 6], 0.75 * words[0, 6], msg="the shorter text is filled up with zeros")
    torch.testing.assert_close(given["inputs_embeds"][2, :5], words[2, :5])
    assert given["attention_mask"].sum(dim=1).tolist() == [7, 5, 5, 7], "a text without a share is not there"
    assert given["token_type_ids"].tolist() == [inputs["token_type_ids"][row].tolist() for row in (0, 3, 2, 0)]
    assert "input_ids" not in given


def test_the_gradient_reaches_the_embeddings_of_both_texts(tiny_model: Path, shares_are: Any) -> None:
    task, model = task_of(tiny_model, alpha=0.2)
    inputs, batch = batch_of()
    inputs["input_ids"] = torch.arange(5, 5 + 28).reshape(4, 7) * inputs["attention_mask"]
    shares_are([0.5] * 4, [1, 0, 3, 2])
    task.training_loss(model, inputs, batch).backward()
    slope = model.get_input_embeddings().weight.grad  # type: ignore[operator, union-attr]
    read = inputs["input_ids"][inputs["attention_mask"].bool()]
    assert (slope[read].abs().sum(dim=1) > 0).all()  # type: ignore[index]
    assert slope.abs().sum(dim=1).nonzero().numel() == len(read)  # type: ignore[union-attr]


def test_the_seed_decides_the_shares_and_another_seed_draws_others(tiny_model: Path) -> None:
    _, model = task_of(tiny_model, alpha=1.0)
    inputs, _ = batch_of()
    made = []
    for seed in (1, 1, 2):
        pl.seed_everything(seed, verbose=False)
        made.append([mixup(model, inputs, alpha=1.0) for _ in range(2)])
    one, again, other = ([torch.cat([m.shares, m.partners]) for m in mixed] for mixed in made)
    assert all(torch.equal(x, y) for x, y in zip(one, again, strict=True))
    assert not torch.equal(one[0], one[1]), "each batch anew"
    assert not torch.equal(one[0], other[0])


def test_alpha_says_how_far_rows_are_mixed(tiny_model: Path) -> None:
    torch.manual_seed(0)
    _, model = task_of(tiny_model, alpha=1.0)
    inputs = {name: values.repeat(50, 1) for name, values in batch_of()[0].items()}
    with torch.no_grad():
        least = [torch.minimum(m.shares, 1 - m.shares).mean() for m in (mixup(model, inputs, alpha=alpha) for alpha in (0.05, 0.4, 4.0))]
    assert least[0] < least[1] < least[2]


def test_evaluation_is_not_mixed(tiny_model: Path) -> None:
    task, model = task_of(tiny_model, alpha=0.2)
    module = FineTuning(model, task, learning_rate=0.1, layer_decay=1.0, weight_decay=0, warmup_fraction=0, n_steps=1)
    module.model.eval()
    inputs, batch = batch_of()
    batch |= {"rows": torch.arange(4), "windows": torch.arange(4)}
    with torch.no_grad():
        module.test_step(batch, 0)
        assert torch.equal(module._outputs[0][2], model(**inputs).logits)


def test_a_model_that_reads_token_ids_only_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    small = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    others = [
        PerceiverForSequenceClassification(
            PerceiverConfig(d_model=8, d_latents=8, num_latents=2, num_blocks=1, num_self_attends_per_block=1, num_self_attention_heads=2)
        ),
        T5ForSequenceClassification(T5Config(vocab_size=40, **small)),
    ]
    for model in others:
        expected = f"task.mixup: {type(model).__name__} takes no embeddings in place of token ids, .*fix: leave augment=mixup out"
        with pytest.raises(Refused, match=expected):
            refuse_without_embeddings(model)
    others[0].save_pretrained(tmp_path / "perceiver")
    with pytest.raises(Refused, match="PerceiverForSequenceClassification takes no embeddings"):
        task_of(tmp_path / "perceiver", alpha=0.2)
    refuse_without_embeddings(task_of(tiny_model, alpha=None)[1])
    config = DistilBertConfig(vocab_size=40, dim=8, hidden_dim=8, n_heads=2, n_layers=1)
    distilled = DistilBertForSequenceClassification(config)
    refuse_without_embeddings(distilled)
    assert mixup(distilled, batch_of()[0], alpha=0.2).logits.shape == (4, 2)


def test_the_option_leaves_the_rows_alone_and_goes_with_others() -> None:
    cfg = compose("augment=[eda,mixup]", "balance=focal", "task.mixup.alpha=0.4")
    assert [stage.where for stage in stages_of(cfg, "augment")] == ["augment.eda"]
    check_mixup(cfg.task)
    task = instance(cfg.task, "task", classes=CLASSES, priors=[0.2, 0.3, 0.5])
    assert task.mixup.keywords == {"alpha": 0.4}
    assert cfg.task.loss.gamma == 2.0
    plain = compose()
    check_mixup(plain.task)
    assert "mixup" not in plain.task, "what is not asked for changes no configuration, and so no run_id"
    assert instance(plain.task, "task", classes=CLASSES, priors=[0.2, 0.3, 0.5]).mixup is None


@pytest.mark.parametrize("alpha", [0, -1, 0.001, "x", True, None, float("nan"), float("inf")])
def test_an_alpha_that_no_beta_distribution_has_is_refused(alpha: object) -> None:
    task = compose("augment=mixup").task
    OmegaConf.update(task, "mixup.alpha", alpha)
    with pytest.raises(Refused, match=r"task.mixup.alpha: must be a number of at least 0.01, got .* fix: try task.mixup.alpha=0.2"):
        check_mixup(task)


def test_other_options_and_other_values_are_refused() -> None:
    task = compose("augment=mixup").task
    OmegaConf.set_struct(task, False)
    task.mixup.beta = 1
    with pytest.raises(Refused, match=r"task.mixup.beta: mixup has no such option"):
        check_mixup(task)
    del task.mixup["beta"], task.mixup["alpha"]
    with pytest.raises(Refused, match=r"task.mixup.alpha: is not set"):
        check_mixup(task)
    task.mixup = 0.2
    with pytest.raises(Refused, match="task.mixup: is not a way to mix rows: 0.2. fix: use augment=mixup"):
        check_mixup(task)
