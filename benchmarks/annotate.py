"""Speed and accuracy of the annotation stages.

python benchmarks/annotate.py                            ten labelling functions and every label model on 100,000 made texts
python benchmarks/annotate.py --youtube-spam FOLDER      and accuracy on the test rows of the YouTube spam set in WRENCH's format:
                                                         train.jsonl and test.jsonl with text, label and weak_votes (10, -1 abstains)
python benchmarks/annotate.py --trec-weak FOLDER         and how far the weak labels of TREC are right (train.csv, dev.csv, test.csv)
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from prepsweep.annotate.ballots import Ballots, ballots_of, coded, quality
from prepsweep.annotate.consensus import best_of
from prepsweep.annotate.functions import python_votes
from prepsweep.annotate.label_models import LABEL_MODELS, probabilities

N_ROWS = 100_000
N_REPEATS = 3
TEXT = "check out my channel please subscribe love this song video link http://x.y great best money free the a of and it is"
WORDS = TEXT.split()
FUNCTIONS = "import re\n\n" + "\n\n".join(
    [
        "def keyword_my(text):\n    return 'SPAM' if 'my' in text else None",
        "def keyword_subscribe(text):\n    return 'SPAM' if 'subscribe' in text.lower() else None",
        "def link(text):\n    return 'SPAM' if re.search(r'https?://', text) else None",
        "def please(text):\n    return 'SPAM' if 'please' in text.split() else None",
        "def song(text):\n    return 'HAM' if 'song' in text else None",
        "def check_out(text):\n    return 'SPAM' if re.search(r'check.*out', text, re.I) else None",
        "def short(text):\n    return 'HAM' if len(text.split()) < 6 else None",
        "def praise(text):\n    return 'HAM' if any(word in ('love', 'great', 'best') for word in text.split()) else None",
        "def money(text):\n    return 'SPAM' if re.search(r'\\b(money|free|cash)\\b', text) else None",
        "def shouted(text):\n    return 'SPAM' if text.isupper() else None",
    ]
)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--youtube-spam", type=Path, metavar="FOLDER")
    parser.add_argument("--trec-weak", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    speed()
    if asked.youtube_spam:
        youtube_spam(asked.youtube_spam)
    if asked.trec_weak:
        trec_weak(asked.trec_weak)


def seconds(call: Callable[[], object]) -> float:
    """Median of the repeats."""
    found = []
    for _ in range(N_REPEATS):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def speed() -> None:
    """Ten functions on made texts, then each label model on their votes."""
    rng = random.Random(0)
    texts = [" ".join(rng.choices(WORDS, k=rng.randrange(3, 20))) for _ in range(N_ROWS)]
    rows = pa.table({"text": texts})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "functions.py"
        path.write_text(FUNCTIONS, encoding="utf-8")
        votes = python_votes(rows, file=str(path), module=None, num_proc=1)
        print(f"{N_ROWS:,} texts, medians of {N_REPEATS}")
        print(f"{'ten functions, one process':28} {seconds(lambda: python_votes(rows, file=str(path), module=None, num_proc=1)):6.2f} s")
    matrix, classes = coded(list(votes.values()))
    ballots = ballots_of(matrix, list(votes), classes)
    noise = np.random.default_rng(0).integers(-1, 2, size=(N_ROWS, 10))
    worst = ballots_of(noise, list(votes), classes)
    for name in LABEL_MODELS:
        timed = [seconds(lambda model=name, given=given: probabilities(model, given)) for given in (ballots, worst)]  # type: ignore[misc]
        print(f"{name:28} {timed[0]:6.2f} s, on votes drawn at random {timed[1]:6.2f} s")
    gold = pa.chunked_array([pa.nulls(N_ROWS, pa.string())])
    print(f"{'table of the functions':28} {seconds(lambda: quality(ballots, gold)):6.2f} s")


def youtube_spam(folder: Path) -> None:
    """Accuracy on the test rows; the models learn from the votes on train rows. Ties and rows without votes count as half right."""
    parts = [
        [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()] for name in ("train", "test")
    ]
    matrix = np.array([row["weak_votes"] for rows in parts for row in rows])
    weights = np.repeat([1.0, 0.0], [len(rows) for rows in parts])
    ballots = ballots_of(matrix, [f"rule {n}" for n in range(10)], ["HAM", "SPAM"], weights)
    truth = np.array([row["label"] == "SPAM" for row in parts[1]]).astype(int)
    print(f"\nYouTube spam, {len(truth)} test rows (published: majority 84.0, label model 86.0)")
    for name in LABEL_MODELS:
        print(f"{name:28} {_accuracy(name, ballots, truth)}")


def _accuracy(name: str, ballots: Ballots, truth: np.ndarray) -> str:
    best = best_of(probabilities(name, ballots)[-len(truth) :])[0]
    labelled, right = best >= 0, best == truth
    score = (right.sum() + 0.5 * (~labelled).sum()) / len(truth)
    half_width = 1.96 * np.sqrt(score * (1 - score) / len(truth))
    return f"{100 * score:5.1f} ± {100 * half_width:.1f} of all, {100 * right[labelled].mean():5.1f} of the {labelled.sum()} that it labels"


def trec_weak(folder: Path) -> None:
    """How many weak labels are those of gold."""
    print("\nTREC, weak labels against gold")
    for name in ("train", "dev", "test"):
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["weak_label"]]
        print(f"{name:28} {100 * sum(row['label'] == row['weak_label'] for row in rows) / len(rows):5.1f} of {len(rows)}")


if __name__ == "__main__":
    main()
