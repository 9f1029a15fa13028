"""How much of planted label noise `refine=label_errors` finds, and how much of what it suspects is noise.

    python benchmarks/label_noise.py [--rows 3000] [--seeds 3] [--noise 0 0.1 0.3] [--methods both low_normalized_margin ...]
                                     [--by encoder model] [OVERRIDE ...]

Each seed draws rows of the data set that the overrides name (film reviews, or say `data=csv data.path=trec.csv`), and
gives a fraction of them another class, all equally likely. The labels count as right before that, which no data set is: at
noise 0 the suspects are errors of the data or of the method, and precision is a lower bound.
Probabilities are by a logistic regression on embeddings (`encoder`), by the fine-tuned model itself (`model`), or by each in turn.
Texts are embedded once for all, and the model is fine-tuned once for all methods; the fits use one thread.
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prepsweep import embeddings
from prepsweep.refine import label_errors as stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.1, 0.3])
    parser.add_argument("--methods", nargs="+", default=list(stage.METHODS), choices=stage.METHODS)
    parser.add_argument("--by", nargs="+", default=["encoder"], choices=("encoder", "model"))
    parser.add_argument("overrides", nargs="*")
    asked = parser.parse_intermixed_args()
    texts, labels, arguments, model = rows_of_source(asked.rows, asked.overrides)
    remember_vectors()
    remember_trainings()
    print(f"{len(texts)} rows, {len(set(labels))} classes\n")
    print("| noise | by | method | suspected | precision | recall | suggestion right | estimated noise |")
    print("|---|---|---|---|---|---|---|---|")
    for noise, by, method in itertools.product(asked.noise, asked.by, asked.methods):
        options = arguments | {"method": method, "fine_tuned": model if by == "model" else None}
        found = [one(texts, labels, options, noise=noise, seed=seed) for seed in range(asked.seeds)]
        suspected, precision, recall, right, estimated = np.nanmean(found, axis=0) if noise else np.mean(found, axis=0)
        scores = f"{precision:.2f} | {recall:.2f} | {right:.2f}" if noise else "| | "
        print(f"| {noise:.0%} | {by} | {method} | {suspected:.0f} | {scores} | {estimated:.1%} |", flush=True)


def rows_of_source(n_rows: int, overrides: list[str]) -> tuple[list[str], NDArray[np.str_], dict[str, Any], str]:
    """Texts and labels of the source, each once, at most `n_rows`; the stage's options; the model that a run would fine-tune."""
    from prepsweep.clean.exact_dedup import exact_dedup
    from prepsweep.lineage import table_of
    from prepsweep.preflight.compose import compose_runs
    from prepsweep.preflight.resolvers import register_resolvers
    from prepsweep.stages import source_of

    register_resolvers()
    (cfg,) = compose_runs(["refine=label_errors", "refine.label_errors.action=report", *overrides], multirun=False)
    table = table_of(exact_dedup(source_of(cfg)().rows))
    table = table.filter(table.column("dropped").is_null())
    table = table.take(np.random.default_rng(0).permutation(len(table))[:n_rows])
    options = {name: value for name, value in cfg.refine.label_errors.items() if not name.startswith("_")}
    return table.column("text").to_pylist(), np.asarray(table.column("label").to_pylist()), options, cfg.model.name


def remember_vectors() -> None:
    """Embed each text once: the noise is in the labels alone."""
    embed, known = embeddings.embed, {}

    def remembered(texts: list[str], **arguments: Any) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, embed(new, **arguments), strict=True))
        return np.stack([known[text] for text in texts])

    embeddings.embed = remembered


def remember_trainings() -> None:
    """Fine-tune once for each draw of wrong labels: a method only reads the probabilities."""
    train, known = stage.cross_fine_tuned, {}

    def remembered(rows: Any, codes: NDArray[np.intp], folds: NDArray[np.intp], **options: Any) -> NDArray[np.float64]:
        key = codes.tobytes() + folds.tobytes()
        if key not in known:
            known[key] = train(rows, codes, folds, **options)
        return known[key]

    stage.cross_fine_tuned = remembered


def one(texts: list[str], labels: NDArray[np.str_], arguments: dict[str, Any], *, noise: float, seed: int) -> tuple[float, ...]:
    """Suspected rows, precision, recall, how often a found error's suggestion is the true class, the noise as estimated."""
    import pyarrow as pa

    from prepsweep.lineage import dataset_of
    from prepsweep.schema import source_table

    rng = np.random.default_rng(seed)
    classes, codes = np.unique(labels, return_inverse=True)
    wrong = rng.permutation(len(codes))[: round(noise * len(codes))]
    noisy = codes.copy()
    noisy[wrong] = (noisy[wrong] + rng.integers(1, len(classes), len(wrong))) % len(classes)
    rows = dataset_of(source_table(pa.array(texts), pa.array(classes[noisy].tolist()), pa.array(["train"] * len(texts)), {}))
    result = stage.label_errors(rows, seed=seed, **arguments)
    assert result.evidence is not None
    place = {uid: row for row, uid in enumerate(rows["uid"])}
    suspected = [place[uid] for uid in result.evidence.column("uid").to_pylist()]
    suggested = dict(zip(suspected, result.evidence.column("suggested").to_pylist(), strict=True))
    hits = set(suspected) & set(wrong.tolist())
    right = np.mean([suggested[row] == labels[row] for row in hits]) if hits else np.nan
    precision, recall = (len(hits) / max(1, len(part)) for part in (suspected, wrong))
    return len(suspected), precision, recall, float(right), result.facts["estimated_noise"]


if __name__ == "__main__":
    main()
