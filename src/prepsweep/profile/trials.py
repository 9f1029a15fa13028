"""Which stages would do something to these rows: each is tried alone, and suggested for what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from prepsweep.errors import Refused
from prepsweep.flow import Rows, run
from prepsweep.label_kinds import kind_of, works_on
from prepsweep.lineage import table_of
from prepsweep.stages import stages_of
from prepsweep.walk import configured

if TYPE_CHECKING:
    from prepsweep.cache import Cache

# What a stage of clean answers, in the order in which they should run; those that cannot work on the labels are left out.
CLEAN = {
    "fix_labels": "labels whose class has another spelling too",
    "normalize_unicode": "texts with mojibake, odd line ends or control characters, or not in normal form C",
    "strip_markup": "texts with HTML tags or entities",
    "pii": "texts with what looks like personal data",
    "label_conflicts": "texts that are there under several labels, in rows",
    "exact_dedup": "rows that repeat the text and label of another",
    "near_dedup": "rows nearly equal to another of their class, exact copies aside",
    "drop_short": "texts of hardly a word",
    "language": "texts in another language than most",
}
# From this ratio of the largest class to the smallest on, a model does well to ignore the smallest.
IMBALANCED = 4.0
_SHARE_CUT = 0.01
# What a stage needs beside itself: the source refuses two spellings of a class unless it is told that they are meant.
_OPTIONS = {"fix_labels": " data.classes=any"}


def tried(overrides: Sequence[str], source: Rows, cache: Cache) -> dict[str, dict[str, Any]]:
    """Stage of clean → `{changed, relabelled, dropped, facts}` where it runs alone on the rows of the source.

    One that cannot be run here (its library is missing) tells why instead: `{refused}`.
    """
    others = [override for override in overrides if not override.startswith("clean=")]
    kind = kind_of(configured(["clean=none", *others]))
    names = [name for name in CLEAN if kind in works_on("clean", f"prepsweep.clean.{name}.{name}")]
    cfg = configured([f"clean=[{','.join(names)}]", *others])
    # As in a run: rows of a given dev or test file stay, and what is stored here is what a run would find.
    given = [split for split in ("dev", "test") if split in source.entry.stage["per_class"]]
    found: dict[str, dict[str, Any]] = {}
    for stage in stages_of(cfg, "clean"):
        try:
            after = run(stage, source, cache, [], given_splits=given)
        except Refused as error:
            found[stage.name] = {"refused": str(error)}
            continue
        old, new = table_of(source.dataset), table_of(after.dataset)
        was = old.take(pc.index_in(new.column("uid").combine_chunks(), old.column("uid").combine_chunks()))
        changed, relabelled = (pc.sum(pc.not_equal(was.column(name), new.column(name))).as_py() or 0 for name in ("text", "label"))
        counts = after.entry.stage
        found[stage.name] = {
            "changed": changed,
            "relabelled": relabelled,
            "dropped": sum(counts["dropped"].values()),
            "facts": counts.get("facts", {}),
        }
    return found


def suggestions_from(
    facts: Mapping[str, Any], trials: Mapping[str, Mapping[str, Any]], configured_clean: Sequence[str]
) -> list[dict[str, Any]]:
    """What to try, why, and the override to paste: `{stage, rows, why, override}`; the override is None where it is on already.

    Overrides of one group include each other's stages, so that the last of a group holds them all.
    """
    found: list[dict[str, Any]] = []
    clean = list(configured_clean)
    for name, why in CLEAN.items():
        trial = trials.get(name, {})
        n_rows, option = _foreign(trial) if name == "language" else (_touched(trial), _OPTIONS.get(name, ""))
        if name == "near_dedup":  # It would take out the exact copies too, and they need not so much.
            n_rows -= _touched(trials.get("exact_dedup", {}))
        if n_rows > 0:
            on = name in configured_clean
            clean = clean if on else sorted({*clean, name}, key=_place)
            found.append(_suggestion(f"clean.{name}", n_rows, f"{why}: {n_rows:,}", None if on else f"'clean=[{','.join(clean)}]'{option}"))
    classes, tokens = facts["classes"], facts.get("tokens")
    if facts["imbalance_ratio"] >= IMBALANCED:
        smallest = min(classes.values())
        why = f"the largest class has {facts['imbalance_ratio']:g} times the rows of the smallest; class weights or copies may help it"
        found.append(_suggestion("balance.class_weights", smallest, why, "balance=class_weights"))
    if tokens and tokens["truncated_fraction"] > _SHARE_CUT:
        length = tokens["suggested_max_length"]
        why = f"{tokens['truncated_fraction']:.1%} of the texts are longer than {tokens['max_length']} tokens and lose their end"
        rows = round(tokens["truncated_fraction"] * facts["rows"])
        found.append(_suggestion("preprocess.tokenize", rows, why, f"preprocess.tokenize.max_length={length}"))
    return found


def _touched(trial: Mapping[str, Any]) -> int:
    return int(trial.get("changed", 0) or trial.get("relabelled", 0) or trial.get("dropped", 0))


def _foreign(trial: Mapping[str, Any]) -> tuple[int, str]:
    """Rows in other languages than the most frequent, and the option that keeps this one; none where no language prevails."""
    known = {code: n for code, n in trial.get("facts", {}).get("languages", {}).items() if code != "unknown"}
    most = max(known, key=lambda code: known[code], default="")
    n_other = sum(known.values()) - known.get(most, 0)
    return (n_other, f" 'clean.language.keep=[{most}]'") if n_other and n_other < known[most] else (0, "")


def _place(name: str) -> int:
    known = list(CLEAN)
    return known.index(name) if name in known else len(known)


def _suggestion(stage: str, rows: int, why: str, override: str | None) -> dict[str, Any]:
    return {"stage": stage, "rows": rows, "why": why, "override": override}
