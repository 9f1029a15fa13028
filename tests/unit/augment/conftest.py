"""Dictionaries, programs and models for the augmentation tests: made here, or the real ones of the README's apt line."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from prepsweep.augment.wordnet import FILES, WordNet

REAL_WORDNET = Path("/usr/share/wordnet")
_TYPES = {"n": "1", "v": "2", "a": "3", "r": "4"}
# Part of speech, words of the synset, tagged uses of each word in this sense. A word's senses stand in this order.
SYNSETS = [
    ("n", "cat feline", "5 2"),
    ("n", "cat gossip", "0 1"),
    ("n", "film movie moving_picture pic", "30 20 0 0"),
    ("n", "story tale", "9 4"),
    ("n", "story storey", "1 1"),
    ("n", "idea notion", "7 3"),
    ("n", "owl bird_of_night hooter", "3 0 1"),
    ("n", "plot scheme", "6 2"),
    ("n", "play drama", "5 5"),
    ("n", "will testament", "1 1"),
    ("n", "child kid", "8 4"),
    ("n", "match lucifer", "2 2"),
    ("n", "science", "3"),
    ("n", "fiction fabrication", "3 2"),
    ("n", "science_fiction sci-fi", "1 1"),
    ("n", "Grant Ulysses_Grant", "0 0"),
    ("n", "grant award", "3 3"),
    ("n", "hour hr", "9 1"),
    ("v", "enjoy relish", "9 3"),
    ("v", "play perform", "4 9"),
    ("v", "play_down minimise", "1 1"),
    ("v", "begin commence", "9 2"),
    ("v", "buy purchase", "8 5"),
    ("v", "choose take", "5 6"),
    ("v", "stop halt", "5 3"),
    ("v", "live inhabit", "9 3"),
    ("a", "big large", "9 8"),
    ("a", "funny comic", "7 3"),
    ("a", "old(a) aged", "5 2"),
    ("r", "quickly rapidly", "6 4"),
    ("r", "surely sure", "5 1"),
    ("a", "sure", "9"),
    ("a", "bright", "5"),
    ("a", "dull sluggish", "4 1"),
    ("a", "awful", "3"),
]
# First words of two synsets of one part of speech that are antonyms, in both directions.
ANTONYMS = {"bright": "dull", "dull": "bright", "funny": "awful", "awful": "funny"}
# Sentence frames of verbs, (frame, number of the word or 0 for all); the others have frame 8 for all.
FRAMES = {"live inhabit": [(1, 1), (8, 2)]}
EXCEPTIONS = {
    "n": ["children child"],
    "v": ["began begin", "begun begin", "bought buy", "chose choose", "chosen choose", "took take", "taken take", "stopped stop"],
    "a": ["bigger big", "biggest big", "funnier funny", "older old"],
    "r": [],
}


def write_wordnet(folder: Path, *, counts: bool = True) -> Path:
    """A WordNet of `SYNSETS` in the formats of wndb(5WN) and cntlist(5WN), offsets and licence lines included."""
    senses: dict[str, dict[str, list[tuple[int, int]]]] = {pos: defaultdict(list) for pos in FILES}
    for pos, name in FILES.items():
        # Offsets have eight digits, so that they stay when the antonyms' own are written in the second turn.
        data = _data_lines(pos, {}, defaultdict(list))
        data = _data_lines(pos, {line.split()[4]: int(line[:8]) for line in data.splitlines()[2:]}, senses[pos])
        (folder / f"data.{name}").write_text(data, encoding="latin-1")
        index = "  1 This software and database is being provided to you, the LICENSEE, by  \n"
        for lemma, found in sorted(senses[pos].items()):
            offsets = " ".join(f"{offset:08d}" for offset, _ in found)
            n_tagged = sum(n_uses > 0 for _, n_uses in found)
            index += f"{lemma} {pos} {len(found)} 1 @ {len(found)} {n_tagged} {offsets}  \n"
        (folder / f"index.{name}").write_text(index, encoding="latin-1")
        (folder / f"{name}.exc").write_text("".join(f"{line}\n" for line in EXCEPTIONS[pos]), encoding="latin-1")
    if counts:
        (folder / "cntlist.rev").write_text("".join(_count_lines(senses)), encoding="latin-1")
    return folder


def _data_lines(pos: str, offsets: dict[str, int], senses: dict[str, list[tuple[int, int]]]) -> str:
    """The data file of one part of speech; `senses` is filled with (offset, tagged uses) of every word."""
    data = "  1 This software and database is being provided to you, the LICENSEE, by  \n  2 the tests.  \n"
    for synset_pos, words, uses in SYNSETS:
        if synset_pos != pos:
            continue
        spelled = words.split()
        for word, n_uses in zip(spelled, uses.split(), strict=True):
            senses[word.partition("(")[0].lower()].append((len(data), int(n_uses)))
        pointers = [f"@ 00001740 {pos} 0000"]
        if spelled[0] in ANTONYMS:
            pointers.append(f"! {offsets.get(ANTONYMS[spelled[0]], 0):08d} {pos} 0101")
        members = " ".join(f"{word} 0" for word in spelled)
        line = f"{len(data):08d} 03 {pos} {len(spelled):02x} {members} {len(pointers):03d} {' '.join(pointers)}"
        frames = FRAMES.get(words, [(8, 0)])
        numbered = "".join(f" + {frame:02d} {number:02x}" for frame, number in frames)
        line += f" {len(frames):02d}{numbered}" if pos == "v" else ""
        data += f'{line} | a gloss; "with | a bar"  \n'
    return data


def _count_lines(senses: dict[str, dict[str, list[tuple[int, int]]]]) -> list[str]:
    lines = []
    for pos, lemmas in senses.items():
        for lemma, found in lemmas.items():
            lines += [f"{lemma}%{_TYPES[pos]}:03:{n:02d}:: {n} {uses}\n" for n, (_, uses) in enumerate(found, 1) if uses]
    return lines


def make_marian(folder: Path) -> Path:
    """A one-layer Marian checkpoint with random weights and a sentencepiece model of a few sentences."""
    import sentencepiece
    import torch
    from transformers import MarianConfig, MarianMTModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)  # Tiny products take far longer on threads that others want too.
    lines = ["the cat sat on the mat", "a film about cats and dogs", "funny story of a bird", "this is great fun"] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(folder / "source"), vocab_size=28, character_coverage=1.0, minloglevel=2
    )
    (folder / "source.model").rename(folder / "source.spm")
    shutil.copy(folder / "source.spm", folder / "target.spm")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    words = ["</s>", "<unk>", *(processor.id_to_piece(i) for i in range(processor.get_piece_size())), ">>fra<<", "<pad>"]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(words))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "MarianTokenizer"}), encoding="utf-8")
    # A seed and a spread whose translations differ from text to text.
    torch.manual_seed(2)
    config = MarianConfig(
        vocab_size=len(vocabulary),
        pad_token_id=vocabulary["<pad>"],
        decoder_start_token_id=vocabulary["<pad>"],
        eos_token_id=0,
        forced_eos_token_id=0,
        init_std=1.0,
        **_tiny_sizes(),
    )
    MarianMTModel(config).save_pretrained(folder)
    return folder


def make_nllb(folder: Path) -> Path:
    """A one-layer checkpoint of the NLLB kind: many languages, each a token that the translation begins with."""
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    words = ["<s>", "<pad>", "</s>", "<unk>", *"▁abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {word: i for i, word in enumerate(words)}
    tokenizer = NllbTokenizer(vocab=vocabulary, merges=[], additional_special_tokens=["eng_Latn", "fra_Latn"])
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = M2M100Config(
        vocab_size=len(tokenizer), pad_token_id=1, eos_token_id=2, bos_token_id=0, decoder_start_token_id=2, init_std=1.0, **_tiny_sizes()
    )
    M2M100ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def _tiny_sizes() -> dict[str, int]:
    heads_and_layers = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    return heads_and_layers | {"d_model": 16, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64}


@pytest.fixture(scope="session")
def wordnet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dict files of `SYNSETS`."""
    return write_wordnet(tmp_path_factory.mktemp("wordnet"))


@pytest.fixture(scope="session")
def tiny(wordnet_folder: Path) -> WordNet:
    """WordNet of `SYNSETS`."""
    return WordNet(wordnet_folder)


@pytest.fixture(scope="session")
def real_wordnet() -> WordNet:
    """WordNet 3.0 of Debian's wordnet-base."""
    return WordNet(REAL_WORDNET)


@pytest.fixture(scope="session")
def real_apertium() -> str:
    """The program of Debian's apertium-eng-spa."""
    return shutil.which("apertium") or ""


@pytest.fixture(scope="session")
def tiny_marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Marian checkpoint that loads like any other and translates to nonsense."""
    return make_marian(tmp_path_factory.mktemp("marian"))


@pytest.fixture(scope="session")
def tiny_nllb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An NLLB checkpoint that loads like any other and translates to nonsense."""
    return make_nllb(tmp_path_factory.mktemp("nllb"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of a real tool where it is not installed; the README's apt line installs both."""
    missing = {name for name, there in (("real_wordnet", REAL_WORDNET.is_dir()), ("real_apertium", shutil.which("apertium"))) if not there}
    left_out = [item for item in items if missing & set(getattr(item, "fixturenames", ()))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
