"""The http step's own process: one request, its redirects, and what is shown of the answer."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from dagfs.executors.child import connection
from dagfs.executors.child.connection import Refused
from dagfs.executors.child.task import fail, take, told

_MOVED = frozenset({301, 302, 303, 307, 308})
_SECRET = ("authorization", "cookie", "token", "secret", "key", "password")


@dataclass(frozen=True)
class Request:
    """What is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


def main() -> None:
    task = take()
    try:
        sys.exit(_exchange(task))
    except TimeoutError:
        fail(f"http: no complete answer within {task['timeout']:g} s")
    except (OSError, ValueError, http.client.HTTPException) as error:
        fail(f"http: {told(error)}")


def _exchange(task: Mapping[str, Any]) -> int:
    deadline = time.monotonic() + task["timeout"] if task["timeout"] else None
    opener = connection.Opener(task, deadline)
    most = left = _redirects(task)
    message = _first(task)
    while True:
        answer = _send(task, opener, message)
        target = answer.headers.get("Location")
        if answer.status not in _MOVED or not target or not most:
            return _show(task, message, answer, deadline)
        if not left:
            raise Refused(f"more than {most} redirects, the last of them from {_shown(message.url)}")
        left -= 1
        message = _redirected(message, answer.status, urljoin(message.url, target))
        answer.close()


def _redirects(task: Mapping[str, Any]) -> int:
    """The step's number, or the home's where that is lower."""
    return int(min(task["redirects"], task["policy"].get("max_redirects", task["redirects"])))


def _first(task: Mapping[str, Any]) -> Request:
    headers = {name: _header(name, value) for name, value in (task["headers"] or {}).items()}
    body, kind = _body(task)
    if kind and "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = kind
    return Request(task["method"], _with_query(task["url"], task["query"] or {}), headers, body)


def _header(name: str, value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    if "\n" in text or "\r" in text:
        raise ValueError(f"the header {name} holds a line break")
    return text


def _with_query(url: str, query: Mapping[str, Any]) -> str:
    parts = urlsplit(url)
    pairs = [*parse_qsl(parts.query, keep_blank_values=True)]
    if query:
        pairs += [(name, each) for name, value in query.items() for each in _several(value)]
    text = urlencode(pairs) if query else parts.query
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", text, ""))


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _body(task: Mapping[str, Any]) -> tuple[bytes | None, str]:
    """What is sent, and its content type where the spec does not have to know it."""
    if task["files"]:
        return _multipart(task["form"] or {}, task["files"])
    if task["form"]:
        pairs = [(name, each) for name, value in task["form"].items() for each in _several(value)]
        return urlencode(pairs).encode(), "application/x-www-form-urlencoded"
    body = task["body"]
    if body is None:
        return None, ""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogateescape"), "text/plain; charset=utf-8"
    return json.dumps(body).encode(), "application/json"


def _multipart(form: Mapping[str, Any], files: Mapping[str, Any]) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    parts = [
        (f'name="{_quoted(name)}"', str(each).encode()) for name, v in form.items() for each in _several(v)
    ]
    for name, path in files.items():
        with open(path, "rb") as file:
            parts.append(
                (f'name="{_quoted(name)}"; filename="{_quoted(os.path.basename(path))}"', file.read())
            )
    lines = [
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
        for head, data in parts
    ]
    return b"".join(lines) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")


def _redirected(message: Request, status: int, url: str) -> Request:
    """The next request: to another place it takes no credentials along, and 303 asks with GET."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise Refused(f"a redirect leads to {url!r}, which is no http or https address")
    before, after = urlsplit(message.url), urlsplit(url)
    if before.scheme == "https" and after.scheme == "http":
        raise Refused(f"a redirect leads from https to {url}")
    if (before.scheme, before.netloc) != (after.scheme, after.netloc):
        message = replace(message, headers=_public(message.headers))
    if status == 303 or (status in (301, 302) and message.method == "POST"):
        return Request("HEAD" if message.method == "HEAD" else "GET", url, _without_body(message.headers))
    return replace(message, url=url)


def _public(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not _is_secret(name)}


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET)


def _without_body(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not name.lower().startswith("content-")}


def _send(task: Mapping[str, Any], opener: connection.Opener, message: Request) -> http.client.HTTPResponse:
    if task["debug"]:
        _narrate(">", f"{message.method} {message.url}", message.headers)
    answer = opener.send(message.method, message.url, message.headers, message.body)
    if task["debug"]:
        _narrate("<", f"{answer.status} {answer.reason}", dict(answer.headers.items()))
    return answer


def _narrate(mark: str, line: str, headers: Mapping[str, str]) -> None:
    shown = [f"{name}: {'…' if _is_secret(name) else value}" for name, value in headers.items()]
    sys.stderr.write("".join(f"{mark} {each}\n" for each in (line, *shown)))


def _show(
    task: Mapping[str, Any], message: Request, answer: http.client.HTTPResponse, deadline: float | None
) -> int:
    """Print the answer; the exit code."""
    good = 200 <= answer.status < 300
    if task["json"] or task["format"] == "json":
        _show_json(answer, b"".join(_pieces(answer, deadline)), alone=task["silent"] and good)
    elif task["output"] and good:
        _save(task["output"], _pieces(answer, deadline))
    else:
        _show_text(answer, _pieces(answer, deadline), alone=task["silent"])
    sys.stdout.flush()
    if not good:
        fail(
            f"http: {message.method} {_shown(message.url)} was answered with {answer.status} {answer.reason}"
        )
    return 0


def _shown(url: str) -> str:
    """The address without what may be secret in it."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _pieces(answer: http.client.HTTPResponse, deadline: float | None) -> Iterator[bytes]:
    while piece := answer.read1(1 << 16):
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError
        yield piece
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)


def _show_text(answer: http.client.HTTPResponse, pieces: Iterator[bytes], *, alone: bool) -> None:
    out = sys.stdout.buffer
    if not alone:
        head = [
            f"{answer.status} {answer.reason}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        out.write(("\n".join(head) + "\n\n").encode("utf-8", "surrogateescape"))
    for piece in pieces:
        out.write(piece)
    out.flush()


def _show_json(answer: http.client.HTTPResponse, data: bytes, *, alone: bool) -> None:
    text = data.decode(answer.headers.get_content_charset() or "utf-8", "replace")
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    shown = {} if alone else {"status_code": answer.status, "headers": _by_name(answer.headers)}
    sys.stdout.write(json.dumps({**shown, "body": body}, ensure_ascii=False) + "\n")


def _by_name(headers: Message) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers.items():
        found.setdefault(name, []).append(value)
    return found


def _save(path: str, pieces: Iterator[bytes]) -> None:
    """Write a file that is only ever there whole."""
    pending = f"{path}.part"
    try:
        with open(pending, "wb") as file:
            for piece in pieces:
                file.write(piece)
        os.replace(pending, path)
    except BaseException:
        if os.path.exists(pending):
            os.unlink(pending)
        raise


if __name__ == "__main__":
    main()
