"""The recording of an endpoint's replies: a JSONL file in which each reply is found by its request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prepsweep.errors import Refused
from prepsweep.identity import hash_json

Request = Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    """What the endpoint said, why it stopped ("length" where it was cut off at `max_tokens`), and the tokens it counted."""

    text: str
    finish_reason: str
    n_prompt_tokens: int = 0
    n_reply_tokens: int = 0


class Recording:
    """Replies by what was asked, so that a rerun asks nothing; one line `{"request": …, "reply": …, "finish_reason": …}` each.

    The request is the whole body that is sent, never a header, so no key is in the file. A request that is there twice
    has its first reply. A last line without its end was cut off while it was written and does not count.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._replies = dict(_read(path))

    def find(self, request: Request) -> Reply | None:
        """The recorded reply, or None."""
        return self._replies.get(hash_json(request))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """For `add`: one process at a time, so that runs which ask the same do not both pay; reads what others wrote before."""
        from filelock import FileLock

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            self._replies = dict(_read(self.path))
            with self.path.open("ab+") as file:
                _end_at_a_line(file)
                self._file = file
                yield

    def add(self, request: Request, reply: Reply) -> None:
        """Write one reply, at once: what has been paid for is not lost when the run ends early."""
        line: dict[str, Any] = {"request": request, "reply": reply.text, "finish_reason": reply.finish_reason}
        if reply.n_prompt_tokens or reply.n_reply_tokens:
            line["tokens"] = [reply.n_prompt_tokens, reply.n_reply_tokens]
        self._file.write(json.dumps(line, ensure_ascii=True).encode() + b"\n")
        self._file.flush()
        self._replies[hash_json(request)] = reply


def _read(path: Path) -> Iterator[tuple[str, Reply]]:
    if not path.exists():
        return
    seen: set[str] = set()
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        if not line.endswith(b"\n") or not line.strip():
            continue
        try:
            entry = json.loads(line)
            reply = Reply(str(entry["reply"]), str(entry["finish_reason"]), *map(int, entry.get("tokens", ())))
            key = hash_json(entry["request"])
        except (ValueError, KeyError, TypeError) as error:
            what = "is no recorded reply ({request, reply, finish_reason} in JSON)"
            raise Refused(f"{path}:{number}", what, "take the line out, or name another replies_file") from error
        if key not in seen:
            seen.add(key)
            yield key, reply


def _end_at_a_line(file: Any) -> None:
    """Take out a last line that was cut off while it was written."""
    file.seek(0)
    whole = file.read().rfind(b"\n") + 1
    file.truncate(whole)
