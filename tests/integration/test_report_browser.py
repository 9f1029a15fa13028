"""The report in a real browser: nothing of strangers runs in it, everybody can read it, and it needs no script."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from prepsweep.cli import main
from tests.browser import browser, needs_chromium
from tests.unit.compare.made_study import fail, make_study

__all__ = ["browser"]
pytestmark = needs_chromium

OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
XSS = [
    "<script>window.xss=1;alert(1)</script>",
    '"><script>window.xss=1</script>',
    "'><img src=x onerror=window.xss=1>",
    '" onmouseover="window.xss=1" x="',
    "' autofocus onfocus='window.xss=1",
    "</title><script>window.xss=1</script>",
    "</style><script>window.xss=1</script>",
    "</script><script>window.xss=1</script>",
    "</svg><svg onload=window.xss=1>",
    "<svg><animate onbegin=window.xss=1 attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.xss=1</script>'>",
    "<a href=javascript:window.xss=1>x</a>",
    "javascript:window.xss=1",
    "<meta http-equiv=refresh content='0;url=https://example.com'>",
    "<link rel=stylesheet href=https://example.com/x.css>",
    "<base href=https://example.com>",
    "<form action=https://example.com><button autofocus>",
    "<object data=https://example.com>",
    "<math><mtext></p><img src=https://example.com/x>",
    "<!--<script>window.xss=1//-->",
    "{{ 7 * 7 }}{% raw %}${7*7}#{7*7}",
    "&lt;script&gt;window.xss=1&lt;/script&gt;",
    "\u202ecod.exe\u202c \u2066x\u2069",
    "\x1b[31mred\x07\x00\x08",
    "zero\u200bwidth\ufeff\u2028line\u2029paragraph",
    "\ud800 lone",
    "=HYPERLINK('https://example.com')",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1\t-1\r\n=2",
    "表ポあA鷗ŒéＢ逍Üßªąñ丂㐀𠀀",
    "👾 🙇🏽 👨‍👩‍👧 ❤️",
    "الكل في المجمو عة",
    "Ṱ̺̺̕o͞ ̷i̲̬͇̪͙n̝̗͕v̟̜̘̦͟o̶̙̰̠kè͚̮",
    "undefined null NaN __proto__ constructor",
    "a" * 3000,
    " ",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of eight arms with five seeds, one of whose runs failed."""
    folder = make_study(tmp_path_factory.mktemp("study") / "reviews")
    fail(folder / f"{7:012x}", "OutOfMemoryError", "no memory left")
    assert main(["compare", str(folder)]) == 0
    return folder / "compare" / "report.html"


def opened(browser: Browser, report: Path, *, width: int = 1200, dark: bool = False, script: bool = True) -> Page:
    scheme: Literal["dark", "light"] = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script)
    page = context.new_page()
    page.goto(report.as_uri())
    return page


@pytest.mark.parametrize("first", range(0, len(XSS), 6))
def test_nothing_of_strangers_runs(browser: Browser, tmp_path: Path, first: int) -> None:
    strings = XSS[first : first + 6]
    name = strings[0].replace("/", "∕").replace("\0", "")[:60].encode("utf-8", "backslashreplace").decode()
    classes = [text for text in strings if "\ud800" not in text]
    folder = make_study(tmp_path / name, augment=["none", *strings], balance=["none"], n_seeds=2, n_rows=60, classes=classes)
    fail(folder / f"{2:012x}", strings[0], strings[1])
    assert main(["compare", str(folder), "--out", str(tmp_path / "out")]) == 0
    page = browser.new_page()
    dialogs: list[str] = []
    requests: list[str] = []
    complaints: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    address = (tmp_path / "out" / "report.html").as_uri()
    page.goto(address)
    page.evaluate(OPEN_ALL)
    assert (dialogs, requests, complaints) == ([], [address], [])
    assert page.evaluate("window.xss") is None
    assert page.title().startswith("What preparation helps: ")
    assert page.evaluate("document.scripts.length") == 1
    assert page.evaluate("[...document.all].flatMap((e) => e.getAttributeNames()).filter((name) => name.startsWith('on'))") == []
    tags = set(page.evaluate("[...document.all].map((e) => e.localName)"))
    assert not tags & {"img", "iframe", "object", "embed", "form", "link", "base", "animate", "math", "frame", "video", "audio"}
    links = page.evaluate("[...document.querySelectorAll('[href], [src]')].map((e) => (e.getAttribute('href') ?? e.src).slice(0, 13))")
    assert all(link.startswith(("#", "data:text/csv")) for link in links)
    text = page.evaluate("document.documentElement.outerHTML")
    assert not set(text) & set("\u202e\u2066\u200b\u2028\x1b\x07\ufeff")
    page.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_everybody_can_read_it(browser: Browser, report: Path, width: int, dark: bool) -> None:
    page = opened(browser, report, width=width, dark=dark)
    page.evaluate(OPEN_ALL)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


def test_without_script_it_is_all_there(browser: Browser, report: Path) -> None:
    page = opened(browser, report, script=False)
    assert page.locator("#verdicts tbody tr").count() == 4
    assert page.locator("#verdicts button").count() == 0
    assert page.locator("#commands tbody tr").count() == 39
    page.context.close()


def test_tables_are_sorted_and_filtered_from_the_keyboard(browser: Browser, report: Path) -> None:
    page = opened(browser, report)
    effects = "[...document.querySelectorAll('#verdicts tbody tr')].map((row) => Number(row.cells[1].dataset.v))"
    head = page.locator("#verdicts thead th").nth(1)
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    found = page.evaluate(effects)
    assert found == sorted(found)
    head.locator("button").press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.evaluate(effects) == sorted(found, reverse=True)
    page.get_by_text("The command of each of 39 runs").click()
    page.locator("label", has_text="Filter rows").last.fill("augment=eda seed=3")
    assert page.locator("#commands tbody tr:visible").count() == 2
    assert page.get_by_role("status").last.text_content() == "2 of 39"
    page.context.close()


def test_numbers_come_as_csv(browser: Browser, report: Path) -> None:
    page = opened(browser, report)
    with page.expect_download() as download:
        page.locator("a[download='effects-table.csv']").first.click()
    rows = list(csv.reader(io.StringIO(download.value.path().read_text(encoding="utf-8-sig"))))
    assert rows[0][:3] == ["choice", "against", "effect, points"]
    assert [row[0] for row in rows[1:]] == ["augment=backtranslate", "augment=eda", "balance=oversample", "augment=synonym"]
    assert float(rows[2][2]) < 0
    page.context.close()


def test_it_prints(browser: Browser, report: Path) -> None:
    page = opened(browser, report)
    assert page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") <= 14
    page.context.close()
