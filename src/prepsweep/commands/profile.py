"""Report what is in a data set before anything is done to it, and which stages to try."""

from __future__ import annotations

from pathlib import Path

from prepsweep.cache import Cache
from prepsweep.commands import Arguments, console
from prepsweep.errors import Refused
from prepsweep.flow import run
from prepsweep.label_kinds import kind_of
from prepsweep.lineage import table_of
from prepsweep.profile import facts_of, suggestions_from, tried
from prepsweep.profile.terminal import print_profile
from prepsweep.profile.tokens import token_facts
from prepsweep.publish import write_atomically
from prepsweep.schema import ONE_CLASS
from prepsweep.stages import source_of
from prepsweep.walk import configured


def main(argv: list[str]) -> int:
    """Print the facts of the configured data, and write them as a page where --html says so."""
    arguments = Arguments("profile", "What is in a data set, before anything is done to it.")
    arguments.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="such as data=csv data.path=reviews.csv")
    arguments.add_argument("--html", type=Path, metavar="FILE", help="write the report as one HTML file too")
    arguments.add_argument("--baseline", action="store_true", help="cross-validate TF-IDF with logistic regression")
    asked = arguments.parse(argv)
    overrides = _reading_any_class(asked.overrides)
    cfg = configured(overrides)
    if asked.html and not asked.html.parent.is_dir():
        raise Refused("--html", f"there is no folder {asked.html.parent}", "make it, or name another file")
    cache = Cache(Path(cfg.paths.cache_dir), deferred=True)
    source = run(source_of(cfg), None, cache, [])
    table = table_of(source.dataset).combine_chunks()
    facts = facts_of(table) | {"tokens": token_facts(table, cfg), "stages": tried(overrides, source, cache)}
    if asked.baseline:
        if (kind := kind_of(cfg)) != ONE_CLASS:
            raise Refused("--baseline", f"classifies texts of one class, and these rows have {kind}", "leave it out")
        from prepsweep.profile.baseline import baseline

        facts["baseline"] = baseline(table)
    facts["languages"] = facts["stages"].get("language", {}).get("facts", {}).get("languages", {})
    facts["suggestions"] = suggestions_from(facts, facts["stages"], [str(name) for name in cfg.clean])
    facts["overrides"] = asked.overrides
    cache.flush()
    print_profile(facts, console())
    if asked.html:
        from prepsweep.profile.page import page

        write_atomically(asked.html, page(facts).encode())
        print(f"\nwritten: {asked.html}")
    return 0


def _reading_any_class(overrides: list[str]) -> list[str]:
    """The overrides, with two spellings of a class accepted by the source: a profile reports them."""
    data = configured(overrides).data
    return [*overrides, "data.classes=any"] if "classes" in data and data.classes is None else overrides
