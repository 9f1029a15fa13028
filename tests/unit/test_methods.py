"""Ways of fine-tuning: what is trained, that it learns, and that the saved model is a plain one."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from transformers import (
    AutoModelForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    RobertaConfig,
)

import prepsweep.conf
from prepsweep.errors import Refused
from prepsweep.methods.adapters import after_step, merged
from prepsweep.methods.configured import check_method, with_method
from prepsweep.methods.four_bits import n_numbers
from prepsweep.methods.freezing import layers
from prepsweep.methods.saved import load_model, save_weights
from prepsweep.optimizer import adamw
from prepsweep.pretrained import n_places

FOLDER = Path(prepsweep.conf.__path__[0]) / "method"
METHODS = sorted(file.stem for file in FOLDER.glob("*.yaml"))
LOADED_BY_PEFT = ("prefix", "prompt")
OF_THEIR_OWN = ("adapter",)


def node(name: str, **options: Any) -> Any:
    """The option of the group `method`, with other values."""
    return OmegaConf.merge(OmegaConf.load(FOLDER / f"{name}.yaml"), options)


def tiny(folder: Path) -> Any:
    """A model whose head is drawn anew, in training mode."""
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, dtype=torch.float32).train()


def batch() -> dict[str, torch.Tensor]:
    drawn = torch.Generator().manual_seed(1)
    return {"input_ids": torch.randint(5, 30, (8, 12), generator=drawn), "attention_mask": torch.ones(8, 12, dtype=torch.long)}


def loss_of(model: Any, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the batch."""
    return torch.nn.functional.cross_entropy(model(**batch()).logits, labels)


def trained(model: Any) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_every_option_is_tested() -> None:
    assert METHODS == ["adalora", "adapter", "bitfit", "dora", "full", "head", "ia3", "last_layers", "lora", "prefix", "prompt", "qlora"]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_learns_and_leaves_the_rest_as_it_was(name: str, tiny_model: Path) -> None:
    check_method(node(name))
    options = {"n_layers": 1} if name == "last_layers" else {}
    model = with_method(tiny(tiny_model), node(name, **options), n_steps=20)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    learned = trained(model)
    optimizer = adamw(model, learning_rate=0.02, layer_decay=1.0, weight_decay=0.0)
    labels = torch.ones(8, dtype=torch.long)
    start = float(loss_of(model.eval(), labels).detach())
    model.train()
    for step in range(1, 21):
        loss_of(model, labels).backward()
        optimizer.step()
        after_step(model, step)
        optimizer.zero_grad()
    assert float(loss_of(model.eval(), labels).detach()) < start - 0.001
    changed = {key for key, tensor in model.state_dict().items() if not torch.equal(tensor, before[key])}
    assert changed
    assert changed <= learned | {key for key in changed if "ranknum" in key}


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize("name", METHODS)
def test_what_is_saved_gives_the_logits_of_what_was_trained(name: str, tiny_model: Path, tmp_path: Path) -> None:
    model = with_method(tiny(tiny_model), node(name, **({"n_layers": 1} if name == "last_layers" else {})), n_steps=20)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    model.eval()
    expected = model(**batch()).logits
    save_weights(merged(model), tmp_path)
    loaded = load_model(tmp_path)
    torch.testing.assert_close(loaded(**batch()).logits, expected, rtol=1e-4, atol=1e-5)
    assert loaded.config.num_labels == 2
    assert not loaded.training
    if name in OF_THEIR_OWN:
        with pytest.raises(OSError, match="model.safetensors"):
            AutoModelForSequenceClassification.from_pretrained(tmp_path)
    elif name not in LOADED_BY_PEFT:
        assert type(AutoModelForSequenceClassification.from_pretrained(tmp_path)) is type(loaded)


def test_a_folder_of_peft_without_its_checkpoint_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    checkpoint = shutil.copytree(tiny_model, tmp_path / "checkpoint")
    save_weights(with_method(tiny(checkpoint), node("prefix"), n_steps=20), tmp_path / "model")
    shutil.rmtree(checkpoint)
    with pytest.raises(Refused, match="the checkpoint that it adds to is gone"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("size", [1, 8])
def test_adapters_start_as_nothing_and_are_as_wide_as_asked(size: int, tiny_model: Path) -> None:
    plain, adapted = tiny(tiny_model).eval(), with_method(tiny(tiny_model), node("adapter", size=size), n_steps=1).eval()
    assert torch.equal(plain(**batch()).logits, adapted(**batch()).logits)
    width, n_layers = adapted.config.hidden_size, len(layers(adapted))
    added = {name: p for name, p in adapted.named_parameters() if ".adapter." in name}
    assert sum(p.numel() for p in added.values()) == n_layers * (2 * width * size + width + size)
    head = {name for name, _ in plain.named_parameters() if "pooler" in name or "classifier" in name}
    assert trained(adapted) == head | set(added)


def test_freezing_trains_what_it_says(tiny_model: Path) -> None:
    n_layers = len(layers(tiny(tiny_model)))
    head = trained(with_method(tiny(tiny_model), node("head"), n_steps=1))
    assert head == {name for name, _ in tiny(tiny_model).named_parameters() if "pooler" in name or "classifier" in name}
    top = trained(with_method(tiny(tiny_model), node("last_layers", n_layers=1), n_steps=1))
    assert top - head == {name for name, _ in tiny(tiny_model).named_parameters() if f"layer.{n_layers - 1}." in name}
    assert trained(with_method(tiny(tiny_model), node("bitfit"), n_steps=1)) - head == {
        name
        for name, _ in tiny(tiny_model).named_parameters()
        if name.endswith("bias") and "classifier" not in name and "pooler" not in name
    }


def test_lower_layers_learn_slower(tiny_model: Path) -> None:
    model = tiny(tiny_model)
    optimizer = adamw(model, learning_rate=1.0, layer_decay=0.5, weight_decay=0.1)
    rates = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    found = {name: rates[id(parameter)] for name, parameter in model.named_parameters()}
    n_layers = len(layers(model))
    assert found["classifier.weight"] == found["bert.pooler.dense.weight"] == 1.0
    for number in range(n_layers):
        assert found[f"bert.encoder.layer.{number}.output.dense.weight"] == 0.5 ** (n_layers - number)
    assert found["bert.embeddings.word_embeddings.weight"] == 0.5 ** (n_layers + 1)
    decayed = {id(parameter) for group in optimizer.param_groups if group["weight_decay"] for parameter in group["params"]}
    assert {parameter.ndim > 1 for parameter in model.parameters() if id(parameter) in decayed} == {True}
    assert len(rates) == len(list(model.parameters()))


def test_embeddings_that_are_named_after_the_layers_learn_as_slowly_as_those_before_them() -> None:
    sizes = {"vocab_size": 40, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
    relative = DebertaV2Config(**sizes, relative_attention=True, position_buckets=4, pos_att_type=["p2c", "c2p"], share_att_key=True)
    model = DebertaV2ForSequenceClassification(relative)
    optimizer = adamw(model, learning_rate=1.0, layer_decay=0.5, weight_decay=0.1)
    rates = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    assert rates[id(model.deberta.encoder.rel_embeddings.weight)] == rates[id(model.deberta.embeddings.word_embeddings.weight)] == 0.5**3
    assert rates[id(model.classifier.weight)] == rates[id(model.pooler.dense.weight)] == 1.0


def test_weights_in_four_bits_are_no_part_of_a_state_and_count_one_by_one(tiny_model: Path) -> None:
    plain, model = tiny(tiny_model), with_method(tiny(tiny_model), node("qlora"), n_steps=1)
    quantised = [parameter for parameter in model.parameters() if parameter.dtype == torch.uint8]
    linear = [module.weight for module in layers(plain).modules() if isinstance(module, torch.nn.Linear)]
    assert len(quantised) == len(linear)
    assert sum(one.nbytes for one in quantised) * 8 == sum(one.nbytes for one in linear)
    assert n_numbers(quantised) == n_numbers(linear) == sum(one.numel() for one in linear)
    state = model.state_dict()
    assert not any(tensor.dtype == torch.uint8 for tensor in state.values())
    other = with_method(tiny(tiny_model), node("qlora"), n_steps=1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad or parameter.ndim == 1:
                parameter.add_(0.1)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.eval()(**batch()).logits, model.eval()(**batch()).logits)


def test_a_map_in_four_bits_computes_as_autocast_says_and_stays_as_it_was_after_evaluation(tiny_model: Path) -> None:
    model = with_method(tiny(tiny_model), node("qlora", dropout=0.0), n_steps=1).eval()
    before = [parameter.clone() for parameter in model.parameters() if parameter.dtype == torch.uint8]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        rounded = model(**batch()).logits
    exact = model.train()(**batch()).logits
    assert rounded.dtype == torch.bfloat16
    assert all(map(torch.equal, before, (parameter for parameter in model.parameters() if parameter.dtype == torch.uint8)))
    assert exact.requires_grad


def test_a_model_without_plain_linear_maps_is_refused_four_bits() -> None:
    sizes = {"vocab_size": 40, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 16}
    with pytest.raises(Refused, match="have no plain linear maps"):
        with_method(GPT2ForSequenceClassification(GPT2Config(**sizes)), node("qlora"), n_steps=1)


def test_adalora_gives_up_ranks(tiny_model: Path) -> None:
    model = with_method(tiny(tiny_model), node("adalora", initial_r=4, final_r=1), n_steps=20)
    optimizer = adamw(model, learning_rate=0.01, layer_decay=1.0, weight_decay=0.0)
    for step in range(1, 21):
        loss_of(model, torch.tensor([0, 1] * 4)).backward()
        optimizer.step()
        after_step(model, step)
        optimizer.zero_grad()
    ranks = [int((tensor != 0).sum()) for name, tensor in model.named_parameters() if "lora_E" in name]
    assert sum(ranks) == len(ranks)


@pytest.mark.parametrize(
    ("name", "options", "where"),
    [
        ("lora", {"r": 0}, "method.r"),
        ("lora", {"dropout": 1.0}, "method.dropout"),
        ("lora", {"alpha": -1}, "method.alpha"),
        ("lora", {"rank": 8}, "method.rank"),
        ("adalora", {"final_r": 99}, "method.final_r"),
        ("adapter", {"size": 0}, "method.size"),
        ("last_layers", {"n_layers": "two"}, "method.n_layers"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(name: str, options: dict[str, Any], where: str) -> None:
    with pytest.raises(Refused) as refused:
        check_method(node(name, **options))
    assert refused.value.where == where


def test_more_layers_than_there_are_is_refused(tiny_model: Path) -> None:
    with pytest.raises(Refused, match="layers, not 99"):
        with_method(tiny(tiny_model), node("last_layers", n_layers=99), n_steps=1)


@pytest.mark.filterwarnings("ignore:Position ids are not supported:UserWarning")
@pytest.mark.parametrize("method", ["full", *LOADED_BY_PEFT])
def test_a_model_reads_as_many_tokens_as_it_has_places_for(method: str, tiny_model: Path) -> None:
    model = with_method(tiny(tiny_model), node(method), n_steps=10)
    most = n_places(model)
    assert most == (64 if method == "full" else 48), "what is learned before a text has places too"
    for length in (most, most + 1):
        ids = torch.full((2, length), 5)
        with nullcontext() if length == most else pytest.raises((IndexError, RuntimeError)):
            model(input_ids=ids, attention_mask=torch.ones_like(ids))


def test_places_of_kinds_of_models() -> None:
    kinds = [(RobertaConfig(max_position_embeddings=514), 512), (GPT2Config(), 1024), (DebertaV2Config(), None)]
    assert [n_places(SimpleNamespace(config=config)) for config, _ in kinds] == [most for _, most in kinds]
