"""The page's server: on this machine only, for those who hold an address with a token, and for no other site's scripts."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from prepsweep.errors import Refused
from prepsweep.review.session import Person, Session

_FILES = {"": ("page.html", "text/html"), "page.css": ("page.css", "text/css"), "page.js": ("page.js", "text/javascript")}
_HOST = "127.0.0.1"
_MAX_BODY = 100_000
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    """Serves `session` at one address for each token of `tokens`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, session: Session, *, port: int, tokens: Mapping[str, Person]) -> None:
        try:
            super().__init__((_HOST, port), _Handler)
        except OSError as error:
            raise Refused("--port", f"{port} cannot be used: {error.strerror}", "leave --port out: a free one is taken") from error
        self.session, self.tokens = session, tokens
        self.origin = f"http://{_HOST}:{self.server_address[1]}"
        here = files("prepsweep.review")
        self.files = {name: (here.joinpath(file).read_bytes(), kind) for name, (file, kind) in _FILES.items()}

    @property
    def addresses(self) -> dict[str, Person]:
        return {f"{self.origin}/{token}/": person for token, person in self.tokens.items()}

    def person(self, token: str) -> Person | None:
        # All are compared, each in constant time: how long it takes tells nothing about a token.
        same = [hmac.compare_digest(known.encode(), token.encode("utf-8", "replace")) for known in self.tokens]
        return next((person for person, is_same in zip(self.tokens.values(), same, strict=True) if is_same), None)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        person, name, query = self._asked()
        if person is None:
            return
        if name in self.server.files:
            self._send(HTTPStatus.OK, *self.server.files[name])
        elif name == "state":
            self._send_json(self.server.session.state(person))
        elif name == "rows":
            start, n_rows = (int(value) if (value := query.get(key, "")).isdecimal() else 0 for key in ("start", "n"))
            self._send_json(self.server.session.rows(person, start, n_rows))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "nothing here")

    def do_POST(self) -> None:
        person, name, _ = self._asked()
        if person is None:
            return None
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MAX_BODY:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long")
        body = self.rfile.read(int(length))
        # A browser says which site a script that sends something is from: another site's has no business here.
        if self.headers.get("Origin") != self.server.origin or self.headers.get_content_type() != "application/json":
            return self._refuse(HTTPStatus.FORBIDDEN, "not from this page")
        if name != "decide":
            return self._refuse(HTTPStatus.NOT_FOUND, "nothing here")
        try:
            asked = json.loads(body)
            uid, action, label = (asked[key] for key in ("uid", "action", "label"))
            self.server.session.decide(person, str(uid), str(action), str(label))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except OSError as error:
            return self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, f"not written: {error.strerror}")
        return self._send_json(self.server.session.state(person))

    def log_message(self, *_: Any) -> None:
        """Keep addresses with tokens out of the terminal."""

    def _asked(self) -> tuple[Person | None, str, dict[str, str]]:
        """Who asks for what; None where the answer, a refusal, is sent already."""
        # Another name for this machine is one that a foreign site gave to it (DNS rebinding).
        if self.headers.get("Host") != urlsplit(self.server.origin).netloc:
            self._refuse(HTTPStatus.FORBIDDEN, "not the address that was printed")
            return None, "", {}
        address = urlsplit(self.path)
        _, token, name = (*address.path.split("/", 2), "", "")[:3]
        person = self.server.person(token)
        if person is None:
            self._refuse(HTTPStatus.NOT_FOUND, "nothing here: use the whole address that was printed")
        return person, name, {key: values[0] for key, values in parse_qs(address.query).items()}

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        # What was sent along may not have been read: the connection is not used again.
        self.close_connection = True
        self._send(status, json.dumps({"error": why}).encode(), "application/json")

    def _send_json(self, value: Any) -> None:
        self._send(HTTPStatus.OK, json.dumps(value, ensure_ascii=True).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in (_HEADERS | {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
