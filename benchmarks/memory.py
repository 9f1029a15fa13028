"""Peak memory and time of each stage that needs no model, on short rows made here, each in a process of its own.

    python benchmarks/memory.py [--rows 2000000] [--only clean.pii augment.eda ...] [--timeout 900] [--out benchmarks/memory.json]

The rows lie in an Arrow file and are memory-mapped, as the cache hands them to a stage; of the peak, `idle` is the
interpreter with its libraries and the rows mapped, before the stage. `settled` adds the check and the ledger of the pipeline.
Targets for two million rows: 2 GB, near_dedup 4 GB. An augmentation makes one row of each.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

# A stage with one of these parameters runs a model, or a program that may not be there.
NEEDS_MODEL = {"checkpoint", "judge", "masked_lm", "paraphraser", "forward", "translator", "base_url"}
NO_MODEL_AFTER_ALL = {"preprocess.tokenize"}
TARGET_MB = {"clean.near_dedup": 4000}
OVERRIDES = {
    "augment.eda": ["augment.eda.n_aug=1"],
    "augment.aeda": ["augment.aeda.n_aug=1"],
    "augment.antonym": ["augment.antonym.allow_label_change=true"],
    "augment.one_of": ["augment.one_of.stages.second.n_aug=1"],
    # By the edit distance, without the encoder.
    "augment.keep_if": ["augment.keep_if.min_similarity=null", "augment.keep_if.min_edit=0.05"],
}
WORDS = (
    "the a this that of to in with for and but so very film movie story plot actor scene music ending script role good bad great dull "
    "funny sad bright dark slow fast long short old new young happy angry quiet loud strange simple clever weak strong man woman child "
    "friend brother town city house road car train money job war love death dream secret night day year moment watch see find make take "
    "give tell think feel know want need like hate laugh cry run walk fight kill save lose win begin end"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--only", nargs="+", default=None)
    parser.add_argument("--timeout", type=float, default=900)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--stage", nargs=2, metavar=("GROUP.OPTION", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.stage:
        print(json.dumps(measured(asked.stage[0], Path(asked.stage[1]))))
        return
    found = []
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own too: Linux counts the peak of a parent for its children.
        writer = get_context("spawn").Process(target=write_rows, args=(Path(folder), asked.rows))
        writer.start()
        writer.join()
        print(f"{asked.rows:,} rows\n\n| stage | idle MB | stage MB | settled MB | seconds | rows out | target |")
        print("|---|---|---|---|---|---|---|")
        for name in asked.only or model_free():
            found.append({"stage": name} | in_a_process(name, folder, asked.timeout))
            print(shown(found[-1]), flush=True)
    if asked.out:
        asked.out.write_text(json.dumps({"rows": asked.rows, "stages": found}, indent=1) + "\n")


def model_free() -> list[str]:
    """`group.option` of the stages that need no model."""
    from prepsweep.commands.catalogue import options_of
    from prepsweep.stages import PREPARATION

    found = []
    for group in PREPARATION:
        for option in options_of(group):
            name, keys = f"{group}.{option.file.stem}", {key.rpartition(".")[2] for key in option.keys}
            is_stage = option.header[0] == f"@package {name}"
            if is_stage and (not keys & NEEDS_MODEL or name in NO_MODEL_AFTER_ALL):
                found.append(name)
    return found


def write_rows(folder: Path, n_rows: int) -> None:
    """The same rows without a split, as train rows, and with splits given; of 8 words in the mean, 2% of them twice."""
    import pyarrow as pa

    from prepsweep.schema import source_table

    rng, words = np.random.default_rng(0), np.array(WORDS.split())
    lengths = rng.integers(3, 14, n_rows)
    flat = words[rng.integers(0, len(words), int(lengths.sum()))].tolist()
    ends = np.cumsum(lengths).tolist()
    marks = ["", "!", " 👍🏽", " <b>so</b>", " a@b.org", " 很好", " It's & won't"]
    texts = [
        " ".join(flat[end - length : end]) + marks[mark]
        for length, end, mark in zip(lengths.tolist(), ends, rng.integers(0, len(marks), n_rows).tolist(), strict=True)
    ]
    for row in rng.integers(0, n_rows, n_rows // 50):
        texts[row] = texts[row - 1]
    labels = pa.array(np.array(["fresh", "rotten", "plot"])[rng.choice(3, n_rows, p=[0.5, 0.3, 0.2])].tolist())
    no_split = pa.repeat(pa.scalar(""), n_rows)
    table = source_table(pa.array(texts), labels, no_split, {})
    place = table.column_names.index("split")
    group = pa.array([f"g{row // 4}" for row in range(n_rows)])
    parts = {
        "unsplit": table,
        "train": table.set_column(place, "split", pa.repeat(pa.scalar("train"), n_rows)),
        "given": table.set_column(place, "split", pa.array(np.array(["train", "dev", "test"])[np.arange(n_rows) % 3].tolist())),
        "grouped": table.append_column("group", group),
    }
    for name, part in parts.items():
        with (folder / f"{name}.arrow").open("wb") as file, pa.ipc.new_stream(file, part.schema) as writer:
            writer.write_table(part.combine_chunks())


def in_a_process(name: str, folder: str, timeout: float) -> dict[str, Any]:
    """What `measured` says in a new process; else why it said nothing."""
    command = [sys.executable, __file__, "--stage", name, folder]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done in {timeout:.0f} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measured(name: str, folder: Path) -> dict[str, Any]:
    """Peak memory of this process before the stage, after it and after the pipeline's check of it."""
    from datasets import Dataset

    from prepsweep.lineage import settle
    from prepsweep.preflight.compose import compose_runs
    from prepsweep.preflight.resolvers import register_resolvers
    from prepsweep.stages import stages_of

    register_resolvers()
    group, _, option = name.partition(".")
    (cfg,) = compose_runs([f"{group}={option}", *OVERRIDES.get(name, [])], multirun=False)
    (stage,) = stages_of(cfg, group)
    kind = {"predefined": "given", "grouped": "grouped"}.get(option, "unsplit" if group in ("clean", "annotate", "split") else "train")
    rows = Dataset.from_file(str(folder / f"{kind}.arrow"))
    idle, started = peak_mb(), time.perf_counter()
    result = stage(rows)
    seconds, after = time.perf_counter() - started, peak_mb()
    settled = settle(rows, result.rows, stage=stage.where, group=group)
    return {"idle": idle, "stage_mb": after, "settled_mb": peak_mb(), "seconds": round(seconds, 1), "rows_out": settled.counts["rows_out"]}


def peak_mb() -> int:
    """The most memory that this process has had so far."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / (1024 * 1024 if sys.platform == "darwin" else 1024))


def shown(found: dict[str, Any]) -> str:
    if "failed" in found:
        return f"| {found['stage']} | | | | | | {found['failed'][:200]} |"
    target = TARGET_MB.get(found["stage"], 2000)
    met = "met" if found["stage_mb"] <= target else f"missed ({target})"
    return "| {stage} | {idle} | {stage_mb} | {settled_mb} | {seconds} | {rows_out:,} | ".format(**found) + f"{met} |"


if __name__ == "__main__":
    main()
