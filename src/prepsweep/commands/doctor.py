"""Check this machine and, with overrides, the command that they would be: all that is wrong at once, and nothing is run."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from prepsweep.commands import Arguments
from prepsweep.errors import Refused
from prepsweep.preflight import check, check_configurations
from prepsweep.preflight.collected import further_errors
from prepsweep.preflight.compose import compose_runs
from prepsweep.preflight.machine import Finding, findings
from prepsweep.preflight.resolvers import register_resolvers

_TWICE = "Whether it gives the same results twice: prepsweep train --check-determinism OVERRIDE …"


def main(argv: list[str]) -> int:
    """Print what was found, a line each, and every error; 0 where there is none, else 2."""
    arguments = Arguments("doctor", f"What this machine has, and whether a command would be refused. {_TWICE}")
    arguments.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="a command to check, such as data=csv data.path=reviews.csv")
    arguments.add_argument("-m", "--multirun", action="store_true", help="check it as a sweep")
    arguments.add_argument("--full", action="store_true", help="import torch too, and say what it would train with")
    asked = arguments.parse(argv)
    register_resolvers()
    (defaults,) = compose_runs(["augment=synonym"], multirun=False)
    found = findings(Path(defaults.paths.cache_dir), Path(defaults.augment.synonym.wordnet_dir), full=asked.full)
    errors = [f"{one.name}: {one.what}. fix: {one.fix}" for one in found if one.is_error]
    if asked.overrides or asked.multirun:
        refused = _refused(asked.overrides, multirun=asked.multirun)
        what = f"{len(refused)} to mend, see below" if refused else "would run"
        found.append(Finding("command", what, "see below" if refused else "", is_error=bool(refused)))
        errors += map(str, refused)
    width = max(len(one.name) for one in found)
    for one in found:
        sign = "✗" if one.is_error else "·" if one.fix else "✓"
        hint = f" ({one.fix})" if one.fix and not one.is_error else ""
        print(f"{sign} {one.name:{width}}  {one.what}{hint}")
    sys.stdout.flush()
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    return 2 if errors else 0


def _refused(overrides: list[str], *, multirun: bool) -> list[Refused]:
    """Everything that the command would be refused for; what is prepared to find out is not kept."""
    try:
        check(overrides, multirun=multirun, keep=False)
    except Refused as error:
        return further_errors(error, overrides, partial(check_configurations, multirun=multirun))
    return []
