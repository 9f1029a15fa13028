"""The report: `report.html` for people, `report.json` for programs, `report.md` for pull requests."""

from __future__ import annotations

from pathlib import Path

from prepsweep.compare.findings import Findings
from prepsweep.compare.report.document import as_json
from prepsweep.compare.report.markdown import markdown
from prepsweep.compare.report.page import page
from prepsweep.errors import Refused
from prepsweep.publish import write_atomically

HTML_FILE, JSON_FILE, MARKDOWN_FILE = "report.html", "report.json", "report.md"


def write_report(found: Findings, folder: Path, *, command: str) -> list[Path]:
    """The three files in `folder`, each whole or not at all; `command` is what the page says it was made by."""
    made = {
        HTML_FILE: page(found, command=command).encode(),
        JSON_FILE: as_json(found),
        MARKDOWN_FILE: markdown(found).encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in made.items():
            write_atomically(folder / name, data)
    except OSError as error:
        raise Refused("--out", f"cannot write to {folder}: {error.strerror}", "name a folder that can be written with --out") from error
    return [folder / name for name in made]
