"""The end of a run as a picture for the README.

python docs/picture.py outputs/DATE/RUN docs/run.svg
"""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from prepsweep.tasks.losses import cross_entropy
from prepsweep.tasks.text_classification import TextClassification
from prepsweep.terminal import show_run


def main(run_dir: Path, picture: Path) -> None:
    record = json.loads((run_dir / "run.json").read_bytes())
    report = TextClassification(record["data"]["classes"], loss=cross_entropy).report(record["metrics"]["test"])
    console = Console(record=True, width=132, highlight=False, file=io.StringIO(), force_terminal=True)
    console.print("[bold]$ python train.py " + " ".join(record["overrides"]) + "[/bold]\n")
    show_run(record, report=report, run_dir=run_dir, console=console)
    svg = console.export_svg(title="prepsweep", theme=MONOKAI)
    # The fonts would be fetched from the web; the reader's own monospace font does.
    picture.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
