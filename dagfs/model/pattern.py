"""Regular expressions of specs: those of RE2, which take time in proportion to the text, never more.

Values come from outside, and a backtracking engine can be kept busy for years by forty characters.
RE2 is also what Dagu's own expressions are written for. It is loaded when a first expression is met.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

LONGEST = 4096
"""Characters of an expression."""
LARGEST_TEXT = 1 << 20
"""Characters of a text that are searched."""


class BadPattern(ValueError):
    """A text that is no regular expression; the message says why."""


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    if len(pattern) > LONGEST:
        raise BadPattern(f"it has {len(pattern):,} characters; the most allowed is {LONGEST:,}")
    library = import_module("re2")
    options = library.Options()
    options.log_errors = False
    try:
        return library.compile(pattern, options)
    except UnicodeEncodeError:
        raise BadPattern("it is no UTF-8") from None
    except library.error as error:
        said = error.args[0] if error.args else error
        raise BadPattern(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None


def check(pattern: str) -> None:
    """Raise BadPattern for what is no expression."""
    _compiled(pattern)


def found_in(pattern: str, text: str) -> bool:
    """Whether some part of the text fits. BadPattern for what is no expression."""
    # Text may hold bytes of files that are no UTF-8; they fit `.` as the mark that stands for them.
    clean = text[:LARGEST_TEXT].encode("utf-8", "replace").decode("utf-8")
    return _compiled(pattern).search(clean) is not None


def spans(pattern: str, text: str) -> list[tuple[int, int]]:
    """Where the parts of a text begin and end that fit. BadPattern for what is no expression."""
    return [match.span() for match in _compiled(pattern).finditer(text[:LARGEST_TEXT])]
