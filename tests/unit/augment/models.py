"""Fixtures of augmentations by a model: a masked language model with random weights, and an endpoint on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Answer = tuple[int, dict[str, str], bytes]


def completion(text: str, finish_reason: str = "stop") -> Answer:
    """What an OpenAI-compatible endpoint answers."""
    body = {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}]}
    return 200, {}, json.dumps(body).encode()


def rewritten(request: dict[str, Any]) -> Answer:
    """A reply that depends on the request alone."""
    return completion(f"In other words ({request.get('seed')}): {request['messages'][0]['content'].splitlines()[-1][::-1]}")


class LocalEndpoint:
    """A server on 127.0.0.1 that notes what it was asked; `answer` says what it answers."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], Answer] = rewritten
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(request)
                outer.headers.append(dict(self.headers))
                outer.paths.append(self.path)
                status, headers, body = outer.answer(request)
                self.send_response(status)
                for name, value in (headers | {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        # A client that did not wait for its answer is no news.
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalEndpoint]:
    """A server of the test's own; a proxy of the environment does not stand between."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = LocalEndpoint()
    yield server
    server.close()


@pytest.fixture(scope="session")
def paraphrase_endpoint() -> Iterator[str]:
    """The address of a server that rewrites every text in a way that its seed decides."""
    server = LocalEndpoint()
    yield server.url
    server.close()


@pytest.fixture(scope="session")
def tiny_masked_lm(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A masked BERT with random weights and the vocabulary of `tiny_model`."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    folder = tmp_path_factory.mktemp("tiny_masked_lm")
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 64}
    BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), initializer_range=0.5, **sizes)).save_pretrained(folder)
    return folder
