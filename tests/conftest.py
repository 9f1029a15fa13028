"""Tiny models and data that the tests make themselves: nothing here needs a network or a download."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from datasets import Dataset
from omegaconf import DictConfig

from prepsweep.lineage import dataset_of
from prepsweep.preflight.compose import compose_runs
from prepsweep.preflight.resolvers import register_resolvers
from prepsweep.schema import source_table
from tests.unit.annotate.files import labelling_rules
from tests.unit.augment.conftest import tiny_marian, wordnet_folder
from tests.unit.augment.models import paraphrase_endpoint, tiny_masked_lm
from tests.unit.review.files import review_file
from tests.writers import tiny_writer

__all__ = [
    "labelling_rules",
    "paraphrase_endpoint",
    "review_file",
    "tiny_marian",
    "tiny_masked_lm",
    "tiny_writer",
    "wordnet_folder",
]  # fixtures of the stages' own tests that the contract suite needs too
register_resolvers()
GOOD, BAD, PLOT = (
    ["great", "lovely", "moving", "funny", "bright"],
    ["dull", "boring", "awful", "flat", "tired"],
    ["killer", "brother", "town", "secret", "war"],
)
WORDS = {"fresh": GOOD, "rotten": BAD, "plot": PLOT}
FILLER = ["the", "a", "film", "this", "story", "with", "and", "of", "it", "is", "was", "in", "cats", "dogs", "run", "runs"]


def review(label: str, rng: random.Random) -> str:
    """A made-up sentence that gives its class away by its words."""
    words = [rng.choice(FILLER) for _ in range(rng.randrange(4, 14))] + [rng.choice(WORDS[label]) for _ in range(3)]
    rng.shuffle(words)
    return " ".join(words).capitalize() + "."


def make_reviews(n_rows: int, seed: int = 0) -> list[tuple[str, str]]:
    """`n_rows` of (text, label), 5 fresh : 3 rotten : 2 plot, no text twice."""
    rng = random.Random(seed)
    labels = ["fresh"] * 5 + ["rotten"] * 3 + ["plot"] * 2
    rows: dict[str, str] = {}
    while len(rows) < n_rows:
        label = labels[len(rows) % len(labels)]
        rows.setdefault(f"{review(label, rng)} {len(rows)}", label)
    return list(rows.items())


def rows_of(pairs: list[tuple[str, str]], split: str | list[str] = "", **extra: list[str]) -> Dataset:
    """Rows under the contract from (text, label) pairs."""
    splits = [split] * len(pairs) if isinstance(split, str) else split
    texts, labels = (pa.array([pair[i] for pair in pairs], pa.string()) for i in (0, 1))
    return dataset_of(source_table(texts, labels, pa.array(splits, pa.string()), {k: pa.array(v) for k, v in extra.items()}))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer BERT with random weights and a word-piece vocabulary of the test's words, saved as transformers saves it."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny_model")
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789.,!?'-")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{x}" for x in letters), *GOOD, *BAD, *PLOT, *FILLER]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(words))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture
def reviews_csv(tmp_path: Path) -> Path:
    """120 rows in three classes as a CSV file."""
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in make_reviews(120)), encoding="utf-8")
    return path


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread of torch, with which sums come out the same bit by bit."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test works in a folder and with a cache of its own, without a network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREPSWEEP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return


def compose(*overrides: str) -> DictConfig:
    """The configuration of a command line."""
    return compose_runs(list(overrides), multirun=False)[0]
