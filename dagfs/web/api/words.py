"""What a body says, as the words that the command line has for it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dagfs.engine.profiles import is_path
from dagfs.errors import UsageError

EDITS = ("set", "timeout", "tags", "with", "with_steps", "spec")
"""What changes the spec: whoever may say it may run any program."""
_LISTS = {
    "allow": "--allow",
    "ack": "--ack",
    "from": "--from",
    "only": "--only",
    "to": "--to",
    "set": "--set",
    "tags": "--tag",
    "with_steps": "--with-steps",
}
_TEXTS = {"reason": "--reason", "profile": "--profile", "with": "--with", "timeout": "--timeout"}
_FLAGS = {"kill_orphans": "--kill-orphans", "all": "--all", "latest": "--latest"}


def words_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The options of `dagfs plan`, `retry` and `rerun`; each with its value in one word. UsageError."""
    require_name(body)
    return tuple(_words(body))


def _words(body: Mapping[str, Any]) -> Iterator[str]:
    stale = body.get("on_stale", {})
    for step, answer in ({"*": stale} if isinstance(stale, str) else stale).items():
        yield f"--on-stale={answer}" if step == "*" else f"--on-stale={step}={answer}"
    for name, option in _LISTS.items():
        yield from (f"{option}={text}" for text in body.get(name, ()))
    for name, option in _TEXTS.items():
        if body.get(name):
            yield f"{option}={body[name]}"
    yield from (option for name, option in _FLAGS.items() if body.get(name))
    if "cutoff" in body:
        yield "--cutoff" if body["cutoff"] else "--no-cutoff"
    yield from (f"--param={name}={value}" for name, value in params_of(body).items())


def params_of(body: Mapping[str, Any]) -> dict[str, str]:
    """The values of parameters as texts: numbers and flags as JSON has them."""
    given = body.get("params", {})
    return {name: each if isinstance(each, str) else json.dumps(each) for name, each in given.items()}


def require_name(body: Mapping[str, Any]) -> None:
    """UsageError for a profile that is a file: it could be anybody's."""
    if is_path(body.get("profile", "")):
        raise UsageError(
            "profile: the API takes names alone, not files",
            hint="put it into profiles/ of the home, or under `profiles:` in dagfs.yaml",
        )
