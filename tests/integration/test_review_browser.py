"""The review page in a real browser: by keys alone, two people blind to each other, and nothing of strangers runs in it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from prepsweep.review import journal
from prepsweep.review.files import read_review
from prepsweep.review.sheet import written
from tests.browser import browser, needs_chromium
from tests.conftest import make_reviews, rows_of
from tests.unit.review.conftest import queue_table

__all__ = ["browser"]
pytestmark = needs_chromium
CLASSES = ["fresh", "plot", "rotten"]
COMMAND = "import sys; from prepsweep.cli import main; sys.exit(main())"
XSS = "<script>window.xss=1</script><img src=x onerror=window.xss=1>"
Serve = Callable[..., dict[str, str]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts the command on a queue file; person → address."""
    started: list[subprocess.Popen[str]] = []

    def start(file: Path, *options: str, n_people: int = 1) -> dict[str, str]:
        command = [sys.executable, "-c", COMMAND, "review", "serve", str(file), *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        assert process.stdout is not None
        found = {}
        for line in [process.stdout.readline() for _ in range(n_people)]:
            said = re.fullmatch(r"(.+) \(\w+\): (http://127\.0\.0\.1:\d+/\S+/)\n", line)
            assert said, line
            found[said[1]] = said[2]
        return found

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=10)


def queue_file(folder: Path, pairs: list[tuple[str, str]], classes: list[str] = CLASSES, **further: list[str]) -> Path:
    rows = rows_of(pairs, **further)
    table = queue_table(rows)
    suggested = pa.array([classes[(classes.index(label) + place) % len(classes)] for place, (_, label) in enumerate(pairs)])
    file = folder / "queue.csv"
    file.write_bytes(written(table.set_column(table.column_names.index("suggested"), "suggested", suggested), classes))
    return file


def opened(browser: Browser, address: str, *, width: int = 1200, dark: bool = False) -> Page:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.errors = []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.errors.append(str(error)))  # type: ignore[attr-defined]
    page.on("console", lambda said: said.type == "error" and page.errors.append(said.text))  # type: ignore[attr-defined]
    page.goto(address)
    expect(page.locator("#count")).not_to_be_empty()
    return page


def press(page: Page, *keys: str) -> None:
    """Press keys, each after the page is done with the one before."""
    for key in keys:
        page.keyboard.press(key)
        expect(page.locator("body")).to_have_attribute("aria-busy", "false")


def test_a_queue_is_gone_through_by_keys_alone(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    pairs = make_reviews(30)
    file = queue_file(tmp_path, pairs)
    page = opened(browser, serve(file, "--reviewer", "ann")["ann"])
    expect(page.locator("#texts")).to_have_text(pairs[0][0])
    press(page, "1", "s", "3")
    expect(page.locator("#count")).to_have_text("2 of 30 decided, 1 skipped")
    expect(page.locator("#texts")).to_have_text(pairs[3][0])
    press(page, "u")
    expect(page.locator("#texts")).to_have_text(pairs[2][0])
    press(page, "2", "ArrowLeft", "ArrowLeft")
    expect(page.locator("#choices [aria-pressed=true]")).to_have_count(0)
    press(page, "ArrowLeft")
    expect(page.locator("#choices [aria-pressed=true]")).to_have_text("1fresh")
    page.reload()
    expect(page.locator("#texts")).to_have_text(pairs[3][0])
    found = {each.uid: each.label for each in read_review(journal.beside(file), partial=False).decisions}
    uids = rows_of(pairs)["uid"]
    assert found == {uids[0]: "fresh", uids[2]: "plot"}
    assert page.errors == []  # type: ignore[attr-defined]


def test_keys_pressed_in_a_rush_do_not_decide_rows_that_nobody_saw(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    file = queue_file(tmp_path, make_reviews(30))
    page = opened(browser, serve(file)["reviewer"])
    page.evaluate("for (let i = 0; i < 10; i++) document.dispatchEvent(new KeyboardEvent('keydown', { key: '1' }))")
    expect(page.locator("body")).to_have_attribute("aria-busy", "false")
    assert len(read_review(journal.beside(file), partial=False).decisions) == 1


def test_the_end_is_told_and_can_be_left_again(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    page = opened(browser, serve(queue_file(tmp_path, make_reviews(3)))["reviewer"])
    press(page, "1", "2", "3")
    expect(page.locator("#texts")).to_have_text("That was the last row. All is saved.")
    expect(page.locator("#choices button")).to_have_count(0)
    press(page, "1", "ArrowRight", "ArrowLeft")
    expect(page.locator("#choices [aria-pressed=true]")).to_have_text("3rotten")


def test_two_are_blind_to_each_other_and_a_third_decides_where_they_differ(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    file = queue_file(tmp_path, make_reviews(3))
    at = serve(file, "--reviewer", "ann", "--reviewer", "bob", "--adjudicator", "eve", n_people=3)
    press(opened(browser, at["ann"]), "1", "1", "1")
    bob = opened(browser, at["bob"])
    expect(bob.locator("#count")).to_have_text("0 of 3 decided")
    expect(bob.locator("#choices [aria-pressed=true]")).to_have_count(0)
    assert "ann" not in bob.content()
    press(bob, "1", "2", "1")
    eve = opened(browser, at["eve"])
    expect(eve.locator("#count")).to_have_text("0 of 1 decided")
    expect(eve.locator("#hint")).to_have_text("The reviewers say fresh, plot")
    press(eve, "3")
    found = read_review(journal.beside(file), partial=False).decisions
    assert [(each.label, each.role) for each in found if each.role == "adjudicator"] == [("rotten", "adjudicator")]


def test_many_classes_are_found_by_typing(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    classes = [f"intent {number:02}" for number in range(77)]
    file = queue_file(tmp_path, [("Where is my card?", classes[3]), ("I lost it.", classes[4])], classes)
    page = opened(browser, serve(file)["reviewer"])
    expect(page.locator("#choices button").first).to_have_text("1intent 03")
    page.keyboard.press("/")
    page.keyboard.type("61")
    expect(page.locator("#choices button")).to_have_count(1)
    press(page, "Enter")
    expect(page.locator("#texts")).to_have_text("I lost it.")
    assert [each.label for each in read_review(journal.beside(file), partial=False).decisions] == ["intent 61"]


def test_a_decision_that_is_not_saved_is_told_and_the_row_stays(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    pairs = make_reviews(3)
    page = opened(browser, serve(queue_file(tmp_path, pairs))["reviewer"])
    page.context.set_offline(True)
    press(page, "1")
    expect(page.locator("#problem")).to_contain_text("Not saved")
    expect(page.locator("#texts")).to_have_text(pairs[0][0])
    page.context.set_offline(False)
    press(page, "1")
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#texts")).to_have_text(pairs[1][0])


def test_nothing_of_strangers_runs_and_nothing_is_asked_of_the_network(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    classes = [XSS, '" onclick="window.xss=1', "plain"]
    file = queue_file(tmp_path, [(XSS, XSS), ("\u202eevil\x1b[31m\u200b", classes[1]), ("  ", "plain")], classes)
    address = serve(file, "--reviewer", XSS)[XSS]
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(address)
    expect(page.locator("#texts")).to_have_text(XSS)
    press(page, "2")
    expect(page.locator("#texts")).to_have_text("⟨U+202E⟩evil⟨U+001B⟩[31m⟨U+200B⟩")
    press(page, "1", "1")
    assert page.evaluate("window.xss") is None
    assert page.title() == "Review"
    assert page.locator("script").count() == 1
    assert all(url.startswith((address, "data:,")) for url in asked), asked


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1200])
def test_everybody_can_read_it(browser: Browser, serve: Serve, tmp_path: Path, width: int, dark: bool) -> None:
    pairs = [("A film that takes its time, and is all the better for it. " * 6, "fresh"), ("看" * 400, "plot"), ("x" * 900, "rotten")]
    file = queue_file(tmp_path, pairs, text_pair=["What did the critics say?", "好吗", "y" * 300])
    page = opened(browser, serve(file)["reviewer"], width=width, dark=dark)
    for key in ("2", "1", "1"):
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "no sideways scrolling"
        assert Axe().run(page).response["violations"] == []
        press(page, key)


def test_fifty_thousand_rows_open_at_the_first(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    pairs = [(f"{text} {number}", label) for number, (text, label) in enumerate(make_reviews(100) * 500)]
    page = browser.new_context().new_page()
    page.goto(serve(queue_file(tmp_path, pairs))["reviewer"])
    expect(page.locator("#texts")).to_have_text(pairs[0][0])
    expect(page.locator("#count")).to_have_text("0 of 50,000 decided")
