"""The page's server answers those who hold a token and nobody else; what was decided is on the disk and stays apart."""

from __future__ import annotations

import http.client
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prepsweep.errors import Refused
from prepsweep.review import journal
from prepsweep.review.files import read_review
from prepsweep.review.server import Server
from prepsweep.review.session import Session, opened
from prepsweep.sources.files import GivenFile, open_text
from tests.unit.review.conftest import CLASSES, TEXTS

REVIEWERS = ["ann", "bob"]


class Client:
    """Talks to the server as a browser does; each header can be changed."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.tokens = {person.name: token for token, person in server.tokens.items()}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_address[1], timeout=5)
        sent = {"Origin": self.server.origin, "Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {name: value for name, value in sent.items() if value})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(content) if is_json else (content, dict(answer.headers))

    def state(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/{self.tokens[name]}/state")[1]
        return found

    def rows(self, name: str, start: int = 0, n: int = 100) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"/{self.tokens[name]}/rows?start={start}&n={n}")[1]
        return found

    def decide(self, name: str, uid: str, label: str = "", action: str = "decide", **headers: str) -> int:
        return self.ask("POST", f"/{self.tokens[name]}/decide", {"uid": uid, "action": action, "label": label}, **headers)[0]


@pytest.fixture
def session(queue_file: Path) -> Iterator[Session]:
    with opened(queue_file, reviewers=REVIEWERS, adjudicator="eve") as found:
        yield found


@pytest.fixture
def client(session: Session) -> Iterator[Client]:
    server = Server(session, port=0, tokens={f"token-of-{person.name}": person for person in session.people})
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Client(server)
    server.shutdown()
    server.server_close()
    thread.join()


def test_it_binds_to_this_machine_only(client: Client) -> None:
    assert client.server.server_address[0] == "127.0.0.1"


def test_the_page_runs_nothing_but_its_own_files(client: Client) -> None:
    status, (page, headers) = client.ask("GET", f"/{client.tokens['ann']}/")
    assert status == 200
    assert b'<script src="page.js" defer></script>' in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/state", "//state", "/wrong/state", "/token-of-annx/state", "/%74oken-of-ann/state", "/%C3%BC/"])
def test_without_the_token_there_is_nothing(client: Client, path: str) -> None:
    assert client.ask("GET", path)[0] == 404


@pytest.mark.parametrize("path", ["../session.py", "session.py", "page.html/..", "rows/x"])
def test_no_other_file_is_served(client: Client, path: str) -> None:
    assert client.ask("GET", f"/{client.tokens['ann']}/{path}")[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1", ""])
def test_another_name_for_this_machine_is_refused(client: Client, host: str) -> None:
    assert client.ask("GET", f"/{client.tokens['ann']}/state", Host=host or " ")[0] == 403


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": ""}, {"Content_Type": "text/plain"}])
def test_a_foreign_page_can_decide_nothing(client: Client, session: Session, headers: dict[str, str]) -> None:
    assert client.decide("ann", session.sheet.rows[0].uid, CLASSES[0], **headers) == 403
    assert client.state("ann")["n_decided"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"uid": "x"}',
        b"[" * 50_000,
        b'{"uid": 1, "action": [], "label": {}}',
        b"\xff",
    ],
)
def test_broken_requests_are_refused_and_change_nothing(client: Client, session: Session, body: bytes) -> None:
    assert client.ask("POST", f"/{client.tokens['ann']}/decide", body)[0] == 400
    assert client.state("ann")["n_decided"] == 0
    assert not session.journal.past


def test_what_is_decided_is_on_the_disk_and_can_be_taken_back(client: Client, session: Session, queue_file: Path) -> None:
    first, second, third = (row.uid for row in session.sheet.rows[:3])
    assert client.decide("ann", first, CLASSES[1]) == 200
    assert client.decide("ann", second, action="skip") == 200
    assert client.decide("ann", third, CLASSES[2]) == 200
    assert client.decide("ann", third, action="undo") == 200
    state = client.state("ann")
    assert (state["n_decided"], state["n_skipped"], state["next"], state["n_rows"]) == (1, 1, 2, len(TEXTS))
    found = read_review(journal.beside(queue_file), partial=False)
    assert [(each.uid, each.label, each.reviewer) for each in found.decisions] == [(first, CLASSES[1], "ann")]
    assert found.n_undecided == len(TEXTS) - 1
    assert found.decisions[0].decided_at is not None


def test_a_class_that_is_not_there_is_refused(client: Client, session: Session) -> None:
    assert client.decide("ann", session.sheet.rows[0].uid, "unheard of") == 400
    assert client.decide("ann", "0" * 24, CLASSES[0]) == 400
    assert client.decide("ann", session.sheet.rows[0].uid, CLASSES[0], action="skip") == 400


def test_reviewers_do_not_see_each_other(client: Client, session: Session) -> None:
    uid = session.sheet.rows[0].uid
    client.decide("ann", uid, CLASSES[1])
    assert client.state("bob")["n_decided"] == 0
    assert (client.rows("bob")[0]["label"], client.rows("bob")[0]["votes"]) == ("", [])
    assert "ann" not in json.dumps([client.state("bob"), client.rows("bob")])


def test_the_adjudicator_sees_what_the_reviewers_disagree_about_without_their_names(client: Client, session: Session) -> None:
    one, two, three = (row.uid for row in session.sheet.rows[:3])
    assert client.state("eve")["n_rows"] == 0
    for name, labels in (("ann", (1, 1, 1)), ("bob", (1, 2, 0))):
        for uid, label in zip((one, two, three), labels, strict=True):
            client.decide(name, uid, CLASSES[label])
    client.decide("bob", three, action="undo")
    (row,) = client.rows("eve")
    assert (row["uid"], row["votes"]) == (two, [[CLASSES[1], 1], [CLASSES[2], 1]])
    assert "bob" not in json.dumps(client.rows("eve"))
    assert client.decide("eve", two, CLASSES[0]) == 200
    assert client.state("eve")["n_decided"] == 1
    assert client.rows("ann")[1]["label"] == CLASSES[1]


def test_rows_come_in_pages(client: Client) -> None:
    assert [row["place"] for row in client.rows("ann", start=3, n=2)] == [3, 4]
    assert client.rows("ann", start=1000) == []
    assert client.rows("ann")[3]["texts"] == ['lines\nin "quotes"; and, commas\nand⇥tabs']


def test_the_same_command_goes_on(queue_file: Path) -> None:
    with opened(queue_file, reviewers=REVIEWERS, adjudicator=None) as session:
        session.decide(session.people[0], session.sheet.rows[0].uid, "decide", CLASSES[0])
    with opened(queue_file, reviewers=REVIEWERS, adjudicator=None) as session:
        assert session.state(session.people[0])["n_decided"] == 1
        assert session.state(session.people[1])["n_decided"] == 0


def test_two_servers_of_one_queue_are_refused(session: Session, queue_file: Path) -> None:
    with pytest.raises(Refused, match="has it open"), opened(queue_file, reviewers=["cy"], adjudicator=None):
        pass


def journal_of(queue_file: Path) -> bytes:
    with opened(queue_file, reviewers=["ann 我", "bob"], adjudicator="eve") as session:
        for place, row in enumerate(session.sheet.rows):
            session.decide(session.people[place % 3], row.uid, "decide", CLASSES[place % 3])
        session.decide(session.people[0], session.sheet.rows[0].uid, "undo", "")
    return journal.beside(queue_file).read_bytes()


def test_a_journal_cut_at_any_byte_is_an_earlier_state_or_refused(queue_file: Path, tmp_path: Path) -> None:
    whole = journal_of(queue_file)
    states = set(range(len(whole.splitlines())))
    file = tmp_path / "cut.jsonl"
    read, said = set(), set()
    for n_bytes in range(1, len(whole) + 1):
        file.write_bytes(whole[:n_bytes])
        try:
            journal.decisions_in(open_text(GivenFile(file, "journal", "")))
            assert whole[n_bytes - 1 : n_bytes] == b"\n", "a line that is cut was taken for whole"
            read.add(whole[:n_bytes].count(b"\n") - 1)
        except Refused as error:
            said.add(str(error))
    assert read == states
    assert all("\n" not in line and "cut.jsonl" in line for line in said)


def test_the_server_goes_on_after_a_power_cut_in_the_middle_of_a_line(queue_file: Path) -> None:
    whole = journal_of(queue_file)
    torn = whole[: whole.rindex(b'"n": 4')]
    journal.beside(queue_file).write_bytes(torn)
    with opened(queue_file, reviewers=["ann 我"], adjudicator=None) as session:
        assert len(session.journal.past) == 3
        session.decide(session.people[0], session.sheet.rows[5].uid, "decide", CLASSES[0])
    found = read_review(journal.beside(queue_file), partial=False)
    assert len(found.decisions) == 4


@pytest.mark.parametrize("n_bytes", [0, 1, 30])
def test_a_power_cut_in_the_first_line_loses_nothing(queue_file: Path, n_bytes: int) -> None:
    whole = journal_of(queue_file)
    journal.beside(queue_file).write_bytes(whole[:n_bytes])
    assert journal_of(queue_file).count(b"\n") == whole.count(b"\n")


def test_a_file_that_is_no_journal_is_left_alone(queue_file: Path) -> None:
    journal.beside(queue_file).write_bytes(b"somebody's notes\nwithout an end")
    with pytest.raises(Refused, match="not JSON"), opened(queue_file, reviewers=["ann"], adjudicator=None):
        pass
    assert journal.beside(queue_file).read_bytes() == b"somebody's notes\nwithout an end"


def test_lines_taken_out_of_a_journal_are_missed(queue_file: Path) -> None:
    lines = journal_of(queue_file).splitlines(keepends=True)
    journal.beside(queue_file).write_bytes(b"".join(lines[:3] + lines[4:]))
    with pytest.raises(Refused, match="lines are missing"):
        read_review(journal.beside(queue_file), partial=False)


def test_a_journal_of_another_queue_is_refused(queue_file: Path) -> None:
    whole = journal_of(queue_file)
    journal.beside(queue_file).write_bytes(whole.replace(b'"q:', b'"q:00'))
    with pytest.raises(Refused, match="another queue"), opened(queue_file, reviewers=["ann"], adjudicator=None):
        pass


def test_nothing_half_written_stays_where_the_disk_is_full(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    before = session.journal.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        session.decide(session.people[0], session.sheet.rows[0].uid, "decide", CLASSES[0])
    assert session.journal.path.read_bytes() == before
    assert session.state(session.people[0])["n_decided"] == 0
