"""Texts a second of the word-level augmentations, one and two processes, beside nlpaug where that is installed.

    python benchmarks/word_augmentation.py [--rows 100000] [--rounds 5] [--theirs PYTHON]

nlpaug is no dependency: `python -m venv /tmp/nlpaug && /tmp/nlpaug/bin/pip install nlpaug==1.1.11`, and name that Python
with `--theirs`; without it nlpaug is imported here, if it is there. Each round times every side once, in turn, on the
same texts: whole stages, from a data set to the data set with its children, against nlpaug's `augment` of the list of
texts, which gives texts alone. Rates are of processor time, so that other work on the machine counts little; two
processes are compared with one by the clock. The table holds medians. nlpaug works through every tenth text only: its
rate does not depend on their number.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

WORDS = """
    the a film story plot is was not very good bad dull bright funny moving and of with in it this that actors director scene
    never always quite rather performance music ending beginning character audience critics watch enjoyed hated loved seen
"""
THEIRS = """
import json, sys, time
import nlpaug.augmenter.char as nac
import nlpaug.augmenter.word as naw
augmenters = {
    "swap": naw.RandomWordAug(action="swap", aug_p=0.1),
    "delete": naw.RandomWordAug(action="delete", aug_p=0.1),
    "keyboard": nac.KeyboardAug(aug_word_p=0.1, aug_char_max=1),
}
texts = json.load(open(sys.argv[1]))
augmenters["swap"].augment(texts[:100])
rates = {}
for name, augmenter in augmenters.items():
    started = time.process_time()
    augmenter.augment(texts)
    rates[name] = len(texts) / (time.process_time() - started)
print(json.dumps(rates))
"""
# Ours, and the one of theirs that it is compared with.
PAIRS = {
    "word_noise swap": "swap",
    "word_noise delete": "delete",
    "word_noise both": "swap",
    "aeda": "swap",
    "char_noise keyboard": "keyboard",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--theirs", default=sys.executable, help="a Python that has nlpaug==1.1.11")
    asked = parser.parse_args()
    texts = make_texts(asked.rows)
    ours: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    has_theirs = asked.theirs != sys.executable or importlib.util.find_spec("nlpaug") is not None
    for number in range(asked.rounds):
        for name, rate in rates_of(texts).items():
            ours.setdefault(name, []).append(rate)
        for name, rate in (their_rates(asked.theirs, texts[::10]) if has_theirs else {}).items():
            theirs.setdefault(name, []).append(rate)
        print(f"round {number + 1} of {asked.rounds}", file=sys.stderr, flush=True)
    show(ours, theirs)


def make_texts(n_rows: int) -> list[str]:
    """`n_rows` different sentences of 6 to 18 words."""
    rng = random.Random(0)
    words = WORDS.split()
    return [" ".join(rng.choices(words, k=rng.randrange(5, 18))).capitalize() + f" {number}." for number in range(n_rows)]


def rates_of(texts: list[str]) -> dict[str, float]:
    """Texts a second of every stage with one and with two processes, by name and number."""
    import datasets
    import pyarrow as pa

    from prepsweep.augment.aeda import aeda
    from prepsweep.augment.char_noise import char_noise
    from prepsweep.augment.word_noise import word_noise
    from prepsweep.lineage import dataset_of
    from prepsweep.schema import source_table

    datasets.disable_progress_bars()
    n_rows = len(texts)
    labels, splits = pa.repeat(pa.scalar("x"), n_rows), pa.repeat(pa.scalar("train"), n_rows)
    rows = dataset_of(source_table(pa.array(texts), labels, splits, {}))
    words: dict[str, Any] = {"seed": 0, "segmenter": "characters", "n_aug": 1}
    stages: dict[str, Callable[..., Any]] = {
        "word_noise swap": partial(word_noise, p_swap=0.1, p_delete=0.0, **words),
        "word_noise delete": partial(word_noise, p_swap=0.0, p_delete=0.1, **words),
        "word_noise both": partial(word_noise, p_swap=0.1, p_delete=0.1, **words),
        "aeda": partial(aeda, **words),
        "char_noise keyboard": partial(char_noise, seed=0, kind="keyboard", alpha=0.1, n_aug=1),
    }
    rates = {}
    for name, stage in stages.items():
        for num_proc in (1, 2):
            started, worked = time.perf_counter(), time.process_time()
            stage(rows, num_proc=num_proc)
            rates[f"{name}/{num_proc}"] = n_rows / (time.perf_counter() - started)
            if num_proc == 1:
                rates[name] = n_rows / (time.process_time() - worked)
    return rates


def their_rates(python: str, texts: list[str]) -> dict[str, float]:
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(texts, file)
        file.flush()
        done = subprocess.run([python, "-W", "ignore", "-c", THEIRS, file.name], capture_output=True, text=True, check=True)
    rates: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return rates


def show(ours: dict[str, list[float]], theirs: dict[str, list[float]]) -> None:
    print(f"{'':22}{'texts/s':>10}{'2 processes':>13}{'nlpaug':>9}{'ratio':>8}")
    for name, their_name in PAIRS.items():
        rate, one, two = (median(ours[key]) for key in (name, f"{name}/1", f"{name}/2"))
        line = f"{name:22}{rate:10,.0f}{two / one:12.2f}x"
        if theirs:
            line += f"{median(theirs[their_name]):9,.0f}{rate / median(theirs[their_name]):7.1f}x"
        print(line)


if __name__ == "__main__":
    if not (Path(__file__).parent.parent / "src").is_dir():
        raise SystemExit("run it from a checkout of prepsweep")
    main()
