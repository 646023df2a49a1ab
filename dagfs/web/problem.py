"""How errors are told by HTTP: a status, a code that stays what it is, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagfs.errors import DagfsError, ExitCode, SpecError

CODES: Mapping[str, tuple[int, str]] = {
    "bad_request": (400, "The request ended too early, or cannot be understood."),
    "usage": (400, "A parameter or the body does not fit; the message says which and why."),
    "unauthorized": (401, "There is no token, or it is none of this server's."),
    "forbidden": (403, "The token's role may not do this, or a page of another server asked for it."),
    "not_found": (404, "There is no such run, DAG, step, file or address."),
    "method_not_allowed": (405, "The address is there, but not for this method."),
    "too_slow": (408, "The request took too long to arrive (408), or what it asks goes on (504)."),
    "refused": (409, "A rule refuses, or asks what was not answered. Nothing has changed."),
    "nothing_to_do": (409, "It stands so already. Nothing has changed."),
    "plan_moved": (409, "The run is not what the plan was made for. Nothing has changed."),
    "busy": (409, "Another engine owns the run. Nothing has changed."),
    "changed": (412, "It is another version by now than the one of `If-Match`. Nothing has changed."),
    "too_large": (413, "The body is larger than the route takes."),
    "unsupported_media_type": (415, "The body is not of a media type that the route takes."),
    "wrong_host": (421, "The server does not answer to that name."),
    "spec_invalid": (422, "A spec has problems: `problems` lists all of them with their places."),
    "key_reused": (422, "The same `Idempotency-Key` came with another request before."),
    "precondition_required": (428, "Something is there already: say with `If-Match` which version you saw."),
    "too_many": (429, "Too many actions at once; `Retry-After` says when to come again."),
    "error": (500, "The operation was begun and came to nothing; the message says why."),
    "bug": (500, "A bug in dagfs; the log of `dagfs serve` has the traceback."),
    "io_error": (500, "The file system refused something; the message names the path."),
}
"""Every code that the API tells, its usual status, and what it means."""
_BY_EXIT = {
    ExitCode.USAGE: "usage",
    ExitCode.SPEC_INVALID: "spec_invalid",
    ExitCode.NOT_FOUND: "not_found",
    ExitCode.REFUSED: "refused",
    ExitCode.NOTHING_TO_DO: "nothing_to_do",
    ExitCode.PLAN_MOVED: "plan_moved",
    ExitCode.BUSY: "busy",
    ExitCode.IO_ERROR: "io_error",
    ExitCode.TIMED_OUT: "too_slow",
    ExitCode.BUG: "bug",
}
_ENDED_LATE = 504


class Told(DagfsError):
    """An error that only a request can meet; `code` is one of CODES and says its status."""

    def __init__(self, code: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


def code_of(error: DagfsError) -> str:
    """The code of any error of dagfs."""
    return error.code if isinstance(error, Told) else _BY_EXIT.get(error.exit_code, "error")


def status_of(error: DagfsError) -> int:
    """The HTTP status of any error of dagfs."""
    return _ENDED_LATE if error.exit_code is ExitCode.TIMED_OUT else CODES[code_of(error)][0]


def error_data(error: DagfsError, code: str = "") -> dict[str, Any]:
    """An error as the API tells it."""
    problems = error.problems if isinstance(error, SpecError) else ()
    return {
        "error": {
            "code": code or code_of(error),
            "exit_code": None if isinstance(error, Told) else int(error.exit_code),
            "message": error.message,
            "hint": error.hint,
            "problems": [
                {
                    "file": each.file,
                    "line": each.line,
                    "column": each.column,
                    "severity": each.severity,
                    "message": each.message,
                    "hint": each.hint,
                }
                for each in problems
            ],
        }
    }
