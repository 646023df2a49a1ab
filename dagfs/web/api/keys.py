"""`Idempotency-Key`: what came twice with the same key happens once, and is answered twice."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dagfs.errors import UsageError
from dagfs.web.problem import Told

KEPT_SEC = 3600.0
_MOST = 1000
_LARGEST = 64 << 10
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class _Known:
    digest: str
    answer: asyncio.Future[Response]
    since: float


class Keys:
    """The keys of the last hour, of this server alone. To be used within one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def once(
        self, key: str, request: Request, body: Any, do: Callable[[], Awaitable[Response]]
    ) -> Response:
        """The answer of `do`, or the one that this key had before. What failed may be tried again."""
        if not _KEY.fullmatch(key):
            raise UsageError("Idempotency-Key: expected 1 to 200 printable characters")
        self._forget()
        whole, digest = _digest(_whose(request), key), digest_of(request, body)
        known = self._known.get(whole)
        if known is None:
            return await self._first(whole, digest, do)
        if known.digest != digest:
            raise Told("key_reused", "this Idempotency-Key came with another request before")
        return _again(await asyncio.shield(known.answer))

    async def _first(self, key: str, digest: str, do: Callable[[], Awaitable[Response]]) -> Response:
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._known[key] = _Known(digest, answer, self._clock())
        # Nobody may wait for it, and then nobody is to be told that it failed.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        # A visitor who goes away does not undo what was begun.
        return await asyncio.shield(asyncio.ensure_future(self._carry_out(key, answer, do)))

    async def _carry_out(
        self, key: str, answer: asyncio.Future[Response], do: Callable[[], Awaitable[Response]]
    ) -> Response:
        try:
            found = await do()
        except BaseException as error:
            self._known.pop(key, None)
            answer.set_exception(error)
            raise
        answer.set_result(found)
        if len(found.body) > _LARGEST:
            self._known.pop(key, None)
        return found

    def _forget(self) -> None:
        old = self._clock() - KEPT_SEC
        while self._known:
            first = next(iter(self._known.values()))
            if first.since > old and len(self._known) < _MOST:
                return
            self._known.popitem(last=False)


def keys_of(request: Request) -> Keys:
    """The keys that this server knows."""
    state = request.app.state
    if not hasattr(state, "keys"):
        state.keys = Keys()
    found = state.keys
    assert isinstance(found, Keys)
    return found


def digest_of(request: Request, body: Any) -> str:
    """What tells one request from another: its method, address, query and body."""
    said = body.hex() if isinstance(body, bytes) else json.dumps(body, sort_keys=True)
    return _digest(request.method, request.url.path, request.url.query, said)


def _whose(request: Request) -> str:
    """A key means something for one visitor alone."""
    return request.headers.get("authorization", "") or request.headers.get("cookie", "")


def _digest(*texts: str) -> str:
    whole = "\0".join(f"{len(text)} {text}" for text in texts)
    return hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()


def _again(answer: Response) -> Response:
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return Response(bytes(answer.body), answer.status_code, {**headers, "Idempotent-Replay": "true"})
