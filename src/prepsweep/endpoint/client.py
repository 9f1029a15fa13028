"""An OpenAI-compatible endpoint: one POST a request, several at a time, again where it is busy or fails."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from prepsweep.endpoint.replies import Reply, Request
from prepsweep.errors import Refused

N_TRIES = 6
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
TIMEOUT_SECONDS = 120.0
_AGAIN = {408, 409, 429, 500, 502, 503, 504, 529}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: urllib would take the key along to whatever host it names."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, and with which key; the key is in no message and no representation."""

    base_url: str
    where: str
    api_key: str | None = field(default=None, repr=False)

    def ask(self, request: Request) -> Reply:
        """The reply to `request`, after up to six tries: 1, 2, 4, … seconds apart, or as long as `Retry-After` says."""
        pause = FIRST_WAIT_SECONDS
        for n_left in reversed(range(N_TRIES)):
            try:
                return self._ask_once(request)
            except urllib.error.HTTPError as error:
                said, pause_asked = self._said(error), _retry_after(error)
                if error.code not in _AGAIN or not n_left:
                    raise self._refused(f"answers {error.code}{said}") from None
            except (OSError, http.client.HTTPException) as error:
                pause_asked = None
                if not n_left:
                    raise self._refused(f"gives no answer ({getattr(error, 'reason', None) or error or type(error).__name__})") from None
            time.sleep(min(LONGEST_WAIT_SECONDS, pause if pause_asked is None else pause_asked))
            pause *= 2
        raise AssertionError("unreachable: the last try returns or refuses")

    def _ask_once(self, request: Request) -> Reply:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.api_key}"} if self.api_key else {})
        asked = urllib.request.Request(  # noqa: S310 - `check` lets http and https alone pass
            f"{self.base_url.rstrip('/')}/chat/completions", json.dumps(request).encode(), headers, method="POST"
        )
        with _OPENER.open(asked, timeout=TIMEOUT_SECONDS) as response:
            body = response.read()
        try:
            answer = json.loads(body)
            (choice, *_) = answer["choices"]
            # Half a surrogate pair, as a cut-off reply can end in, is no text that Arrow could keep.
            text = str(choice["message"]["content"] or "").encode("utf-8", "replace").decode()
            return Reply(text, str(choice.get("finish_reason")), *_usage(answer.get("usage")))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._refused(f"answers no chat completion: {self._hidden(body.decode('utf-8', 'replace'))!r}") from None

    def _said(self, error: urllib.error.HTTPError) -> str:
        with error:
            said = self._hidden(error.read().decode("utf-8", "replace"))
        return f": {said}" if said else ""

    def _hidden(self, said: str) -> str:
        """The start of what a server said in one line, without the key: some repeat it."""
        line = " ".join(said.split())
        return (line.replace(self.api_key, "***") if self.api_key else line)[:200]

    def _refused(self, what: str) -> Refused:
        fix = "check base_url, model, the key and the server, then run again: what is recorded is not asked again"
        return Refused(f"{self.where}.base_url", f"{self.base_url} {what}", fix)


def _usage(told: Any) -> tuple[int, int]:
    """Tokens of the prompt and of the reply, as the server counts them; 0 where it does not say."""
    counts = [told.get(name) if isinstance(told, dict) else 0 for name in ("prompt_tokens", "completion_tokens")]
    n_prompt, n_reply = (count if isinstance(count, int) else 0 for count in counts)
    return n_prompt, n_reply


def _retry_after(error: urllib.error.HTTPError) -> float | None:
    given = error.headers.get("Retry-After", "")
    return float(given) if given.isdecimal() else None


def ask_all(endpoint: Endpoint, requests: Sequence[Request], *, n_parallel: int) -> Iterator[tuple[Request, Reply]]:
    """`requests` with their replies as they come, `n_parallel` under way at a time.

    After one is refused no more are sent; those under way are waited for and given, then the refusal is raised.
    """
    refusal: Refused | None = None
    waiting = iter(requests)
    with ThreadPoolExecutor(n_parallel) as pool:
        running: dict[Future[Reply], Request] = {pool.submit(endpoint.ask, request): request for request in islice(waiting, n_parallel)}
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                request = running.pop(future)
                try:
                    reply = future.result()
                except Refused as error:
                    refusal = refusal or error
                    continue
                yield request, reply
                if refusal is None:
                    running |= {pool.submit(endpoint.ask, following): following for following in islice(waiting, 1)}
    if refusal is not None:
        raise refusal
