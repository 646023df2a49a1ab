"""The actions of Dagu 2 (`action:` with `with:`), rewritten into the keys that older spellings have.

So there is one way to read a step. An action that dagfs has no executor for becomes a step whose type is
the action's name: it is accepted with a warning, and fails when it is run.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import NamedTuple

from dagfs.spec import keys
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, is_nothing, plain
from dagfs.spec.reader import Reader

OUTSIDE_TYPES = frozenset(
    [
        "chat",
        "gha",
        "github_action",
        "github-action",
        "agent",
        "postgres",
        "sqlite",
        "redis",
        "s3",
        "sftp",
        "k8s",
        "kubernetes",
        "harness",
        "template",
        "log",
        "git",
        "file",
        "artifact",
        "data",
        "state",
        "wait",
        "build",
        "controller",
        "decision",
        "browser",
        "computer",
    ]
)
"""Kinds of steps of Dagu that dagfs has no executor for."""
_OUTSIDE = re.compile(
    r"(?:file|artifact|data|git|git\.worktree|wait|state|template|postgres|sqlite|redis|s3|sftp|k8s|kubernetes"
    r"|harness|chat|agent|log|decision|browser|computer|mailbox|xlsx|js|node|duckdb)\.[a-z_.]+|dag\.enqueue"
)
_SHELL_KEYS = {"shell", "shell_args", "shell_packages"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


class Action(NamedTuple):
    """How an action is said in older keys."""

    type: str = ""
    """The executor; empty where other keys say what is run."""
    moved: tuple[tuple[str, str], ...] = ()
    """Keys of `with` that are keys of the step: `(here, there)`."""
    command: str = ""


_COMMAND = (("command", "command"),)
_SCRIPT = (("script", "script"), ("command", "command"))
ACTIONS: dict[str, Action] = {
    "http.request": Action("http"),
    "jq.filter": Action("jq", (("filter", "command"),)),
    "mail.send": Action("mail"),
    "archive.create": Action("archive", command="create"),
    "archive.extract": Action("archive", command="extract"),
    "archive.list": Action("archive", command="list"),
    "docker.run": Action("docker", _SCRIPT),
    "container.run": Action("docker", _SCRIPT),
    "ssh.run": Action("ssh", _SCRIPT),
    "python.run": Action("python", _SCRIPT),
    "python.script": Action("python", _SCRIPT),
    "noop": Action("noop"),
    "run": Action(moved=(("command", "run"), ("script", "script"), *((word, word) for word in _SHELL_KEYS))),
    "dag.run": Action(moved=(("dag", "call"), ("params", "params"))),
    "router.route": Action("router", (("value", "value"), ("routes", "routes"))),
    "human.task": Action("hitl"),
}
"""Those that become the keys of a step one by one."""


def rewrite(reader: Reader, node: Mapping, executors: frozenset[str]) -> Mapping:
    """A step without `action:`, and with what `with:` held where older spellings have it."""
    here = {entry.key: entry for entry in node.entries}
    named, given = here.get("action"), here.get("with", here.get("config"))
    if named is None:
        return _shell_settings(node, here, given)
    if clash := next(
        (here[key] for key in ("run", "command", "script", "type", "call") if key in here), None
    ):
        reader.error(clash.mark, f"'{clash.key}' beside action in line {named.line}", "keep one of the two")
    name = reader.string(named.value, "action").strip()
    if given and not isinstance(given.value, Mapping) and not is_nothing(given.value):
        reader.mapping(given.value, given.key)
    inner = given.value.entries if given and isinstance(given.value, Mapping) else ()
    made = _entries(reader, name, named, inner, executors)
    dropped = (named, given, clash)
    rest = tuple(entry for entry in node.entries if entry not in dropped)
    return Mapping((*rest, *made), node.line, node.column)


def _shell_settings(node: Mapping, here: dict[str, Entry], given: Entry | None) -> Mapping:
    """A command's `with:` may hold nothing but what belongs to its shell, which is the step's own."""
    if given is None or "run" not in here or "type" in here or not isinstance(given.value, Mapping):
        return node
    inner = given.value.entries
    if not {entry.key for entry in inner} <= _SHELL_KEYS:
        return node
    rest = tuple(entry for entry in node.entries if entry is not given)
    return Mapping((*rest, *inner), node.line, node.column)


def _entries(
    reader: Reader, name: str, at: Entry, inner: tuple[Entry, ...], executors: frozenset[str]
) -> tuple[Entry, ...]:
    if name in _SPECIAL:
        return _SPECIAL[name](reader, at, inner)
    action = ACTIONS.get(name)
    if action is None:
        return _other(reader, name, at, inner, executors)
    moved = dict(action.moved)
    made = [_moved(entry, moved[entry.key]) for entry in inner if entry.key in moved]
    rest = tuple(entry for entry in inner if entry.key not in moved)
    if action.command:
        made.append(entry_at(at, "command", text_at(at, action.command)))
    if action.type:
        made.append(entry_at(at, "type", text_at(at, action.type)))
        return (*made, entry_at(at, "config", Mapping(rest, at.line, at.column)))
    for entry in rest:
        hint = reader.suggestion(entry.key, list(moved))
        reader.error(entry.mark, f"unknown key '{entry.key}' in with of {name}", hint)
    if name == "dag.run" and not any(entry.key == "call" for entry in made):
        reader.error(at.mark, "action dag.run needs dag: in with")
        return (entry_at(at, "type", text_at(at, "noop")),)
    return (*made,)


def _moved(entry: Entry, key: str) -> Entry:
    """The entry as a key of the step; a script given as data becomes its JSON text."""
    value = entry.value
    if key == "script" and not isinstance(value, Scalar):
        value = text_at(entry, json.dumps(plain(value), ensure_ascii=False))
    return Entry(key, value, entry.line, entry.column)


def _other(
    reader: Reader, name: str, at: Entry, inner: tuple[Entry, ...], executors: frozenset[str]
) -> tuple[Entry, ...]:
    """An executor of a plugin by its name, something outside dagfs, or a slip of the pen."""
    if name not in executors and not is_outside(name):
        reader.error(at.value.mark, f"there is no action '{name}'", reader.suggestion(name, known_actions()))
        return (entry_at(at, "type", text_at(at, "noop")),)
    return (
        entry_at(at, "type", Scalar(name, name, at.value.line, at.value.column)),
        entry_at(at, "config", Mapping(inner, at.line, at.column)),
    )


def known_actions() -> list[str]:
    """Every action that can be run."""
    return sorted((*ACTIONS, *_SPECIAL))


def is_outside(kind: str) -> bool:
    """Whether Dagu has such a kind of step, or action, and dagfs has not."""
    return kind in OUTSIDE_TYPES or _OUTSIDE.fullmatch(kind) is not None or "@" in kind


def text_at(at: Entry, text: str) -> Scalar:
    """A text that stands where `at` does."""
    return Scalar(text, text, at.line, at.column)


def entry_at(at: Entry, key: str, value: Node) -> Entry:
    return Entry(key, value, at.line, at.column)


# -- actions that are something else here --------------------------------------------------------


def _exec(_: Reader, at: Entry, inner: tuple[Entry, ...]) -> tuple[Entry, ...]:
    return (entry_at(at, "exec", Mapping(inner, at.line, at.column)),)


def _log_write(reader: Reader, at: Entry, inner: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The message is data: it goes through the environment, never into shell text."""
    message = _one(reader, at, inner, "message", "log.write")
    pair = Mapping((Entry("DAGFS_MESSAGE", message, message.line, message.column),), at.line, at.column)
    script = "printf '%s\\n' \"$DAGFS_MESSAGE\""
    return entry_at(at, "env", pair), entry_at(at, "run", text_at(at, script))


def _wait_duration(reader: Reader, at: Entry, inner: tuple[Entry, ...]) -> tuple[Entry, ...]:
    said = _one(reader, at, inner, "duration", "wait.duration")
    found = _DURATION.fullmatch(said.text.strip())
    if found is None:
        reader.error(said.mark, f"duration must be a time such as 30s or 5m, not '{said.text}'")
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    return (entry_at(at, "exec", _words(at, ["sleep", f"{seconds:g}"])),)


def _words(at: Entry, words: list[str]) -> Mapping:
    args = Sequence(tuple(text_at(at, word) for word in words[1:]), at.line, at.column)
    pairs = (entry_at(at, "command", text_at(at, words[0])), entry_at(at, "args", args))
    return Mapping(pairs, at.line, at.column)


def _outputs_write(reader: Reader, at: Entry, inner: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Values are published as they stand, under their names."""
    values = next((entry.value for entry in inner if entry.key == "values"), None)
    if not isinstance(values, Mapping):
        reader.error(at.mark, "action outputs.write needs values: with a map")
        values = Mapping(())
    fields = tuple(
        entry._replace(value=Mapping((entry_at(entry, "value", entry.value),), entry.line, entry.column))
        for entry in values.entries
    )
    block = Mapping(fields, at.line, at.column)
    return entry_at(at, "type", text_at(at, "noop")), entry_at(at, "output", block)


def _one(reader: Reader, at: Entry, inner: tuple[Entry, ...], key: str, action: str) -> Scalar:
    """The one text that an action takes."""
    for entry in inner:
        if entry.key != key:
            reader.error(entry.mark, f"unknown key '{entry.key}' in with of {action}")
        elif isinstance(entry.value, Scalar):
            return entry.value
    reader.error(at.mark, f"action {action} needs {key}: in with")
    return text_at(at, "")


_SPECIAL: dict[str, Callable[[Reader, Entry, tuple[Entry, ...]], tuple[Entry, ...]]] = {
    "exec": _exec,
    "log.write": _log_write,
    "wait.duration": _wait_duration,
    "outputs.write": _outputs_write,
}


def direct(reader: Reader, entry: Entry) -> str:
    """`exec:` as the text of a command that no shell reads: its words, quoted."""
    if isinstance(entry.value, Scalar):
        return reader.string(entry.value, entry.key)
    node = reader.mapping(entry.value, entry.key)
    if node is None:
        return ""
    fields = reader.fields(node, keys.EXEC, entry.key)
    words = [reader.string(fields["command"].value, "command")] if "command" in fields else []
    if not any(words) and not fields.refused:
        reader.error(entry.mark, f"{entry.key} needs a command")
    if "args" in fields:
        words += reader.strings(fields["args"].value, "args")
    return shlex.join(words)
