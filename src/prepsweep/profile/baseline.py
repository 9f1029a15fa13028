"""What bag-of-words reaches: the number that a fine-tuned model must beat to be worth its cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.randomness import draw_order

_MAX_ROWS = 20_000
_FOLDS = 5


def baseline(table: pa.Table) -> dict[str, Any]:
    """Accuracy and macro F1 of the most frequent class and of TF-IDF with logistic regression, cross-validated.

    Only rows that are not of a given dev or test split take part, each text once (copies in two folds would flatter
    it), at most 20,000 of them. `{refused}` where the smallest class has fewer than two such rows.
    """
    from sklearn.dummy import DummyClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    rows = table.filter(pc.invert(pc.is_in(table.column("split"), pa.array(["dev", "test"]))))
    rows = rows.take(pa.array(draw_order(rows.column("uid").to_pylist(), seed=0, stage="profile")))
    texts, first = np.unique(rows.column("text").to_numpy(), return_index=True)
    kept = np.sort(first)[:_MAX_ROWS]
    texts, labels = rows.column("text").to_numpy()[kept], rows.column("label").to_numpy()[kept].astype(str)
    smallest = int(np.unique(labels, return_counts=True)[1].min())
    if smallest < 2 or len(set(labels.tolist())) < 2:
        return {"refused": "a class has fewer than two different texts"}
    folds = StratifiedKFold(min(_FOLDS, smallest), shuffle=True, random_state=0)
    # scikit-learn's own pattern drops single letters and marks, and takes a Chinese sentence for one word.
    tokens = r"[\u3040-\u30ff\u3400-\u9fff]|\w+|[^\w\s]"
    tfidf = TfidfVectorizer(token_pattern=tokens, ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    models = {"majority": DummyClassifier(), "tfidf": make_pipeline(tfidf, LogisticRegression(max_iter=1000, C=10.0))}
    found: dict[str, Any] = {"rows": len(labels), "folds": folds.get_n_splits()}
    for name, model in models.items():
        predicted = cross_val_predict(model, texts, labels, cv=folds)
        macro = f1_score(labels, predicted, average="macro", zero_division=0.0)
        found[name] = {"accuracy": round(float(np.mean(predicted == labels)), 4), "macro_f1": round(float(macro), 4)}
    return found
