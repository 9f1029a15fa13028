"""Labels from a language model: a real server on this machine that misbehaves, and the recording of it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from prepsweep.annotate.llm import check, fingerprint, llm
from prepsweep.annotate.origins import LABEL_ORIGIN, PROPOSED
from prepsweep.endpoint import client
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from tests.conftest import rows_of
from tests.unit.augment.models import Answer, LocalEndpoint, completion, endpoint

__all__ = ["endpoint"]  # a fixture
ROWS = [
    ("A great film.", "fresh"),
    ("我不喜欢", "rotten"),
    ("line\u2028end {classes} {text}", "plot"),
    ("", "plot"),
    ("A great film.", "rotten"),
]
OPTIONS: dict[str, Any] = {
    "mode": "record",
    "base_url": None,
    "model": "tiny",
    "prompt": "Classes:\n{classes}\nText: {text}",
    "classes": {"fresh": "the critic liked it", "rotten": "", "plot": "what happens"},
    "structure": "json_schema",
    "n_tries": 2,
    "temperature": 0.0,
    "max_tokens": 64,
    "price": None,
    "api_key_env": None,
    "replies_file": "replies/labels.jsonl",
    "n_parallel": 4,
    "rows": "all",
    "on_abstain": "drop",
}


def run(pairs: list[tuple[str, str]] = ROWS, **changes: Any) -> Result:
    return llm(rows_of(pairs), **(OPTIONS | changes))


def labels(result: Result) -> list[str | None]:
    found: list[str | None] = table_of(result.rows)[PROPOSED].to_pylist()
    return found


def says(text: str, prompt: int = 0, reply: int = 0) -> Answer:
    status, headers, body = completion(text)
    return status, headers, json.dumps(json.loads(body) | {"usage": {"prompt_tokens": prompt, "completion_tokens": reply}}).encode()


def critic(request: dict[str, Any]) -> Answer:
    """The class of a text by one of its words, as JSON."""
    text = request["messages"][0]["content"].partition("Text: ")[2]
    label = "fresh" if "great" in text else "rotten" if "不" in text else "plot"
    return says(json.dumps({"label": label}), prompt=100, reply=5)


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT_SECONDS", 0.001)


def test_each_distinct_text_is_asked_about_once_with_its_classes_as_a_schema(endpoint: LocalEndpoint) -> None:
    endpoint.answer = critic
    result = run(base_url=endpoint.url, price=[1.0, 10.0])
    assert labels(result) == ["fresh", "rotten", "plot", None, "fresh"]
    assert set(table_of(result.rows)[LABEL_ORIGIN].to_pylist()) == {"gold"}
    assert len(endpoint.requests) == 3
    contents = {request["messages"][0]["content"] for request in endpoint.requests}
    told = "Classes:\n- fresh: the critic liked it\n- rotten\n- plot: what happens\nText: "
    assert contents == {told + "A great film.", told + "我不喜欢", told + "line\u2028end {classes} {text}"}
    (schema,) = {json.dumps(request["response_format"]["json_schema"]["schema"]) for request in endpoint.requests}
    assert json.loads(schema)["properties"]["label"]["enum"] == ["fresh", "rotten", "plot"]
    assert result.facts == {
        "n_labelled": 4,
        "n_requests": 3,
        "n_texts_without_answer": 0,
        "n_cut_off": 0,
        "n_prompt_tokens": 300,
        "n_reply_tokens": 15,
        "accuracy": 0.75,
        "n_gold": 4,
        "dollars": 0.0004,
    }


def test_a_recording_replays_without_the_endpoint_tokens_and_all(endpoint: LocalEndpoint) -> None:
    endpoint.answer = critic
    first = run(base_url=endpoint.url)
    endpoint.close()
    again = run(mode="replay")
    assert table_of(again.rows).equals(table_of(first.rows))
    assert again.facts == first.facts
    assert fingerprint(mode="replay", replies_file="replies/labels.jsonl")
    with pytest.raises(Refused, match=r"^annotate\.llm\.replies_file: no reply is recorded in .* for 1 of 4 requests"):
        run([*ROWS, ("new", "plot")], mode="replay")


def test_an_answer_that_names_no_class_is_asked_about_again_and_then_there_is_none(endpoint: LocalEndpoint) -> None:
    def stubborn(request: dict[str, Any]) -> Answer:
        if "great" in request["messages"][0]["content"]:
            return says('{"label": "fresh"}') if len(request["messages"]) > 1 else says('{"label": "certified"}')
        return says('{"label": "fr') if "不" in request["messages"][0]["content"] else critic(request)

    endpoint.answer = stubborn
    result = run(base_url=endpoint.url)
    assert labels(result) == ["fresh", None, "plot", None, "fresh"]
    assert (result.facts["n_requests"], result.facts["n_texts_without_answer"]) == (5, 1)
    again = [request["messages"] for request in endpoint.requests if len(request["messages"]) > 1]
    assert {messages[1]["content"] for messages in again} == {'{"label": "certified"}', '{"label": "fr'}
    assert all(messages[2]["content"].endswith("one of: fresh, rotten, plot.") for messages in again)


def test_a_busy_slow_and_broken_server_is_asked_until_it_answers(endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 0.3)
    n_asked: dict[str, int] = {}

    def moody(request: dict[str, Any]) -> Answer:
        text = request["messages"][0]["content"]
        n_asked[text] = n_asked.get(text, 0) + 1
        if n_asked[text] == 1:
            return 429, {"Retry-After": "0"}, b"busy"
        if n_asked[text] == 2:
            time.sleep(0.5)
        return (503, {}, b"down") if n_asked[text] == 3 else critic(request)

    endpoint.answer = moody
    result = run(base_url=endpoint.url)
    assert labels(result) == ["fresh", "rotten", "plot", None, "fresh"]
    assert set(n_asked.values()) == {4}
    assert result.facts["n_requests"] == 3, "what failed is neither paid for nor recorded"


def test_a_server_that_stays_down_is_one_line_and_what_was_answered_is_kept(endpoint: LocalEndpoint) -> None:
    endpoint.answer = lambda request: (500, {}, b"down") if "不" in request["messages"][0]["content"] else critic(request)
    with pytest.raises(Refused, match=r"^annotate\.llm\.base_url: http://127\.0\.0\.1:\d+/v1 answers 500: down\. fix: "):
        run(base_url=endpoint.url, n_parallel=1)
    n_recorded = len(Path("replies/labels.jsonl").read_text().splitlines())
    endpoint.answer = critic
    before = len(endpoint.requests)
    run(base_url=endpoint.url)
    assert len(endpoint.requests) - before == 3 - n_recorded


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ('{"label": "plot"}', "plot"),
        ('```json\n{"label": "PLOT", "why": "…"}\n```', "plot"),
        ("<think>fresh? {no}</think>\n plot.", "plot"),
        ("Plot", "plot"),
        ("It is plot or fresh", None),
        ('{"class": "plot"}', None),
        ('{"label": ["plot"]}', None),
        ("", None),
    ],
)
def test_what_is_read_from_a_reply(endpoint: LocalEndpoint, text: str, label: str | None) -> None:
    endpoint.answer = lambda request: says(text)
    assert labels(run([("a", "plot")], base_url=endpoint.url, n_tries=1, structure="none")) == [label]
    assert "response_format" not in endpoint.requests[0]


def test_only_rows_that_are_open_are_asked_about_and_the_classes_may_come_from_the_rows(endpoint: LocalEndpoint) -> None:
    endpoint.answer = critic
    result = run([("great", "fresh"), ("不", ""), ("x", "plot"), ("great too", "")], base_url=endpoint.url, rows="unlabelled", classes=None)
    assert table_of(result.rows)["label"].to_pylist() == ["fresh", "", "plot", "fresh"], "rotten is no class of these rows"
    assert len({request["messages"][0]["content"] for request in endpoint.requests}) == 2
    with pytest.raises(Refused, match=r"^annotate\.llm\.classes: the rows have no labels"):
        run([("great", "")], base_url=endpoint.url, classes=None)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({}, r"^annotate\.llm\.base_url: no endpoint is set"),
        ({"base_url": "http://x/v1", "prompt": "hello"}, r"^annotate\.llm\.prompt: has no \{text\}"),
        ({"base_url": "http://x/v1", "structure": "xml"}, r"^annotate\.llm\.structure: no structure 'xml'"),
        ({"base_url": "http://x/v1", "classes": "spam"}, r"^annotate\.llm\.classes: must be two names"),
        ({"base_url": "http://x/v1", "price": [1]}, r"^annotate\.llm\.price: must be two numbers"),
        ({"base_url": "http://x/v1", "n_tries": 0}, r"^annotate\.llm\.n_tries"),
        ({"base_url": "http://x/v1", "rows": "none"}, r"^annotate\.llm\.rows"),
    ],
)
def test_what_cannot_be_asked_is_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(Refused, match=match):
        check(**(OPTIONS | changes))
