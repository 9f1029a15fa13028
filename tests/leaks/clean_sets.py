"""Five data sets in which nothing leaks, each hard in its own way for a guard that cries wolf."""

from __future__ import annotations

import random
from collections.abc import Callable

Pairs = list[tuple[str, str]]


def english(n_rows: int, seed: int = 0, labels: tuple[str, ...] = ("good", "bad", "plot"), weights: tuple[int, ...] = (5, 3, 2)) -> Pairs:
    """Texts of 8 to 60 made-up words as frequent as words are, some of them more often in one class."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(2, 9))) for _ in range(3000)]
    frequency = [1 / (place + 2) for place in range(len(words))]
    liked = {label: words[200 + 70 * place :][:70] for place, label in enumerate(labels)}
    rows: Pairs = []
    for label in rng.choices(labels, weights, k=n_rows):
        text = [
            *rng.choices(words, frequency, k=rng.randrange(6, 50)),
            *(rng.choice(liked[label if rng.random() < 0.6 else rng.choice(labels)]) for _ in range(rng.randrange(2, 10))),
        ]
        rng.shuffle(text)
        rows.append((" ".join(text).capitalize() + rng.choice(".!?"), label))
    return rows


def imbalanced(n_rows: int) -> Pairs:
    """Nearly all rows have one class, so that nearly every word "predicts" it."""
    return english(n_rows, seed=1, labels=("usual", "rare", "rarest"), weights=(94, 4, 2))


def chinese(n_rows: int) -> Pairs:
    """No spaces, few characters, many short texts with the same runs."""
    rng = random.Random(2)
    characters = [chr(0x4E00 + 7 * place) for place in range(900)]
    frequency = [1 / (place + 5) for place in range(len(characters))]
    rows: Pairs = []
    for label in rng.choices(["体育", "财经", "科技"], k=n_rows):
        own = characters[100 + 60 * ["体育", "财经", "科技"].index(label) :][:60]
        text = rng.choices(characters, frequency, k=rng.randrange(8, 50)) + rng.choices(own, k=rng.randrange(1, 6))
        rng.shuffle(text)
        rows.append(("".join(text[:9]) + "，" + "".join(text[9:]) + "。", label))
    return rows


def intents(n_rows: int) -> Pairs:
    """Questions of a few words in 12 classes, many of them one word apart, and no two alike."""
    rng = random.Random(3)
    names = [f"{noun}_{verb}" for noun in ("card", "transfer", "account") for verb in ("lost", "late", "fee", "limit")]
    openings = ["how do i", "why is", "when will", "please tell me about", "can you see", "what about", "i need help with", "where is"]
    things = [f"{kind}{place}" for kind in ("card", "pin", "shop", "bank", "cash", "app", "loan", "visa") for place in range(9)]
    ends = ["today", "again", "please", "now", "from abroad", "at the till", "on my phone", "this week", "for my son", "by post"]
    rows: dict[str, str] = {}
    while len(rows) < n_rows:
        label = rng.choice(names)
        own = things[6 * names.index(label) :][:6]
        thing = rng.choice(own if rng.random() < 0.4 else things)
        rows.setdefault(f"{rng.choice(openings)} my {thing} {rng.choice(things)} {rng.choice(ends)}", label)
    return list(rows.items())


def repeated_phrases(n_rows: int) -> Pairs:
    """Long texts made of forty stock phrases: any two share runs of six words, none is a copy."""
    rng = random.Random(4)
    words = [text for text, _ in english(400, seed=5)]
    phrases = [" ".join(text.lower().rstrip(".!?").split()[:6]) for text in words[:40]]
    fill = [word for text in words[40:] for word in text.lower().rstrip(".!?").split()]
    rows: Pairs = []
    for _ in range(n_rows):
        parts = [part for _ in range(5) for part in (rng.choice(phrases), " ".join(rng.sample(fill, 2)))]
        rows.append((" ".join(parts), rng.choice(["contract", "letter"])))
    return rows


CLEAN_SETS: dict[str, Callable[[int], Pairs]] = {
    "english": english,
    "chinese": chinese,
    "intents": intents,
    "imbalanced": imbalanced,
    "repeated phrases": repeated_phrases,
}
# Rows to plant leaks in, and the split of each.
CLEAN = english(600)
SPLITS = ["train"] * 420 + ["dev"] * 60 + ["test"] * 120
