"""The grammar of references in spec text: `$NAME`, `${NAME}`, `${NAME.path}`, `${step.stdout:0:5}`, `$1`.

A path may be anything from `${params.date}` to `${steps.load.outputs.rows[0].id}`.

Only finding them is here; what they stand for is decided in `dagfs.spec.values`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dagfs.model.value import frozen

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PATH = r"(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*|\[\d+\])+"
_STEP = r"[A-Za-z][A-Za-z0-9_-]*"
PATTERN = re.compile(
    rf"""
    \$\{{(?P<name>{_STEP}|{_NAME}|[0-9]+)(?P<path>{_PATH})?(?P<slice>:\d+(?::\d+)?)?\}}
    | \$(?P<bare>{_NAME}|[0-9])
    """,
    re.VERBOSE,
)


@frozen
class Reference:
    """One reference: `${name.path:offset:length}` or `$name`."""

    name: str
    path: str = ""
    """What follows the name, its leading dot left off: `stdout`, `a.b[2]`."""
    slice: tuple[int, int | None] | None = None
    """Offset and length in characters."""
    start: int = 0
    end: int = 0

    @property
    def is_bare(self) -> bool:
        """Written without braces: `$name`."""
        return self.end - self.start == len(self.name) + 1

    @property
    def first(self) -> str:
        """The first word of its path: `a` of `a.b[2]`; empty where there is none."""
        return self.path.partition("[")[0].partition(".")[0]

    @property
    def text(self) -> str:
        """As a person would write it."""
        return f"${{{self.name}{'.' if self.path and self.path[0] != '[' else ''}{self.path}}}"


def references(text: str) -> Iterator[Reference]:
    """Every reference in `text`, left to right, whether or not anything has that name."""
    for found in PATTERN.finditer(text):
        if found["bare"]:
            yield Reference(found["bare"], start=found.start(), end=found.end())
            continue
        cut = None
        if found["slice"]:
            offset, _, length = found["slice"][1:].partition(":")
            cut = (int(offset), int(length) if length else None)
        path = (found["path"] or "").removeprefix(".")
        yield Reference(found["name"], path, cut, found.start(), found.end())
