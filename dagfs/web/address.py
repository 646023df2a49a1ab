"""What an address names: checked before anything is looked for on disk."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request

from dagfs.errors import NotFound
from dagfs.store.layout import HomePaths, valid_address
from dagfs.web.site import site_of


def request_run(request: Request) -> str:
    """The run that an address is about, `ROOT` or `ROOT/CHILD`. NotFound unless it is there."""
    child = request.path_params.get("child")
    run = request.path_params["run"] + (f"/{child}" if child else "")
    return found_run(site_of(request).home.paths, run, "it may have been removed by `dagfs clean`")


def found_run(home: HomePaths, run: str, hint: str) -> str:
    """The run itself. NotFound, with the hint, unless it can be one and is there."""
    if not valid_address(run) or not home.run(run).root.is_dir():
        raise NotFound(f"there is no run {run!r}", hint=hint)
    return run


def request_number(request: Request, name: str, default: int, most: int = 1 << 50) -> int:
    """A number of the query, from 0 on; the default where it is none."""
    text = request.query_params.get(name, "")
    return min(int(text), most) if text.isdecimal() and len(text) < 20 else default


def here(request: Request, **changes: object) -> str:
    """The address of the page that is shown, with some words of its query changed; None takes one out."""
    query = [pair for pair in request.query_params.multi_items() if pair[0] not in changes]
    query += [(name, str(value)) for name, value in changes.items() if value is not None]
    return request.url.path + (f"?{urlencode(query)}" if query else "")


def inside(target: str, default: str = "/") -> str:
    """An address of this server that a form names; the default for any other."""
    odd = any(ord(char) <= 32 or char == "\\" for char in target)
    return target if target.startswith("/") and not target.startswith("//") and not odd else default
