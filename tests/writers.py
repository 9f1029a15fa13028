"""A tiny causal language model and conversations that the tests make themselves."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

CAPITALS = {"France": "Paris", "Spain": "Madrid", "Italy": "Rome", "Peru": "Lima", "中国": "北京"}
TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"


def made_conversations(n_rows: int) -> list[list[dict[str, str]]]:
    """Questions after capitals, no two alike; every third conversation has a second question, every fourth a system."""
    rng = random.Random(0)
    found = []
    for number in range(n_rows):
        turns = [{"role": "system", "content": "Be brief."}] if number % 4 == 0 else []
        for turn in range(1 + (number % 3 == 0)):
            country = rng.choice(sorted(CAPITALS))
            turns.append({"role": "user", "content": f"{number}.{turn} capital of {country}"})
            turns.append({"role": "assistant", "content": CAPITALS[country]})
        found.append(turns)
    return found


def write_conversations(path: Path, n_rows: int) -> Path:
    """A JSON lines file of `made_conversations`."""
    lines = [json.dumps({"messages": turns}, ensure_ascii=False) + "\n" for turns in made_conversations(n_rows)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer Llama with random weights, a byte-level tokenizer, and no chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny_writer")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    texts = [f"### User:\n{turn['content']}\n\n### Assistant:\n" for turns in made_conversations(60) for turn in turns]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<pad>", "</s>"], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>").save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    ends = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
    config = LlamaConfig(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=256, **sizes, **ends)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder
