"""Rows a second of the cleaning stages that go over every text, against the library below them and with two processes.

    python benchmarks/cleaning_text.py [--rows 100000] [--rounds 3] [--processes 2] [--stage language ...]

The rows are film reviews and plot summaries of the shipped data set, repeated to the number asked for; every seventh has
what the stages look for (a tag, an emoji, a phone number, an address). Stage, library and processes take turns; the table
holds medians. Rows a second and the ratio to the library (the stage's speed divided by that of a loop over the same texts) are
by processor time, so that a busy machine does not blur them; what several processes gain is by the clock, so take it on a quiet one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import datasets
import pyarrow as pa
from omegaconf import DictConfig

from prepsweep.lineage import dataset_of, table_of
from prepsweep.preflight.compose import compose_runs
from prepsweep.preflight.resolvers import register_resolvers
from prepsweep.schema import source_table
from prepsweep.stages import Stage, source_of, stages_of

STAGES = ("language", "pii", "quality", "html", "emoji", "contractions", "strip_markup", "normalize_unicode")
ADDED = (
    "<p>It's <b>really</b> good &amp; fun.<br />Don't miss it!</p>",
    "Loved it 👍🏽👍🏽 — can’t wait for more 😍",
    "Write to bob.smith@example.org or call (212) 736-5000, order no. 2127365001.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--stage", nargs="+", choices=STAGES, default=list(STAGES))
    asked = parser.parse_args()
    datasets.disable_progress_bars()
    register_resolvers()
    rows = make_rows(asked.rows)
    texts = table_of(rows).column("text").to_pylist()
    print(f"{len(texts):,} rows of {sum(map(len, texts)) / len(texts):.0f} characters, medians of {asked.rounds} rounds")
    print(f"{'stage':<18}{'rows/s':>10}{'to library':>12}{f'{asked.processes} processes':>14}")
    for name in asked.stage:
        one, several = (stage_of(name, num_proc) for num_proc in (1, asked.processes))
        library = LIBRARIES[name]() if name in LIBRARIES else None
        one(rows.select(range(100)))  # Models and tables are loaded once.
        taken: dict[str, list[tuple[float, float]]] = {"one": [], "several": [], "library": []}
        for _ in range(asked.rounds):
            taken["one"].append(timed(partial(one, rows)))
            taken["several"].append(timed(partial(several, rows)))
            if library:
                taken["library"].append(timed(partial(each, library, texts)))
        (clock, processor), (several_clock, _) = middle(taken["one"]), middle(taken["several"])
        ratio = f"{middle(taken['library'])[1] / processor:.2f}x" if library else "-"
        print(f"{name:<18}{len(texts) / processor:>10,.0f}{ratio:>12}{clock / several_clock:>13.2f}x", flush=True)


def make_rows(n_rows: int) -> datasets.Dataset:
    """`n_rows` of the shipped film texts, every seventh with something to clean."""
    found: list[str] = table_of(source_of(configuration("none"))().rows).column("text").to_pylist()
    texts = [f"{found[i % len(found)]} {ADDED[i // 7 % len(ADDED)] if i % 7 == 0 else i}" for i in range(n_rows)]
    columns = (pa.array(texts), pa.repeat(pa.scalar("x"), n_rows), pa.repeat(pa.scalar(""), n_rows))
    return dataset_of(source_table(*columns, {}))


def configuration(stage: str, num_proc: int = 1) -> DictConfig:
    return compose_runs([f"clean={stage}", f"runtime.num_proc={num_proc}"], multirun=False)[0]


def stage_of(name: str, num_proc: int) -> Stage:
    """The stage as its YAML has it."""
    (stage,) = stages_of(configuration(name, num_proc), "clean")
    return stage


def timed(function: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the clock and by this process's processor time."""
    clock, processor = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - clock, time.process_time() - processor


def middle(taken: list[tuple[float, float]]) -> tuple[float, float]:
    return median(clock for clock, _ in taken), median(processor for _, processor in taken)


def each(function: Callable[[str], Any], texts: list[str]) -> None:
    for text in texts:
        function(text)


def _py3langid() -> Callable[[str], Any]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    classify: Callable[[str], Any] = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True).classify
    return classify


def _phonenumbers() -> Callable[[str], Any]:
    from phonenumbers import PhoneNumberMatcher

    return lambda text: [list(PhoneNumberMatcher(text, region)) for region in ("US", "GB")]


def _lexbor() -> Callable[[str], Any]:
    from selectolax.lexbor import LexborHTMLParser

    return lambda text: LexborHTMLParser(text).text()


def _demojize() -> Callable[[str], Any]:
    from emoji import demojize

    return demojize


def _ftfy() -> Callable[[str], Any]:
    from ftfy import fix_text

    fix: Callable[[str], Any] = fix_text
    return fix


LIBRARIES: dict[str, Callable[[], Callable[[str], Any]]] = {
    "language": _py3langid,
    "pii": _phonenumbers,
    "html": _lexbor,
    "emoji": _demojize,
    "normalize_unicode": _ftfy,
}

if __name__ == "__main__":
    main()
