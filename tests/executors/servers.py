"""Small servers on this machine for tests and stories: HTTP, and mail that is kept instead of delivered."""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        """Connections are cut and refused on purpose here."""


@contextmanager
def _serving(server: _Server, released: threading.Event) -> Iterator[int]:
    """The port of a server that answers while this is entered; then `released` frees what it holds up."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Web:
    """What a web server heard, and where it is."""

    port: int = 0
    heard: list[dict[str, Any]] = field(default_factory=list)
    scheme: str = "http"
    go: threading.Event = field(default_factory=threading.Event)
    """Once set, `/held` is answered."""

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


@contextmanager
def web(context: ssl.SSLContext | None = None) -> Iterator[Web]:
    """Answers by path: /status/503, /redirect?to=URL&code=302, /drop, /slow, /held; echoes all else."""
    found = Web(scheme="https" if context else "http")
    released = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            said = {
                "method": self.command,
                "path": self.path,
                "headers": dict(self.headers),
                "body": body.decode("latin-1"),
            }
            found.heard.append(said)
            if self.path.startswith("/status/"):
                self.answer(int(self.path.split("?")[0].split("/")[2]), {"why": "as asked"})
            elif self.path.startswith("/redirect"):
                code, _, to = self.path.partition("?")[2].partition("&to=")
                self.answer(int(code), {}, Location=to)
            elif self.path == "/drop":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"half")
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            elif self.path == "/slow":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                released.wait(60)
            else:
                found.go.wait(60 if self.path == "/held" else 0)
                self.answer(200, said)

        def answer(self, status: int, value: object, **headers: str) -> None:
            data = json.dumps(value).encode() if status != 204 else b""
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, text in headers.items():
                self.send_header(name, text)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = handle_any  # noqa: N815

    server = _Server(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with _serving(server, released) as found.port:
        yield found


@dataclass
class Post:
    """What a mail server took."""

    port: int = 0
    letters: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    """Sender, receivers and message of each mail."""
    logins: list[str] = field(default_factory=list)
    was_tls: list[bool] = field(default_factory=list)


@dataclass
class _Manner:
    """How a mail server behaves."""

    found: Post
    context: ssl.SSLContext | None
    implicit: bool
    refuse: str
    silent: bool
    released: threading.Event = field(default_factory=threading.Event)


class _Conversation(socketserver.StreamRequestHandler):
    """One client's words, answered as a mail server does."""

    manner: _Manner

    def setup(self) -> None:
        if self.manner.context and self.manner.implicit:
            self.request = self.manner.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self) -> None:
        if self.manner.silent:
            self.manner.released.wait(60)
            return
        self.tls = self.manner.implicit
        self.sender, self.receivers = "", list[str]()
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].split(":")[0].upper()
            answer = getattr(self, f"on_{verb.lower()}", None)
            if verb == "QUIT":
                self.say("221 bye")
                return
            self.say(answer(line) if answer else "250 ok")

    def on_ehlo(self, _: str) -> str:
        offer = ["250-STARTTLS"] if self.manner.context and not self.tls else []
        return "\r\n".join(["250-here", *offer, "250 AUTH PLAIN"])

    def on_starttls(self, _: str) -> str:
        assert self.manner.context
        self.say("220 go")
        self.request = self.manner.context.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)
        self.tls = True
        return self.after_tls()

    def after_tls(self) -> str:
        """The client speaks first again: its next word is answered as any other."""
        line = self.rfile.readline().decode().strip()
        answer = getattr(self, f"on_{line.split()[0].lower()}", None)
        return str(answer(line)) if answer else "250 ok"

    def on_auth(self, line: str) -> str:
        self.manner.found.logins.append(line.rsplit(maxsplit=1)[-1])
        return "235 in"

    def on_mail(self, line: str) -> str:
        self.sender = line[10:].split(">", maxsplit=1)[0].lstrip("<")
        return "250 ok"

    def on_rcpt(self, line: str) -> str:
        if self.manner.refuse and self.manner.refuse in line:
            return "550 nobody of that name"
        self.receivers.append(line[8:].strip("<>"))
        return "250 ok"

    def on_data(self, _: str) -> str:
        self.say("354 go on")
        lines = iter(self.rfile.readline, b".\r\n")
        data = b"".join(line.removeprefix(b".") for line in lines).replace(b"\r\n", b"\n")
        found = self.manner.found
        found.letters.append((self.sender, self.receivers, message_from_bytes(data, policy=default)))
        found.was_tls.append(self.tls)
        self.sender, self.receivers = "", []
        return "250 kept"


@contextmanager
def post(
    context: ssl.SSLContext | None = None, *, implicit: bool = False, refuse: str = "", silent: bool = False
) -> Iterator[Post]:
    """A mail server; with a `context` it offers STARTTLS, or speaks TLS from the first byte.

    `refuse` is a word in receivers that it does not take; a `silent` one never answers.
    """
    found = Post()
    manner = _Manner(found, context, implicit, refuse, silent)

    class Handler(_Conversation):
        pass

    Handler.manner = manner
    with _serving(_Server(("127.0.0.1", 0), Handler), manner.released) as found.port:
        yield found


def certificate(folder: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1 and localhost, made now."""
    path = folder / "server.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [*words, "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
        check=True,
        capture_output=True,
    )
    path.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return path


def tls(path: Path) -> ssl.SSLContext:
    """A server's context with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
