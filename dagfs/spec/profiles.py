"""Profiles as `dagfs.yaml` or a file of their own has them: steps, or patterns of names, to places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagfs.model.dag import Variable
from dagfs.model.profile import Placement, Profile
from dagfs.model.spelling import get_close_matches
from dagfs.spec.config import CANONICAL, canonical, snake

KEYS: Mapping[str, str] = {
    "executor": "the executor, by the name that a step's `type:` has; without it the step's own",
    "with": "its settings; over those of the spec where the executor is the step's own",
    "env": "more variables of the step, in place of its own of that name",
    "shell": "the shell, in place of the step's or the DAG's",
    "working_dir": "where the step starts",
    "sees_files": "true: the files of this machine are there as well, at the same paths",
}
"""What may be said of a place, with what it means."""
_ALIASES = {"type": "executor", "config": "with"}
Wrong = tuple[str, str]
"""Where, as a dotted path below the profile, and what."""


def read_profile(name: str, data: Any, source: str = "") -> tuple[Profile, list[Wrong]]:
    """A profile from plain data: a map from steps to an executor's name, or to a map of `KEYS`."""
    if not isinstance(data, Mapping) or not data:
        return Profile(name, source), [("", "a profile is a map from steps to executors")]
    placements, wrong = [], []
    for steps, said in data.items():
        given = {"executor": said} if isinstance(said, str) else said
        if not isinstance(given, Mapping) or not given:
            wrong.append((str(steps), "must be an executor, or a map of what is to be in its place"))
            continue
        spelt = {_ALIASES.get(snake(str(key)), snake(str(key))): value for key, value in given.items()}
        found = list(_misfits(spelt))
        wrong += [(f"{steps}.{key}", message) for key, message in found]
        if not found:
            placements.append(_placement(str(steps), spelt))
    return Profile(name, source, tuple(placements)), wrong


def _misfits(given: Mapping[str, Any]) -> Iterator[Wrong]:
    for key, value in given.items():
        if key not in KEYS:
            near = get_close_matches(key, KEYS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(KEYS)}"
            yield key, f"a place has no setting {key!r}; {hint}"
        elif message := _misfit(key, value):
            yield key, message


def _misfit(key: str, value: Any) -> str:
    if key == "with":
        return "" if isinstance(value, Mapping) else "must be a map of settings"
    if key == "env":
        pairs = _pairs(value)
        fits = pairs is not None and all(_is_plain(each) for each in pairs.values())
        return "" if fits else "must be a map from names to values"
    if key == "sees_files":
        return "" if isinstance(value, bool) else "must be true or false"
    if key == "shell":
        words = [value] if isinstance(value, str) else value
        fits = isinstance(words, list) and bool(words) and all(isinstance(word, str) for word in words)
        return "" if fits else "must be a text or a list of texts"
    return "" if isinstance(value, str) and value else "must be a text"


def _pairs(value: Any) -> dict[str, Any] | None:
    """A map, or a list of maps, as one map."""
    if isinstance(value, Mapping):
        return {str(name): each for name, each in value.items()}
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        return None
    return {str(name): each for one in value for name, each in one.items()}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else "" if value is None else str(value)


def _placement(steps: str, given: Mapping[str, Any]) -> Placement:
    executor, shell = given.get("executor", ""), given.get("shell", ())
    config = given.get("with", {})
    pairs = _pairs(given.get("env", {})) or {}
    return Placement(
        steps,
        executor,
        # Without an executor it is known only beside a step which spelling its settings have.
        canonical(config, executor) if executor in CANONICAL or not executor else dict(config),
        tuple(Variable(name, _text(value)) for name, value in pairs.items()),
        tuple(shell.split()) if isinstance(shell, str) else tuple(shell),
        given.get("working_dir", ""),
        given.get("sees_files"),
    )
