"""Words put in by a masked language model: which words are masked, what may stand in their place, and the draws."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prepsweep.augment.draws import shuffled
from prepsweep.augment.inflect import match_case
from prepsweep.errors import Refused
from prepsweep.pretrained import batches_by_length, hardware_of
from prepsweep.progress import track
from prepsweep.randomness import row_rng
from prepsweep.segmentation import SPACELESS, cut

if TYPE_CHECKING:
    import torch

_WHERE = "augment.contextual.masked_lm"
# How a whole word stands in the vocabulary: behind a space, without one (behind a bracket), or in a script without spaces.
_SPACED, _BARE, _SPACELESS = range(3)
_N_KINDS = 3


@dataclass(frozen=True)
class _Word:
    """A word of a text: its characters `start:end`, its tokens `first:last`, and the id of the first."""

    text: str
    start: int
    end: int
    first: int
    last: int
    token: int


@dataclass(frozen=True)
class _Child:
    """A text with some words masked: its token ids, and each mask's place among them, word, and number drawn."""

    row: int
    ids: list[int]
    masks: list[tuple[int, _Word, float]]


class _Vocabulary:
    """The tokens of `tokenizer` that are a whole word, by kind; `surfaces` are their texts, `spaced` those behind a space."""

    def __init__(self, tokenizer: Any, n_tokens: int, classes: frozenset[str]) -> None:
        import torch

        ids = list(range(min(len(tokenizer), n_tokens)))
        raw: list[str] = tokenizer.convert_ids_to_tokens(ids)
        self.surfaces: list[str] = [text.strip() for text in tokenizer.batch_decode([[token] for token in ids])]
        # Word pieces mark what goes on, byte pairs and sentence pieces the space before a word.
        sign = max(("##", "Ġ", "▁"), key=lambda sign: sum(token.startswith(sign) for token in raw))
        self.spaced = [token.startswith(sign) != (sign == "##") for token in raw]
        whole = {surface for surface, spaced in zip(self.surfaces, self.spaced, strict=True) if spaced}
        self.same: defaultdict[str, list[int]] = defaultdict(list)
        self.allowed = torch.zeros(_N_KINDS, n_tokens, dtype=torch.bool)
        special = set(tokenizer.all_special_ids)
        for token, surface in enumerate(self.surfaces):
            if token not in special and surface.isalpha() and surface.casefold() not in classes:
                self.same[surface.casefold()].append(token)
                kind = self.kind(token)
                self.allowed[kind, token] = kind == _SPACELESS or surface in whole

    def kind(self, token: int) -> int:
        """Which tokens may stand where this one stood: those of its own kind."""
        if is_spaceless(self.surfaces[token]):
            return _SPACELESS
        return _SPACED if self.spaced[token] else _BARE


def replaced(
    uids: Sequence[str],
    texts: Sequence[str],
    classes: frozenset[str],
    *,
    folder: Path,
    checkpoint: str,
    seed: int,
    alpha: float,
    top_k: int,
    n_aug: int,
    batch_tokens: int,
    device: str,
) -> list[str]:
    """`n_aug` texts for each of `texts` in order, with words replaced as `contextual` says."""
    import torch

    tokenizer, model = _load(folder, checkpoint)
    vocabulary = _Vocabulary(tokenizer, model.config.vocab_size, classes)
    found = _words_of(texts, tokenizer, _longest(tokenizer, model))
    children = [
        child
        for row, (ids, words) in enumerate(found)
        for child in _masked(
            row, ids, [word for word in words if word.text.casefold() not in classes], uids[row], tokenizer, seed, alpha, n_aug
        )
    ]
    made = [texts[child.row] for child in children]
    hardware = hardware_of(device)
    model = model.to(hardware).eval()
    # A key for each that no order of rows changes; one without masks has none, and stays as it is.
    keys = [f"{uids[child.row]} {number % n_aug}" if child.masks else "" for number, child in enumerate(children)]
    with torch.inference_mode():
        for batch in track(batches_by_length(keys, [child.ids for child in children], batch_tokens), f"fill masks with {checkpoint}"):
            members = [children[number] for number in batch]
            drawn = iter(_drawn(_logits(model, members, tokenizer.pad_token_id, hardware), members, vocabulary, top_k))
            for number, child in zip(batch, members, strict=True):
                made[number] = _spliced(texts[child.row], [(word, next(drawn)) for _, word, _ in child.masks])
    return made


def _load(folder: Path, checkpoint: str) -> tuple[Any, Any]:
    """Fast tokenizer and model in float32; refuses a checkpoint whose head has no weights: it would put in noise."""
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer
    from transformers.utils import logging

    fix = "use a checkpoint such as distilbert/distilroberta-base, bert-base-chinese or xlm-roberta-base, with its tokenizer files"
    said = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, report = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise Refused(_WHERE, f"cannot load {checkpoint}: {' '.join(str(error).split())[:200]}", fix) from error
    finally:
        logging.set_verbosity(said)
    if tokenizer.mask_token_id is None or tokenizer.pad_token_id is None or not tokenizer.is_fast:
        raise Refused(_WHERE, f"the tokenizer of {checkpoint} has no mask token, no padding, or no fast version", fix)
    # The last layer is often the embedding itself and then not stored; all before it must be.
    missing = sorted(key for key in report["missing_keys"] if key.endswith(".weight") and "decoder" not in key)
    if missing:
        raise Refused(_WHERE, f"{checkpoint} is no masked language model: it lacks {missing[0]}", fix)
    return tokenizer, model


def _longest(tokenizer: Any, model: Any) -> int:
    # RoBERTa's positions begin behind its padding, so that two are lost.
    positions = getattr(model.config, "max_position_embeddings", 512) - 2
    return int(min(tokenizer.model_max_length, positions))


def _words_of(texts: Sequence[str], tokenizer: Any, longest: int) -> Iterator[tuple[list[int], list[_Word]]]:
    """Token ids of each text and its words that are made of letters and that tokens cover exactly."""
    for first in range(0, len(texts), 1000):
        some = list(texts[first : first + 1000])
        encoded = tokenizer(some, truncation=True, max_length=longest, return_offsets_mapping=True)
        for text, ids, offsets in zip(some, encoded["input_ids"], encoded["offset_mapping"], strict=True):
            yield ids, _words(text, ids, offsets)


def _words(text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]]) -> list[_Word]:
    starts: dict[int, int] = {}  # Character → where its word starts
    ends, at = {}, 0
    for part in cut(text, "characters"):
        if part.isalpha():
            starts |= dict.fromkeys(range(at, at + len(part)), at)
            ends[at] = at + len(part)
        at += len(part)
    spans = [(start + len(text[start:end]) - len(text[start:end].lstrip()), end) for start, end in offsets]
    words = []
    for start, tokens in groupby(range(len(spans)), lambda token: _start_of(text, spans[token], starts)):
        token_list = list(tokens)
        (begin, _), (_, end) = spans[token_list[0]], spans[token_list[-1]]
        if start == begin and (end == ends[start] or is_spaceless(text[begin:end])):
            words.append(_Word(text[begin:end], begin, end, token_list[0], token_list[-1] + 1, ids[token_list[0]]))
    return words


def _start_of(text: str, span: tuple[int, int], starts: dict[int, int]) -> int | None:
    """Where the word of a token starts; a token of Han or kana is a word by itself."""
    start, end = span
    if start == end or start not in starts:
        return None
    return start if is_spaceless(text[start:end]) else starts[start]


def is_spaceless(text: str) -> bool:
    """Whether `text` is all Han or kana."""
    return bool(text) and all(SPACELESS.match(letter) for letter in text)


def _masked(
    row: int, ids: list[int], words: list[_Word], uid: str, tokenizer: Any, seed: int, alpha: float, n_aug: int
) -> Iterator[_Child]:
    """The children of a row, all that is random in them drawn: no batch that they come into can change it."""
    draw = row_rng(seed, "contextual", uid).random
    n_replaced = max(1, int(alpha * len(words) + 0.5))
    for _ in range(n_aug):
        masked: list[int] = []
        masks: list[tuple[int, _Word, float]] = []
        done = 0
        for word in sorted(shuffled(words, draw, n_first=n_replaced), key=lambda word: word.first):
            masked += ids[done : word.first]
            masks.append((len(masked), word, draw()))
            masked.append(tokenizer.mask_token_id)
            done = word.last
        yield _Child(row, masked + ids[done:], masks)


def _logits(model: Any, members: Sequence[_Child], padding: int, hardware: str) -> torch.Tensor:
    """Scores of all tokens at each mask of the batch, (n_masks, n_tokens): the last layer sees no other place."""
    import torch

    width = max(len(child.ids) for child in members)
    ids = torch.tensor([child.ids + [padding] * (width - len(child.ids)) for child in members])
    lengths = torch.tensor([len(child.ids) for child in members])
    rows = torch.tensor([number for number, child in enumerate(members) for _ in child.masks])
    columns = torch.tensor([column for child in members for column, *_ in child.masks])
    last = model.get_output_embeddings()
    hook = last.register_forward_pre_hook(lambda _, given: (given[0][rows, columns],)) if last is not None else None
    try:
        attention = (torch.arange(width) < lengths[:, None]).long()
        logits: torch.Tensor = model(input_ids=ids.to(hardware), attention_mask=attention.to(hardware)).logits
    finally:
        if hook is not None:
            hook.remove()
    return logits if logits.dim() == 2 else logits[rows, columns]


def _drawn(logits: torch.Tensor, members: Sequence[_Child], vocabulary: _Vocabulary, top_k: int) -> list[str]:
    """What stands in the place of each masked word: one of its `top_k` likeliest, or the word where nothing is allowed."""
    import torch

    masks = [(word, number) for child in members for _, word, number in child.masks]
    kinds = torch.tensor([vocabulary.kind(word.token) for word, _ in masks])
    logits = logits.masked_fill(~vocabulary.allowed[kinds].to(logits.device), -torch.inf)
    own = [(at, token) for at, (word, _) in enumerate(masks) for token in vocabulary.same.get(word.text.casefold(), ())]
    if own:
        logits[[at for at, _ in own], [token for _, token in own]] = -torch.inf
    best, tokens = logits.topk(min(top_k, logits.shape[1]))
    sums = best.double().cpu().softmax(dim=1).cumsum(dim=1)
    numbers = torch.tensor([number for _, number in masks], dtype=torch.float64)
    n_open = best.isfinite().sum(dim=1).cpu()
    places = torch.minimum((sums <= numbers[:, None]).sum(dim=1), n_open - 1)
    chosen = tokens.cpu().gather(1, places.clamp(min=0)[:, None])[:, 0].tolist()
    return [
        match_case(word.text, vocabulary.surfaces[token]) if n else word.text
        for (word, _), token, n in zip(masks, chosen, n_open.tolist(), strict=True)
    ]


def _spliced(text: str, words: Sequence[tuple[_Word, str]]) -> str:
    """`text` with each word by the one beside it, all else as it is."""
    done, made = 0, []
    for word, new in words:
        made += [text[done : word.start], new]
        done = word.end
    return "".join([*made, text[done:]])
