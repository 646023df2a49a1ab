"""What a fanned-out step runs for: its items, and what tells one from another. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dagfs.model.dag import Parallel

_WORD = re.compile(r'"([^"]*)"|(\S+)')
MOST = 10_000
"""The most items one step may have."""


def items_of(parallel: Parallel, expand: Callable[[str], str]) -> list[Any]:
    """The items, references replaced: texts, or plain JSON values. Equal items of `parallel` count once.

    ValueError where there are more than `MOST`.
    """
    found = [_expanded(item, expand) for item in parallel.items]
    if parallel.source:
        found += _listed(expand(parallel.source))
    if not parallel.is_foreach:
        found = list({as_text(item): item for item in found}.values())
    if len(found) > MOST:
        raise ValueError(f"there are {len(found)} items, and {MOST} is the most")
    return found


def _expanded(item: Any, expand: Callable[[str], str]) -> Any:
    if isinstance(item, str):
        return expand(item)
    if isinstance(item, Mapping):
        return {key: _expanded(value, expand) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [_expanded(value, expand) for value in item]
    return item


def _listed(text: str) -> Iterator[Any]:
    """A JSON list; else one item a line; in one line what stands between commas and the like, or words.

    A JSON object is one item.
    """
    text = text.strip()
    whole = _json(text)
    if isinstance(whole, list):
        yield from whole
    elif isinstance(whole, dict):
        yield whole
    else:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        for part in lines if len(lines) > 1 else _parts(text):
            value = _json(part)
            yield value if isinstance(value, dict) else part


def _parts(line: str) -> list[str]:
    """The items of one line, split at the first of these that it holds; blanks within quotes do not count."""
    if separator := next((each for each in ",;|\t" if each in line), ""):
        return [part.strip() for part in line.split(separator) if part.strip()]
    return [quoted or word for quoted, word in _WORD.findall(line)]


def _json(text: str) -> Any:
    if not text.startswith(("[", "{")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def as_text(item: Any) -> str:
    """The item as references and parameters see it: a text is itself, all else is JSON."""
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)


def identity(item: Any, key: str = "") -> str:
    """What makes it the same item in another attempt: the value of its field `key`, or all of it."""
    if key and isinstance(item, Mapping) and key in item:
        return json.dumps([key, item[key]], sort_keys=True)
    return json.dumps(item, sort_keys=True)
