"""The whole of `prepsweep compare` on made-up records: seconds, memory, size of the page, and when it is first painted.

    pip install 'prepsweep[test]'          # and Debian's chromium, or skip the last column
    PYTHONPATH=. python benchmarks/compare_report.py [--runs 40,200,2000] [--rows 5000]

The records are those of the tests: as many augmentations as make up the number of runs, by 2 balances by 5 seeds. Each size
runs in a process of its own, so that memory is its own. First paint is `first-contentful-paint` of headless Chromium, the page
read from disk; the median of three.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.unit.compare.made_study import make_study

_MEASURED = """
import json, resource, sys, time
from prepsweep.cli import main
start = time.perf_counter()
code = main(["compare", *sys.argv[1:]])
assert code == 0
seconds, mb = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "mb": mb}), file=sys.stderr)
"""
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


def made(folder: Path, n_runs: int, n_rows: int) -> Path:
    n_augment = max(2, n_runs // 10)
    augment = ["none", "backtranslate", "synonym", "eda", *(f"made-up-{number}" for number in range(n_augment - 4))][:n_augment]
    return make_study(folder, augment=augment, balance=("none", "oversample"), n_seeds=5, n_rows=n_rows)


def painted(report: Path) -> float | None:
    """Milliseconds to the first paint; None without Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        found = []
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            page.goto(report.as_uri())
            page.screenshot()  # Comes after the first paint.
            found.append(float(page.evaluate(_PAINTED)))
            page.close()
        browser.close()
    return median(found)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", default="40,200,2000")
    arguments.add_argument("--rows", type=int, default=5000)
    asked = arguments.parse_args()
    print(f"{'runs':>6} {'rows':>6} {'seconds':>8} {'MB':>6} {'HTML MB':>8} {'JSON MB':>8} {'first paint ms':>15}")
    for n_runs in map(int, asked.runs.split(",")):
        with tempfile.TemporaryDirectory() as place:
            study = made(Path(place) / "study", n_runs, asked.rows)
            done = subprocess.run([sys.executable, "-c", _MEASURED, str(study)], capture_output=True, text=True, check=True)
            measured = json.loads(done.stderr.splitlines()[-1])
            html, document = (study / "compare" / name for name in ("report.html", "report.json"))
            sizes = [file.stat().st_size / 1e6 for file in (html, document)]
            paint = painted(html)
            row = f"{n_runs:6} {asked.rows:6} {measured['seconds']:8.1f} {measured['mb']:6.0f} {sizes[0]:8.2f} {sizes[1]:8.2f}"
            print(f"{row} {'·' if paint is None else f'{paint:.0f}':>15}", flush=True)


if __name__ == "__main__":
    main()
