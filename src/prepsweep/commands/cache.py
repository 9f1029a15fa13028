"""List what is prepared and stored, explain why a stage ran again, verify or remove entries."""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from prepsweep.cache import is_whole
from prepsweep.cache_contents import Stored, prune, remove, remove_leftovers, stored_entries
from prepsweep.commands import Arguments, console
from prepsweep.errors import Refused
from prepsweep.identity import identity_behind
from prepsweep.key_changes import Change, nearest
from prepsweep.planning import Planned, planned
from prepsweep.preflight.compose import compose_runs
from prepsweep.preflight.resolvers import register_resolvers
from prepsweep.progress import track
from prepsweep.record import RECORD_FILE, read_record
from prepsweep.visible import cut
from prepsweep.walk import configured, stage_named, where_of

_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_KEY_DIGITS = 12
_VALUE_CHARACTERS = 60


def main(argv: list[str]) -> int:
    """Do one of the five actions on the cache that the overrides name: that of all commands, where there are none."""
    arguments = Arguments("cache", "What is prepared and stored: list it, explain it, verify it, remove it, say where it is.")
    arguments.add_argument("action", choices=tuple(_ACTIONS), metavar="ls | explain | verify | prune | where")
    arguments.add_argument("targets", nargs="*", metavar="OVERRIDE", help="explain: a run, or STAGE and overrides; else paths.cache_dir=…")
    arguments.add_argument("--delete", action="store_true", help="verify: remove the entries that are damaged")
    arguments.add_argument("--older-than", type=_age, metavar="30d", help="prune: entries that nobody used for so long (m, h, d, w)")
    arguments.add_argument("--max-size", type=_size, metavar="10G", help="prune: the longest unused, until so much is left (K, M, G, T)")
    asked = arguments.parse(argv)
    for option, action in (("delete", "verify"), ("older_than", "prune"), ("max_size", "prune")):
        if getattr(asked, option) not in (None, False) and asked.action != action:
            name = option.replace("_", "-")
            raise Refused(f"--{name}", f"is an option of {action}, not of {asked.action}", f"prepsweep cache {action} --{name}")
    register_resolvers()
    return _ACTIONS[asked.action](asked)


def _list(asked: argparse.Namespace) -> int:
    folder = _cache_dir(asked.targets)
    entries = stored_entries(folder)
    table = Table(box=None, pad_edge=False)
    for name in ("stage", "rows", "size", "made", "last used", "key"):
        table.add_column(name, justify="right" if name in ("rows", "size") else "left")
    for entry in entries:
        rows = "" if entry.n_rows is None else f"{entry.n_rows:,}"
        key = entry.folder.name[:_KEY_DIGITS]
        table.add_row(cut(entry.where, 60), rows, in_bytes(entry.n_bytes), _ago(entry.made), _ago(entry.used), key)
    out = console()
    if entries:
        out.print(table)
    out.print(f"{len(entries):,} entries, {in_bytes(sum(entry.n_bytes for entry in entries))}: {folder}", soft_wrap=True)
    return 0


def _verify(asked: argparse.Namespace) -> int:
    """0 where every entry is whole, 1 where one is not and stays."""
    entries = stored_entries(_cache_dir(asked.targets))
    damaged = [entry for entry in track(entries, "verifying") if not is_whole(entry.folder)]
    out, n_left = console(), 0
    for entry in damaged:
        gone = asked.delete and remove(entry.folder, entry.folder)
        n_left += not gone
        out.print(f"{'removed' if gone else 'damaged'}: {cut(entry.where, 60)} {entry.folder}", soft_wrap=True)
    advice = "; it is never read, and made again when it is needed: --delete removes it" if n_left else ""
    out.print(f"{len(entries) - len(damaged):,} whole, {len(damaged):,} damaged{advice}", soft_wrap=True)
    return int(n_left > 0)


def _prune(asked: argparse.Namespace) -> int:
    if asked.older_than is None and asked.max_size is None:
        raise Refused("command line", "nothing says what may go", "add --older-than=30d or --max-size=10G")
    folder = _cache_dir(asked.targets)
    since = None if asked.older_than is None else time.time() - asked.older_than
    gone = prune(folder, unused_since=since, max_bytes=asked.max_size)
    n_leftovers = remove_leftovers(folder)
    left = stored_entries(folder)
    sizes = [in_bytes(sum(entry.n_bytes for entry in entries)) for entries in (gone, left)]
    said = f"removed {len(gone):,} entries, {sizes[0]}, and {n_leftovers:,} leftovers; {len(left):,} entries, {sizes[1]}, stay: {folder}"
    console().print(said, soft_wrap=True)
    return 0


def _where(asked: argparse.Namespace) -> int:
    print(_cache_dir(asked.targets).absolute())
    return 0


def _explain(asked: argparse.Namespace) -> int:
    if not asked.targets:
        raise Refused("command line", "nothing to explain", "name a run's folder, or a stage (augment.eda) and its overrides")
    first, *overrides = asked.targets
    if (Path(first) / RECORD_FILE).is_file():
        lines = _of_run(Path(first))
    elif "=" in first:
        raise Refused("command line", f"{first!r} is an override: which stage is meant?", "put its name first, such as augment.eda")
    else:
        lines = _of_stage(first, overrides)
    out = console()
    for line in lines:
        out.print(line, soft_wrap=True)
    return 0


def _of_stage(word: str, overrides: list[str]) -> Iterator[str]:
    """The stage and those before it, as they would be prepared now."""
    cfg = configured(overrides)
    steps = {step.key: step for step in planned(cfg)}
    wanted = stage_named(word, [step.stage.where for step in steps.values()])
    entries = stored_entries(Path(cfg.paths.cache_dir))
    stored = {entry.folder.name: entry for entry in entries}
    needed = {above.key for step in steps.values() if step.stage.where == wanted for above in _chain(step, steps)}
    for key, step in steps.items():
        if key in needed:
            name = step.stage.where + (f" of {step.split}" if step.split and step.stage.group == "preprocess" else "")
            if key in stored:
                yield f"{name}: stored, made {_ago(stored[key].made)} ({key[:_KEY_DIGITS]})"
            else:
                identity = identity_behind(key)
                assert identity is not None
                yield from _told(name, step.stage.where, identity, entries)


def _chain(step: Planned, steps: dict[str, Planned]) -> Iterator[Planned]:
    yield step
    if step.parent is not None:
        yield from _chain(steps[step.parent], steps)


def _of_run(run_dir: Path) -> Iterator[str]:
    """Each stage of a run as it was when the run prepared it."""
    record = read_record(run_dir)
    if record is None:
        raise Refused(str(run_dir / RECORD_FILE), "is no record of a run", "name another run")
    if "data" not in record:
        raise Refused(str(run_dir), f"the run {record['status']} before its rows were prepared", "name another run")
    entries = stored_entries(Path(record["config"]["paths"]["cache_dir"]))
    stored = {entry.folder.name: entry for entry in entries}
    for stage in record["data"]["stages"]:
        where = where_of(stage["group"], stage["name"])
        name = where + (f" of {stage['split']}" if stage["split"] and stage["group"] == "preprocess" else "")
        entry = stored.get(stage["key"])
        if stage["cached"]:
            yield f"{name}: was stored before"
        elif entry is None or (identity := entry.identity()) is None:
            yield f"{name}: computed in {stage['seconds']:.1f} s; its entry is gone, and with it what its key was made of"
        else:
            earlier = [one for one in entries if one.made < entry.made and one is not entry]
            yield from _told(f"{name}: computed in {stage['seconds']:.1f} s", where, identity, earlier)


def _told(name: str, where: str, identity: dict[str, Any], entries: list[Stored]) -> Iterator[str]:
    found = nearest(identity, [entry for entry in entries if entry.where == where])
    if found is None:
        yield f"{name}: nothing stored of {where} to compare it with"
        return
    entry, differs = found
    yield f"{name}: unlike the nearest that is stored ({entry.folder.name[:_KEY_DIGITS]}, made {_ago(entry.made)}) in"
    yield from (f"  {_in_words(change, where)}" for change in differs)


def _in_words(change: Change, where: str) -> str:
    kind, _, name = change.part.partition(".")
    if kind == "parent":
        return "the rows it is given: see the stage before it"
    if kind == "source":
        return f"the code of {name}: " + ("new" if change.before is None else "no longer used" if change.now is None else "edited")
    if kind == "files":
        return f"the content of {name}" + (": new" if change.before is None else ": no longer read" if change.now is None else "")
    what = {"config": f"{where}.{name}", "versions": f"the version of {name}"}.get(kind, kind)
    return f"{what}: {_shown(change.before)} → {_shown(change.now)}"


def _shown(value: Any) -> str:
    return "nothing" if value is None else cut(json.dumps(value, ensure_ascii=False), _VALUE_CHARACTERS)


def _cache_dir(overrides: list[str]) -> Path:
    (cfg,) = compose_runs(overrides, multirun=False)
    return Path(cfg.paths.cache_dir)


def _age(text: str) -> float:
    """Seconds of `30d`, for argparse."""
    return _number(text, _SECONDS, "an age such as 30d")


def _size(text: str) -> float:
    """Bytes of `10G`, for argparse."""
    return _number(text.upper().removesuffix("B"), _BYTES, "a size such as 10G")


def _number(text: str, units: dict[str, int], what: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]?)", text)
    if found is None or found[2] not in units:
        raise argparse.ArgumentTypeError(f"must be {what} ({', '.join(filter(None, units))}), got {text!r}")
    return float(found[1]) * units[found[2]]


def in_bytes(n_bytes: int) -> str:
    """A size for people, in powers of ten."""
    unit = next(unit for unit, one in reversed(_BYTES.items()) if n_bytes >= one or not unit)
    return f"{n_bytes} B" if not unit else f"{n_bytes / _BYTES[unit]:.1f} {unit}B"


def _ago(then: float) -> str:
    seconds = max(0.0, time.time() - then)
    unit, one = next(((unit, one) for unit, one in reversed(_SECONDS.items()) if seconds >= one), ("s", 1))
    return f"{int(seconds / one)} {unit} ago"


_ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "ls": _list,
    "explain": _explain,
    "verify": _verify,
    "prune": _prune,
    "where": _where,
}
