"""Every operation of the API, in the order their addresses are looked through, and their routes."""

from __future__ import annotations

from typing import Any

from dagfs.web.api import (
    answers,
    artifacts,
    dags,
    openapi,
    plans,
    queues,
    runs,
    scheduler,
    search,
    server,
    specs,
    steps,
)
from dagfs.web.api.operation import Answer, Call, Operation, get

_document: dict[str, Any] = {}


def get_description(_: Call) -> Any:
    return description()


def description() -> dict[str, Any]:
    """The OpenAPI document of all operations; made once."""
    if not _document:
        _document.update(openapi.document(OPERATIONS))
    return _document


_OWN = (
    get(
        "/openapi.json",
        get_description,
        "This description",
        Answer("In OpenAPI 3.1.", {"type": "object"}),
    ),
)
OPERATIONS: tuple[Operation, ...] = (
    *dags.OPERATIONS,
    *runs.OPERATIONS,
    *steps.OPERATIONS,
    *artifacts.OPERATIONS,
    *specs.OPERATIONS,
    *plans.OPERATIONS,
    *answers.OPERATIONS,
    *queues.OPERATIONS,
    *search.OPERATIONS,
    *scheduler.OPERATIONS,
    *server.OPERATIONS,
    *_OWN,
    # Behind those that end in a word: a run may be named ROOT/CHILD.
    *runs.ONE,
)
ROUTES = (*server.ROUTES, *(each.route() for each in OPERATIONS))
