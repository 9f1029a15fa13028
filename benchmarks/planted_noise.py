"""Two real studies whose answer is known: label noise that can be cured, and a choice that changes nothing but luck.

    python benchmarks/planted_noise.py [--rows 2000] [--noise 0.2] [--seeds 5] [--out outputs/planted_noise] [OVERRIDE ...]

`noise`: film reviews of which a fraction of the train file has another class, all equally likely, while the test file is as it
was; `refine=label_errors` must be said to help. `same` (an A/A study): the same rows with right labels, one of them twice, and
`clean=exact_dedup`. The arms have the same seeds and differ by one row of thousands, but the order of the batches depends on the
number of rows, so that this luck is drawn anew. It must not be said to help or hurt, as it may in one of twenty such studies
(docs/statistics.md). Prints the commands as it runs them; the exit code is 1 where a verdict is wrong.
The encoder is frozen by default (`model=minilm_probe`, minutes); `model=minilm budget.epochs=4` and the like go after the options.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from against_trainer import ROOT
from label_noise import rows_of_source

ANSWERS = {"noise": ("helps",), "same": ("equivalent", "no evidence", "needs more seeds")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--noise", type=float, default=0.2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("outputs/planted_noise"))
    parser.add_argument("overrides", nargs="*")
    asked = parser.parse_intermixed_args()
    out = asked.out.resolve()
    write_rows(out, n_train=asked.rows, n_test=asked.rows, noise=asked.noise)
    arms = {"noise": "refine=none,label_errors", "same": "clean=none,exact_dedup"}
    wrong = []
    for name, arm in arms.items():
        files = [f"data.path={out / f'{name}.jsonl'}", f"data.test_path={out / 'test.jsonl'}"]
        places = [f"paths.multirun_dir={out}", f"paths.cache_dir={out / 'cache'}", "logger=none", f"study={name}"]
        model = ["model=minilm_probe", "budget.epochs=20", *asked.overrides]
        run("train.py", "-m", arm, f"seed=range({asked.seeds})", "data=jsonl", *files, *model, *places)
        (found,) = compared(out / name)
        effect = found["effect"]
        interval = f"{100 * effect['estimate']:+.2f} points ({100 * effect['low']:+.2f} to {100 * effect['high']:+.2f})"
        print(f"{name}: {found['factor']}={found['choice']} {found['verdict']}: {interval}, p {found['p_adjusted']:.2g}\n", flush=True)
        wrong += [name] if found["verdict"] not in ANSWERS[name] else []
    sys.exit(f"wrong verdict: {', '.join(wrong)}" if wrong else 0)


def write_rows(out: Path, *, n_train: int, n_test: int, noise: float) -> None:
    """`noise.jsonl`, `same.jsonl` and `test.jsonl` in `out`; the test rows are in neither of the others."""
    texts, labels, *_ = rows_of_source(n_train + n_test, ["data=rotten_tomatoes"])
    out.mkdir(parents=True, exist_ok=True)
    train, right = texts[:n_train], labels[:n_train]
    write(out / "noise.jsonl", train, flipped(right, noise))
    write(out / "same.jsonl", [*train, train[0]], [*right, right[0]])
    write(out / "test.jsonl", texts[n_train:], labels[n_train:])


def flipped(labels: NDArray[np.str_], fraction: float) -> NDArray[np.str_]:
    """The labels, a fraction of them another class."""
    rng = np.random.default_rng(0)
    classes, codes = np.unique(labels, return_inverse=True)
    wrong = rng.permutation(len(codes))[: round(fraction * len(codes))]
    codes[wrong] = (codes[wrong] + rng.integers(1, len(classes), len(wrong))) % len(classes)
    return classes[codes]


def write(file: Path, texts: Sequence[str], labels: Sequence[str] | NDArray[np.str_]) -> None:
    rows = [json.dumps({"text": text, "label": str(label)}, ensure_ascii=False) for text, label in zip(texts, labels, strict=True)]
    file.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def compared(study: Path) -> list[dict[str, Any]]:
    """The contrasts of the study."""
    run("compare.py", str(study))
    return list(json.loads((study / "compare" / "report.json").read_text(encoding="utf-8"))["contrasts"])


def run(*command: str) -> None:
    print("$ python", shlex.join(command), flush=True)
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
