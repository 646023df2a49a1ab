"""Waiting for something to change without holding a thread: a page that stays live asks again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from dagfs.web.site import site_of

LONGEST_WAIT = 60
_LOOK_SEC = 0.3

T = TypeVar("T")


async def awaited(
    request: Request,
    look: Callable[[], object],
    make: Callable[[], T],
    is_news: Callable[[T], bool],
    seconds: float,
) -> T:
    """What `make` gives, made again whenever `look` gives another value, until it is news or time is up.

    Both are called in a thread; in between none is held.
    """
    end = time.monotonic() + seconds
    while True:
        # Looked at before it is made: what comes in between is seen by the next look.
        seen = await run_in_threadpool(look)
        found = await run_in_threadpool(make)
        if is_news(found) or not await _changed(request, look, seen, end):
            return found


async def _changed(request: Request, look: Callable[[], object], seen: object, end: float) -> bool:
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(_LOOK_SEC, left))
        if await run_in_threadpool(look) != seen:
            return True
        if site_of(request).ending.is_set() or await request.is_disconnected():
            return False
    return False
