"""Searching in specs and logs, the newest runs first."""

from __future__ import annotations

from typing import Any

from dagfs.errors import UsageError
from dagfs.web.api.operation import Answer, Call, Parameter, get
from dagfs.web.api.shapes import FLAG, TEXT, WHOLE, having, list_of, maybe, one_of
from dagfs.web.pages.search import searched
from dagfs.web.search import Found
from dagfs.web.views.finding import Hit

_WHERE = ("specs", "logs")


def search_texts(call: Call) -> Any:
    where = call["in"] or list(_WHERE)
    search, wrong = searched(call.request, call["q"], where, call["dag"] or "", is_pattern=call["re"])
    if search is None:
        raise UsageError(wrong)
    return {"found": [_data(each) for each in search.found], "stopped": search.stopped or None}


def _data(found: Found) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "name": found.name,
        "run": found.run or None,
        "step": found.step or None,
        "hits": [_lines(each) for each in found.hits],
    }


def _lines(hit: Hit) -> list[dict[str, Any]]:
    return [
        {
            "line": each.number,
            "text": "".join(piece.text for piece in each.pieces),
            "is_hit": any(piece.is_hit for piece in each.pieces),
        }
        for each in hit.lines
    ]


_LINE = having({"line": WHOLE, "text": TEXT, "is_hit": FLAG})
_FOUND = having(
    {
        "kind": one_of(("dag", "spec", "log")),
        "name": TEXT,
        "run": maybe("string"),
        "step": maybe("string"),
        "hits": list_of(list_of(_LINE)),
    }
)
OPERATIONS = (
    get(
        "/search",
        search_texts,
        "Search specs and logs",
        Answer(
            "Files with the lines around each place; `stopped` says why not everything was looked at.",
            having({"found": list_of(_FOUND), "stopped": maybe("string")}),
        ),
        Parameter(
            "q",
            "The text, in any case.",
            {"type": "string", "pattern": "[^ ]", "maxLength": 500},
            required=True,
            example="timeout",
        ),
        Parameter("in", "Only there.", list_of(one_of(_WHERE))),
        Parameter("dag", "Only runs of that DAG.", TEXT),
        Parameter("re", "It is a regular expression of RE2.", {**FLAG, "default": False}),
    ),
)
