"""One address of the server, as data, so that a test can try every one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dagfs.web.role import Role

Endpoint = Callable[..., Any]
LARGEST_BODY = 1 << 20
"""Bytes of a request, unless its route takes more."""
LARGEST_SPEC_BODY = 16 << 20
"""A spec of 4 MB, in the worst spelling that a form can give it."""


@dataclass(frozen=True, slots=True)
class Route:
    """Which method and path lead where, and what a visitor must be allowed to."""

    method: str
    """`GET`, which changes nothing and answers HEAD as well, `POST`, `PUT` or `DELETE`."""
    path: str
    endpoint: Endpoint
    """Called with the request: a plain function in a thread, an async one in the event loop."""
    role: Role = Role.VIEW
    largest: int = LARGEST_BODY


def for_run(method: str, rest: str, endpoint: Endpoint, role: Role = Role.VIEW, **more: Any) -> list[Route]:
    """A route below `/runs/RUN` and the same for its children; `request_run` tells which one is meant."""
    heads = ("/runs/{run}", "/runs/{run}/children/{child}")
    return [Route(method, head + rest, endpoint, role, **more) for head in heads]
