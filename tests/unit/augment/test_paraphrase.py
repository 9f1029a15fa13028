"""Paraphrases from a real server on this machine, from a recording, and from a sequence-to-sequence checkpoint."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from prepsweep.augment.paraphrase import check, fingerprint, paraphrase
from prepsweep.augment.paraphrase_seq2seq import check as check_seq2seq
from prepsweep.augment.paraphrase_seq2seq import fingerprint as fingerprint_seq2seq
from prepsweep.augment.paraphrase_seq2seq import new_or_same, paraphrase_seq2seq
from prepsweep.endpoint import client
from prepsweep.endpoint.client import Endpoint
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from prepsweep.stages import stages_of
from tests.conftest import compose, make_reviews, rows_of
from tests.unit.augment.models import Answer, LocalEndpoint, completion, endpoint, rewritten

__all__ = ["endpoint"]  # a fixture
KEY = "sk-secret-0123456789"
OPTIONS: dict[str, Any] = {
    "seed": 0,
    "mode": "record",
    "base_url": None,
    "model": "tiny",
    "prompt": "Say it otherwise.\n{text}",
    "n_aug": 1,
    "temperature": 0.9,
    "max_tokens": 64,
    "api_key_env": None,
    "replies_file": "replies/all.jsonl",
    "n_parallel": 4,
}
ROWS = [("A great film.", "fresh"), ("我喜欢这部电影。", "fresh"), ("line\u2028end {label} ${x}", "rotten"), ("", "plot"), ("  ", "plot")]


def run(pairs: list[tuple[str, str]], **changes: Any) -> Result:
    return paraphrase(rows_of(pairs), **(OPTIONS | changes))


def texts_of(result: Result) -> list[str]:
    texts: list[str] = table_of(result.rows).column("text").to_pylist()
    return texts


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT_SECONDS", 0.001)


def test_every_row_is_asked_with_its_text_and_gets_the_reply(endpoint: LocalEndpoint) -> None:
    made = run(ROWS, base_url=endpoint.url, n_aug=2)
    assert len(endpoint.requests) == 6
    assert made.facts == {"n_requests": 6, "n_cut_off": 0}
    asked = {request["messages"][0]["content"] for request in endpoint.requests}
    assert asked == {f"Say it otherwise.\n{text}" for text, _ in ROWS[:3]}
    assert set(endpoint.paths) == {"/v1/chat/completions"}
    request = endpoint.requests[0]
    assert {name: request[name] for name in ("model", "temperature", "max_tokens")} == {
        "model": "tiny",
        "temperature": 0.9,
        "max_tokens": 64,
    }
    assert len({request["seed"] for request in endpoint.requests}) == 6
    children = table_of(made.rows).slice(5).to_pylist()
    assert all(child["text"].startswith("In other words") for child in children[:6])
    assert ".mlif taerg A" in children[0]["text"]
    assert [child["dropped"] for child in children] == [None] * 6 + ["unchanged"] * 4
    assert {child["origin"] for child in children} == {"paraphrase"}


def test_a_rerun_asks_nothing_and_gives_the_same(endpoint: LocalEndpoint) -> None:
    first = run(ROWS, base_url=endpoint.url)
    n_asked = len(endpoint.requests)
    endpoint.close()
    again = run(ROWS, base_url=endpoint.url)
    replayed = run(ROWS[::-1], mode="replay")
    assert len(endpoint.requests) == n_asked
    assert texts_of(again) == texts_of(first)
    assert sorted(texts_of(replayed)) == sorted(texts_of(first))


def test_only_what_is_new_is_asked(endpoint: LocalEndpoint) -> None:
    run(ROWS, base_url=endpoint.url)
    n_asked = len(endpoint.requests)
    run([*ROWS, ("another", "plot")], base_url=endpoint.url)
    assert len(endpoint.requests) == n_asked + 1
    for changes in ({"seed": 1}, {"temperature": 0.5}, {"model": "other"}, {"prompt": "Again: {text}"}, {"max_tokens": 9}):
        before = len(endpoint.requests)
        run(ROWS, base_url=endpoint.url, **changes)
        assert len(endpoint.requests) == before + 3, changes


def test_the_label_goes_where_the_prompt_says_and_nothing_in_a_text_is_put_in(endpoint: LocalEndpoint) -> None:
    run([("say {label} and {text}", "fresh")], base_url=endpoint.url, prompt="{label}: {text} {other}")
    assert endpoint.requests[0]["messages"][0]["content"] == "fresh: say {label} and {text} {other}"


def test_the_recording_can_be_read_and_holds_no_key(endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    run(ROWS, base_url=endpoint.url, api_key_env="MY_KEY")
    assert {headers["Authorization"] for headers in endpoint.headers} == {f"Bearer {KEY}"}
    recorded = Path("replies/all.jsonl").read_text(encoding="ascii")
    assert KEY not in recorded
    lines = [json.loads(line) for line in recorded.splitlines()]
    assert [set(line) for line in lines] == [{"request", "reply", "finish_reason"}] * 3
    assert {line["request"]["messages"][0]["content"] for line in lines} == {f"Say it otherwise.\n{text}" for text, _ in ROWS[:3]}
    assert KEY not in repr(Endpoint(endpoint.url, "here", KEY))


def test_a_line_that_was_cut_off_does_not_count_and_another_is_refused(endpoint: LocalEndpoint) -> None:
    first = run(ROWS, base_url=endpoint.url)
    path = Path("replies/all.jsonl")
    path.write_bytes(path.read_bytes()[:-10])
    n_asked = len(endpoint.requests)
    assert texts_of(run(ROWS, base_url=endpoint.url)) == texts_of(first)
    assert len(endpoint.requests) == n_asked + 1
    assert len(path.read_bytes().splitlines()) == 3
    path.write_bytes(b'{"request": {}}\n' + path.read_bytes())
    with pytest.raises(Refused, match=r"^replies/all\.jsonl:1: is no recorded reply"):
        run(ROWS, mode="replay")


def test_the_first_reply_to_a_request_counts(endpoint: LocalEndpoint) -> None:
    first = run(ROWS, base_url=endpoint.url)
    path = Path("replies/all.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text(path.read_text() + "".join(json.dumps(line | {"reply": "later"}) + "\n" for line in lines), encoding="utf-8")
    assert texts_of(run(ROWS, mode="replay")) == texts_of(first)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(endpoint: LocalEndpoint, status: int) -> None:
    n_asked: dict[int, int] = {}

    def busy_twice(request: dict[str, Any]) -> Answer:
        n_asked[request["seed"]] = n_asked.get(request["seed"], 0) + 1
        return (status, {"Retry-After": "0"}, b"busy") if n_asked[request["seed"]] < 3 else rewritten(request)

    endpoint.answer = busy_twice
    assert run(ROWS, base_url=endpoint.url).facts["n_requests"] == 3
    assert set(n_asked.values()) == {3}


def test_retry_after_is_waited_for_within_bounds(endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(client.time, "sleep", waited.append)
    answers = iter(
        [(429, {"Retry-After": "7"}, b""), (429, {"Retry-After": "86400"}, b""), (500, {}, b""), (500, {"Retry-After": "soon"}, b"")]
    )
    endpoint.answer = lambda request: next(answers, completion("new"))
    run(ROWS[:1], base_url=endpoint.url)
    assert waited == [7, client.LONGEST_WAIT_SECONDS, 0.004, 0.008]


def test_what_was_answered_is_kept_when_a_later_request_fails(endpoint: LocalEndpoint) -> None:
    endpoint.answer = lambda request: (400, {}, b"bad text") if "story" in request["messages"][0]["content"] else rewritten(request)
    pairs = [(f"film {n}", "x") for n in range(6)] + [("story", "x")]
    with pytest.raises(Refused, match=r"^augment\.paraphrase\.base_url: http://127\.0\.0\.1:\d+/v1 answers 400: bad text\. fix: "):
        run(pairs, base_url=endpoint.url, n_parallel=1)
    assert len(Path("replies/all.jsonl").read_text().splitlines()) == 6
    endpoint.answer = rewritten
    n_asked = len(endpoint.requests)
    run(pairs, base_url=endpoint.url)
    assert len(endpoint.requests) == n_asked + 1


def test_no_more_than_n_parallel_at_a_time(endpoint: LocalEndpoint) -> None:
    lock, now, most = threading.Lock(), [0], [0]
    both = threading.Barrier(3, timeout=10)

    def slow(request: dict[str, Any]) -> Answer:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        both.wait()
        with lock:
            now[0] -= 1
        return rewritten(request)

    endpoint.answer = slow
    run([(f"film {n}", "x") for n in range(12)], base_url=endpoint.url, n_parallel=3)
    assert most[0] == 3


def test_a_server_that_repeats_the_key_does_not_spread_it(endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    endpoint.answer = lambda request: (401, {}, f"Incorrect API key: {KEY}".encode())
    with pytest.raises(Refused) as refused:
        run(ROWS, base_url=endpoint.url, api_key_env="MY_KEY")
    assert KEY not in str(refused.value)
    assert "answers 401: Incorrect API key: ***" in str(refused.value)


def test_a_redirect_is_not_followed(endpoint: LocalEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    other = LocalEndpoint()
    endpoint.answer = lambda request: (302, {"Location": f"{other.url}/chat/completions"}, b"")
    with pytest.raises(Refused, match="answers 302"):
        run(ROWS[:1], base_url=endpoint.url)
    other.close()
    assert other.paths == []


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"choices": []}', b"[]", b'{"choices": [{"message": null}]}'])
def test_an_answer_that_is_none_is_refused(endpoint: LocalEndpoint, body: bytes) -> None:
    endpoint.answer = lambda request: (200, {}, body)
    with pytest.raises(Refused, match="answers no chat completion"):
        run(ROWS[:1], base_url=endpoint.url)


def test_no_server_is_one_line(endpoint: LocalEndpoint) -> None:
    endpoint.close()
    with pytest.raises(
        Refused, match=r"^augment\.paraphrase\.base_url: http://127\.0\.0\.1:\d+/v1 gives no answer \(.*refused\)\. fix: "
    ) as refused:
        run(ROWS[:1], base_url=endpoint.url)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "child"),
    [
        (completion("  A fine film.\n"), "A fine film."),
        (completion("<think>Film?\nFine.</think>\n\nA fine film."), "A fine film."),
        (completion("A  great film. "), "A great film."),
        (completion(""), "A great film."),
        ((200, {}, b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}'), "A great film."),
        ((200, {}, b'{"choices": [{"message": {"content": "half \\ud83d"}}]}'), "half ?"),
    ],
)
def test_what_becomes_of_a_reply(endpoint: LocalEndpoint, answer: Answer, child: str) -> None:
    endpoint.answer = lambda request: answer
    assert texts_of(run([("A great film.", "x")], base_url=endpoint.url))[1] == child


def test_replies_that_were_cut_off_are_counted(endpoint: LocalEndpoint) -> None:
    endpoint.answer = lambda request: completion("A fine", "length" if "great" in request["messages"][0]["content"] else "stop")
    assert run(ROWS, base_url=endpoint.url).facts == {"n_requests": 3, "n_cut_off": 1}


def test_replay_refuses_what_was_not_recorded(endpoint: LocalEndpoint) -> None:
    with pytest.raises(Refused, match=r"^augment\.paraphrase\.replies_file: no recording at replies/all\.jsonl"):
        fingerprint(mode="replay", replies_file="replies/all.jsonl")
    run(ROWS, base_url=endpoint.url)
    with pytest.raises(Refused, match=r"^augment\.paraphrase\.replies_file: no reply is recorded in .* for 1 of 4 requests"):
        run([*ROWS, ("another", "plot")], mode="replay")


def test_the_key_of_the_stage_covers_the_recording_under_replay_alone(endpoint: LocalEndpoint) -> None:
    def key_of(*overrides: str) -> str:
        options = [f"augment.paraphrase.{override}" for override in overrides]
        cfg = compose("data=csv", "data.path=x.csv", "augment=paraphrase", f"augment.paraphrase.base_url={endpoint.url}", *options)
        (stage,) = stages_of(cfg, "augment")
        return stage.key("parent")

    run(ROWS, base_url=endpoint.url)
    replay, record = ("mode=replay", "replies_file=replies/all.jsonl"), ("replies_file=replies/all.jsonl",)
    keys = key_of(*replay), key_of(*record)
    assert key_of("replies_file=replies/none.jsonl", "n_parallel=1") == keys[1]
    assert key_of("model=other", *record) != keys[1]
    run([("another", "plot")], base_url=endpoint.url)
    assert key_of(*replay) != keys[0]
    assert key_of(*record) == keys[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_url": None}, "base_url: no endpoint is set, and no recording is replayed. fix: set "),
        ({"base_url": "localhost:8000"}, "base_url: must be http(s)://HOST/PATH"),
        ({"base_url": "file:///etc/passwd"}, "base_url: must be http(s)://HOST/PATH"),
        ({"base_url": f"http://me:{KEY}@host/v1"}, "base_url: must be http(s)://HOST/PATH"),
        ({"base_url": f"http://host/v1?key={KEY}"}, "base_url: must be http(s)://HOST/PATH"),
        ({"api_key_env": KEY}, "api_key_env: is not the name of an environment variable"),
        ({"api_key_env": KEY.replace("-", "")}, "api_key_env: names an environment variable that is not set"),
        ({"mode": "relay"}, "mode: unknown mode 'relay'. fix: did you mean 'replay'?"),
        ({"prompt": "Say it otherwise."}, "prompt: has no {text}"),
        ({"n_aug": 0}, "n_aug: must be a whole number of at least 1"),
        ({"max_tokens": 0}, "max_tokens: must be a whole number of at least 1"),
        ({"n_parallel": 0}, "n_parallel: must be a whole number of at least 1"),
        ({"temperature": 3}, "temperature: must be between 0 and 2, got 3"),
    ],
)
def test_bad_values_are_refused_without_showing_a_key(changes: dict[str, Any], message: str) -> None:
    arguments = OPTIONS | {"base_url": "http://localhost:1/v1"} | changes
    with pytest.raises(Refused, match=f"^{re.escape(f'augment.paraphrase.{message}')}") as refused:
        check(**{name: value for name, value in arguments.items() if name != "seed"})
    assert "secret" not in str(refused.value)
    with pytest.raises(Refused):
        run(ROWS, **arguments)
    assert not Path("replies").exists()


SEQ2SEQ: dict[str, Any] = {"prefix": "", "num_beams": 4, "n_aug": 2, "max_length": 12, "batch_tokens": 64, "device": "cpu"}


def seq2seq(pairs: list[tuple[str, str]], folder: Path, **changes: Any) -> list[dict[str, Any]]:
    arguments = {"paraphraser": str(folder), "paraphraser_revision": "main"} | SEQ2SEQ
    rows: list[dict[str, Any]] = table_of(paraphrase_seq2seq(rows_of(pairs), **(arguments | changes))).to_pylist()
    return rows


def test_seq2seq_gives_the_best_beams(tiny_marian: Path) -> None:
    pairs = [*make_reviews(6), ("", "x"), ("我喜欢", "x"), make_reviews(1)[0]]
    rows = seq2seq(pairs, tiny_marian)
    children = [rows[len(pairs) + 2 * row : len(pairs) + 2 * row + 2] for row in range(len(pairs))]
    assert [child["parent_uid"] for pair in children for child in pair] == [row["uid"] for row in rows[: len(pairs)] for _ in range(2)]
    assert any(one["text"] != two["text"] for one, two in children)
    assert [child["text"] for child in children[0]] == [child["text"] for child in children[-1]], "equal texts are paraphrased once"
    assert [child["dropped"] for child in children[6]] == ["unchanged"] * 2
    best = seq2seq(pairs, tiny_marian, n_aug=1)[len(pairs) :]
    assert [child["text"] for child in best] == [one["text"] for one, _ in children]
    assert seq2seq(pairs, tiny_marian, batch_tokens=1) == rows


def test_seq2seq_puts_the_prefix_before_the_text(tiny_marian: Path) -> None:
    assert seq2seq([("a cat", "x")], tiny_marian, prefix="funny story ") != seq2seq([("a cat", "x")], tiny_marian)
    assert seq2seq([("story cat", "x")], tiny_marian)[1]["text"] == seq2seq([("cat", "x")], tiny_marian, prefix="story ")[1]["text"]


def test_what_says_nothing_new_is_the_text() -> None:
    assert new_or_same("a film", ["a movie", "a  film ", "", " a movie", "my film"]) == ["a movie", "a film", "a film", "a film", "my film"]


def test_seq2seq_refusals(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"^augment\.paraphrase_seq2seq\.n_aug: asks for 5 texts of 4 beams"):
        check_seq2seq(**(SEQ2SEQ | {"n_aug": 5}))
    with pytest.raises(Refused, match=r"^augment\.paraphrase_seq2seq\.max_length: must be a whole number of at least 1, got 0"):
        check_seq2seq(**(SEQ2SEQ | {"max_length": 0}))
    with pytest.raises(Refused, match=r"^augment\.paraphrase_seq2seq\.paraphraser: cannot load"):
        seq2seq([("a", "x")], tiny_model)
    with pytest.raises(Refused, match=r"^augment\.paraphrase_seq2seq\.paraphraser: no checkpoint in"):
        fingerprint_seq2seq(paraphraser=str(tmp_path), paraphraser_revision="main")
