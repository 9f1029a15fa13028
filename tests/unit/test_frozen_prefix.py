"""Frozen layers whose states are stored: the same logits and gradients, each window computed once, all else as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, DistilBertConfig, RobertaConfig

from prepsweep.cache import STAGES, Cache
from prepsweep.datamodule import PreparedData
from prepsweep.frozen_prefix import Prefix
from prepsweep.length_groups import logits_by_length
from prepsweep.methods.configured import with_method
from prepsweep.methods.freezing import layers, n_frozen, without_dropout
from prepsweep.padded import inputs_of
from prepsweep.precomputed import read_states
from prepsweep.tasks.text_classification import TextClassification
from tests.unit.test_methods import METHODS, node, tiny

LENGTHS = [3, 9, 30, 9, 12, 5]


def ids_of(lengths: list[int], seed: int = 0) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [[2, *rng.integers(5, 30, size=length - 2).tolist(), 3] for length in lengths]


def prepared(train: list[list[int]], cache_dir: Path, model: Any) -> tuple[PreparedData, dict[str, Any]]:
    """Loaders over token ids, after `read_states`, and what that told."""

    def rows(ids: list[list[int]]) -> Dataset:
        weights = np.ones(len(ids), dtype=np.float32)
        uids = [f"{number:032x}" for number in range(len(ids))]
        return Dataset.from_dict({"uid": uids, "label": ["a", "b"] * (len(ids) // 2), "weight": weights, "input_ids": ids})

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits, labels, reduction="none")

    task = TextClassification(["a", "b"], loss=loss)
    tokens = {"train": rows(train), "dev": rows(train[:2]), "test": rows(train[:2])}
    data = PreparedData(tokens, task, pad_token_id=0, batch_size=4, eval_batch_size=4, seed=0)
    return data, read_states(model, data, Cache(cache_dir), accelerator="cpu").get("frozen_prefix", {})


def frozen(folder: Path, method: str = "last_layers", **options: Any) -> Any:
    options = {"n_layers": 1} if method == "last_layers" else options
    model = with_method(tiny(folder), node(method, **options), n_steps=1)
    without_dropout(model)
    return model


def batch_of(data: PreparedData) -> dict[str, torch.Tensor]:
    rows = data.splits["train"]
    return rows.__getitems__(np.argsort(-rows.lengths, kind="stable").tolist())


@pytest.mark.parametrize(("method", "places"), [("last_layers", 30), ("head", 1)])
def test_stored_states_give_the_logits_and_gradients_of_computed_ones(method: str, places: int, tiny_model: Path, tmp_path: Path) -> None:
    model = frozen(tiny_model, method)
    data, facts = prepared(ids_of(LENGTHS), tmp_path, model)
    assert facts["computed"] == facts["windows"] == len(LENGTHS), "dev and test have windows of train"
    model.eval()
    inputs = inputs_of(model, batch_of(data))
    assert inputs["states"].shape == (len(LENGTHS), places, 32)
    computed = {name: tensor for name, tensor in inputs.items() if name != "states"}
    found = []
    for given in (inputs, computed):
        for ask in (lambda given=given: model(**given).logits, lambda given=given: logits_by_length(model, given)):
            model.zero_grad()
            logits = ask()
            logits.square().sum().backward()
            found.append([logits.detach(), *(one.grad.clone() for one in model.parameters() if one.grad is not None)])
    for other in found[:-1]:
        assert len(other) > 3
        for ours, expected in zip(other, found[-1], strict=True):
            torch.testing.assert_close(ours, expected, rtol=2e-3, atol=2e-4)


def test_frozen_layers_are_not_computed(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = frozen(tiny_model)
    data, _ = prepared(ids_of(LENGTHS), tmp_path, model)
    inputs, below = inputs_of(model, batch_of(data)), layers(model)[0]
    monkeypatch.setattr(type(below.attention), "forward", lambda *_, **__: pytest.fail("computed"))
    layers(model)[1].forward = lambda hidden, *_, **__: hidden
    model(**inputs)
    del inputs["states"]
    with pytest.raises(pytest.fail.Exception):
        model(**inputs)


def test_only_windows_that_no_run_has_seen_are_computed(tiny_model: Path, tmp_path: Path) -> None:
    first, other = ids_of(LENGTHS), ids_of([7, 8], seed=1)
    assert prepared(first, tmp_path, frozen(tiny_model))[1]["computed"] == len(first)
    assert prepared(first[::-1], tmp_path, frozen(tiny_model))[1]["computed"] == 0
    data, facts = prepared([*other, *first], tmp_path, frozen(tiny_model))
    assert (facts["computed"], facts["windows"]) == (2, len(first) + 2)
    whole = prepared([*other, *first], tmp_path / "new", frozen(tiny_model))[0]
    ours, expected = (batch_of(one)["states"].float() for one in (data, whole))
    torch.testing.assert_close(ours, expected, rtol=2e-3, atol=1e-3)
    assert len(list((tmp_path / STAGES).iterdir())) == 2, "an entry for each run that had windows to compute"


def test_other_weights_and_another_depth_have_states_of_their_own(tiny_model: Path, tmp_path: Path) -> None:
    rows = ids_of(LENGTHS)
    prepared(rows, tmp_path, frozen(tiny_model))
    changed = frozen(tiny_model)
    with torch.no_grad():
        layers(changed)[0].output.dense.bias[0] += 0.1
    assert prepared(rows, tmp_path, changed)[1]["computed"] == len(rows)
    assert prepared(rows, tmp_path, frozen(tiny_model, "head"))[1]["computed"] == len(rows)
    above = frozen(tiny_model)
    with torch.no_grad():
        layers(above)[1].output.dense.bias[0] += 0.1
    assert prepared(rows, tmp_path, above)[1]["computed"] == 0, "what is above does not count"


def test_a_damaged_entry_is_computed_again(tiny_model: Path, tmp_path: Path) -> None:
    rows = ids_of(LENGTHS)
    expected = batch_of(prepared(rows, tmp_path, frozen(tiny_model))[0])["states"].clone()
    (file,) = tmp_path.glob(f"{STAGES}/*/rows.arrow")
    content = bytearray(file.read_bytes())
    content[-600] ^= 255
    file.write_bytes(content)
    data, facts = prepared(rows, tmp_path, frozen(tiny_model))
    assert facts["computed"] == len(rows)
    assert torch.equal(batch_of(data)["states"], expected)


@pytest.mark.parametrize("method", METHODS)
def test_which_layers_learn_nothing(method: str, tiny_model: Path) -> None:
    model = with_method(tiny(tiny_model), node(method, **({"n_layers": 1} if method == "last_layers" else {})), n_steps=20)
    assert n_frozen(model) == {"last_layers": 1, "head": 2}.get(method, 0)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_an_adapter_on_the_top_layer_reads_states_and_merges(tiny_model: Path, tmp_path: Path) -> None:
    import peft

    config = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"], layers_to_transform=[1], init_lora_weights=False)
    model = peft.get_peft_model(tiny(tiny_model), config)
    assert n_frozen(model) == 1
    data, facts = prepared(ids_of(LENGTHS), tmp_path, model)
    assert facts["computed"] == len(LENGTHS)
    assert prepared(ids_of(LENGTHS), tmp_path, frozen(tiny_model))[1]["computed"] == 0, "the states are those of the same layers"
    inputs = inputs_of(model.eval(), batch_of(data))
    adapted = model(**inputs).logits
    merged = model.merge_and_unload()
    torch.testing.assert_close(merged(**inputs).logits, adapted, rtol=1e-4, atol=1e-5)
    del inputs["states"]
    torch.testing.assert_close(merged(**inputs).logits, adapted, rtol=2e-3, atol=2e-3)


def test_frozen_layers_run_without_dropout_and_the_others_with_it(tiny_model: Path, tmp_path: Path) -> None:
    model = frozen(tiny_model)
    prepared(ids_of(LENGTHS), tmp_path, model)
    assert not any(module.training for module in [*model.bert.embeddings.modules(), *layers(model)[0].modules()])
    assert all(module.training for module in [*layers(model)[1].modules(), *model.bert.pooler.modules(), model.dropout])


def test_states_change_no_random_number_and_nothing_of_the_model(tiny_model: Path, tmp_path: Path) -> None:
    model = frozen(tiny_model)
    before, drawn = {name: one.clone() for name, one in model.state_dict().items()}, torch.get_rng_state()
    prepared(ids_of(LENGTHS), tmp_path / "cache", model)
    assert torch.equal(torch.get_rng_state(), drawn)
    model.save_pretrained(tmp_path / "saved")
    saved = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").state_dict()
    assert list(saved) == list(before)
    assert all(torch.equal(saved[name], before[name]) for name in before)


def test_a_head_that_reads_all_places_is_given_all(tiny_model: Path) -> None:
    torch.manual_seed(0)
    model = AutoModelForTokenClassification.from_pretrained(tiny_model, num_labels=2).eval()
    ids = torch.tensor(ids_of([9, 9]))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    prefix = Prefix(with_method(model, node("head"), n_steps=1), 2)
    with torch.no_grad():
        assert prefix.serves(inputs)
    assert not prefix.first_only


SMALL = {"initializer_range": 0.3, "vocab_size": 40, "max_position_embeddings": 64, "num_labels": 2}


@pytest.mark.parametrize(
    "config",
    [
        RobertaConfig(hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=16, pad_token_id=0, **SMALL),
        DistilBertConfig(dim=16, n_layers=3, n_heads=2, hidden_dim=16, **SMALL),
    ],
    ids=["roberta", "distilbert"],
)
@pytest.mark.parametrize("method", ["last_layers", "head"])
def test_other_encoders_are_served(config: Any, method: str) -> None:
    torch.manual_seed(0)
    options = {"n_layers": 1} if method == "last_layers" else {}
    model = with_method(AutoModelForSequenceClassification.from_config(config).eval(), node(method, **options), n_steps=1)
    ids = torch.tensor(ids_of([9, 9]))
    prefix = Prefix(model, n_frozen(model))
    with torch.no_grad():
        assert prefix.serves({"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    assert prefix.first_only == (method == "head")


def test_a_model_whose_layers_do_more_than_hand_on_is_computed_whole(tiny_model: Path, tmp_path: Path) -> None:
    model = frozen(tiny_model)
    seen: list[torch.Tensor] = []
    layers(model)[0].attention.register_forward_hook(lambda *call: seen.__setitem__(slice(None), [call[2][0]]))
    layers(model)[1].register_forward_hook(lambda *call: call[2] + seen.pop() if seen else call[2])
    data, facts = prepared(ids_of(LENGTHS), tmp_path, model)
    assert facts == {}
    assert "states" not in batch_of(data)
