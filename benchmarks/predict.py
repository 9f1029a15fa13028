"""How fast `prepsweep predict` is beside its model alone on the same batches, and the memory it takes as files grow.

    OMP_NUM_THREADS=1 python benchmarks/predict.py --width 128 --rows 10000
    OMP_NUM_THREADS=1 python benchmarks/predict.py --width 16 --rows 100000 1000000

A BERT of two layers with random weights, and made-up texts of 3 to 60 words. The bare model is timed inside the command, call by
call. Memory is the peak of a process that predicts a CSV file of so many rows: of the larger ones with a model that takes no time.
"""

from __future__ import annotations

import argparse
import inspect
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WORDS = [f"word{n}" for n in range(2000)]


def make_model(folder: Path, width: int) -> None:
    """A checkpoint with a word-level tokenizer over the made-up words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))  # noqa: S106 - no secret
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    sizes = {
        "hidden_size": width,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 4 * width,
        "max_position_embeddings": 128,
    }
    BertForSequenceClassification(BertConfig(vocab_size=len(names), **sizes)).save_pretrained(folder)


def make_rows(path: Path, n_rows: int) -> None:
    rng = random.Random(0)
    texts = [" ".join(rng.choices(WORDS, k=rng.randrange(3, 61))) for _ in range(5000)]
    with path.open("w", encoding="utf-8") as file:
        file.write("id,text\n")
        file.writelines(f"{n},{texts[n % len(texts)]}\n" for n in range(n_rows))


def measured(model: Path, file: Path) -> dict[str, Any]:
    """One process: seconds of the command after its imports, those of the model in it, and the peak of memory."""
    from prepsweep.predict.files import predict_file
    from prepsweep.predict.model import Predictor, model_folder
    from prepsweep.predict.rows_in import Given
    from prepsweep.record import peak_rss_mb

    predictor = Predictor.of(model_folder(model), device="cpu", precision="32-true", batch_size=32)
    bare, before, forward = 0.0, peak_rss_mb(), predictor.model.forward

    def timed(*args: Any, **given: Any) -> Any:
        nonlocal bare
        started = time.perf_counter()
        try:
            return forward(*args, **given)
        finally:
            bare += time.perf_counter() - started

    timed.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    predictor.model.forward = timed  # type: ignore[method-assign]
    started = time.perf_counter()
    counts = predict_file(predictor, Given(file, "text", None, False, frozenset(predictor.columns)), file.with_suffix(".out.csv"))
    return {"rows": counts.n_rows, "seconds": time.perf_counter() - started, "bare": bare, "start_mb": before, "peak_mb": peak_rss_mb()}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, nargs="+", default=[10_000])
    arguments.add_argument("--width", type=int, default=128)
    arguments.add_argument("--one", nargs=2, type=Path)
    asked = arguments.parse_args()
    if asked.one:
        print(json.dumps(measured(*asked.one)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder / "model", asked.width)
        for n_rows in asked.rows:
            make_rows(folder / "rows.csv", n_rows)
            command = [sys.executable, __file__, "--one", str(folder / "model"), str(folder / "rows.csv")]
            found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            speed, bare = found["rows"] / found["seconds"], found["rows"] / found["bare"]
            print(f"{found['rows']:>9,} rows: {speed:,.0f} texts/s, the bare model {bare:,.0f} ({speed / bare:.0%})", end="; ")
            print(f"{found['peak_mb']:.0f} MB, of which {found['start_mb']:.0f} before the first row", flush=True)


if __name__ == "__main__":
    main()
