"""Queue the rows most worth an expert's minute, and serve a local page to decide on them."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path

from prepsweep.commands import Arguments, positive
from prepsweep.errors import Refused, nearest

_FORMATS = ("csv", "label_studio", "argilla")


def main(argv: list[str]) -> int:
    """Do one of the two actions."""
    actions = {"export": _export, "serve": _serve}
    name, *arguments = argv or [""]
    if name in ("", "-h", "--help"):
        print("usage: prepsweep review export … | prepsweep review serve …\n\nprepsweep review export --help tells more.")
        return 0 if name else 2
    if name not in actions:
        raise Refused("command line", f"no action {name!r}", nearest(name, actions))
    return actions[name](arguments)


def _export(argv: list[str]) -> int:
    """Write a queue of train rows, most wanted first."""
    arguments = Arguments("review export", "The train rows most worth an expert's minute, in a file that people can decide in.")
    arguments.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="as for train; refine.label_errors.… sets the encoder")
    arguments.add_argument("--budget", type=positive, required=True, metavar="N", help="rows to ask about")
    arguments.add_argument("--format", choices=_FORMATS, default="csv")
    arguments.add_argument("--out", type=Path, required=True, metavar="FILE")
    asked = arguments.parse(argv)
    _refuse_bad_place(asked.out)
    from prepsweep.publish import write_atomically
    from prepsweep.review.files import written
    from prepsweep.review.label_studio import interface
    from prepsweep.review.queue import classes_of, queue_of, train_rows, vectors_of

    cfg, table = train_rows(asked.overrides)
    options = cfg.refine.label_errors
    vectors = vectors_of(table, cfg)
    queue = queue_of(table, vectors, budget=asked.budget, seed=cfg.seeds.data, n_folds=options.n_folds, penalty=options.penalty)
    classes = classes_of(table, cfg)
    write_atomically(asked.out, written(queue, classes, form=asked.format))
    print(f"{len(queue):,} of {len(table):,} train rows: {asked.out}")
    for reason in sorted(set(queue.column("reason").to_pylist())):
        print(f"  {queue.column('reason').to_pylist().count(reason):,}: {reason}")
    if asked.format == "label_studio":
        print(f"labelling interface:\n{interface(queue, classes)}")
    return 0


def _serve(argv: list[str]) -> int:
    """Serve the page until Ctrl-C; each person has an address of their own."""
    arguments = Arguments("review serve", "A page on this machine to go through a queue; decisions are kept in a file beside it.")
    arguments.add_argument("file", type=Path, metavar="FILE", help="a CSV queue of prepsweep review export")
    arguments.add_argument("--port", type=_port, default=0, help="a free one without it")
    arguments.add_argument("--reviewer", action="append", metavar="NAME", help="may be given twice: neither sees what the other decides")
    arguments.add_argument("--adjudicator", metavar="NAME", help="is shown the rows on which the reviewers disagree")
    asked = arguments.parse(argv)
    from prepsweep.review.server import Server
    from prepsweep.review.session import opened

    with opened(asked.file, reviewers=asked.reviewer or ["reviewer"], adjudicator=asked.adjudicator) as session:
        server = Server(session, port=asked.port, tokens={secrets.token_urlsafe(24): person for person in session.people})
        for address, person in server.addresses.items():
            print(f"{person.name} ({person.role}): {address}", flush=True)
        print(f"decisions: {session.journal.path}; Ctrl-C stops", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped; the same command goes on")
        finally:
            server.server_close()
    return 0


def _refuse_bad_place(out: Path) -> None:
    if out.exists():
        raise Refused("--out", f"{out} is there already, maybe with decisions in it", "name another file, or move it away")
    if not out.parent.is_dir():
        raise Refused("--out", f"there is no folder {out.parent}", "make it, or name another file")


def _port(value: str) -> int:
    if not value.isdecimal() or int(value) > 65535:
        raise argparse.ArgumentTypeError(f"must be a number up to 65535, got {value!r}")
    return int(value)
