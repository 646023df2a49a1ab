"""Where a step runs: its executor, or what the engine does in place of one, as its type says."""

from __future__ import annotations

from collections.abc import Collection

from dagfs.model.dag import Approval, Executor
from dagfs.model.value import replace
from dagfs.spec import actions, calls, config, policies
from dagfs.spec.drafts import Draft
from dagfs.spec.node import Entry
from dagfs.spec.reader import Fields, Reader

_ONE_COMMAND = frozenset(("jq", "http", "mail", "archive", "python"))
"""Executors that take a single command."""


def executor(
    reader: Reader, draft: Draft, fields: Fields, executors: Collection[str] | None
) -> Executor | None:
    """What the step itself says of where it runs; None where it says nothing."""
    if "container" in fields:
        if other := fields.get("executor") or fields.get("type"):
            say = f"'container' beside '{other.key}' in line {other.line}"
            reader.error(fields["container"].mark, say, "keep one of the two")
        draft.marks["executor"] = fields["container"].mark
        if draft.kind == "cmd":
            draft.kind = "docker"
        return Executor("docker", config.container(reader, fields["container"]))
    if not fields.keys() & {"executor", "type", "config"}:
        return None
    made = policies.executor(reader, fields)
    for name in ("type", "executor"):
        if name in draft.marks:
            draft.marks["executor"] = draft.marks["executor.type"] = draft.marks[name]
    node = policies.config_node(fields)
    for entry in node.entries if node else ():
        canonical = config.snake(entry.key) if made.type in config.CANONICAL else entry.key
        draft.marks[f"executor.config.{canonical}"] = entry.mark
    draft.marks.setdefault("executor", draft.marks.get("config", draft.mark))
    _check_type(reader, draft, made, fields, executors)
    if made.type != "shell" and draft.kind in ("cmd", "script"):
        draft.kind = made.type
    return made


def _check_type(
    reader: Reader, draft: Draft, made: Executor, fields: Fields, executors: Collection[str] | None
) -> None:
    known = {*(executors or ()), *config.CANONICAL, "shell", "router", *policies.SUB_DAG_TYPES}
    if actions.is_outside(made.type) and made.type not in (executors or ()):
        message = f"dagfs has no executor '{made.type}': this step fails when it is run"
        reader.warning(draft.marks["executor"], message)
    elif executors is not None and made.type not in known:
        hint = reader.suggestion(made.type, known)
        reader.error(draft.marks["executor"], f"there is no executor '{made.type}'", hint)
    lines = fields.get("command") or fields.get("run")
    if made.type in _ONE_COMMAND and lines and len(draft.values.get("command", ())) > 1:
        reader.error(lines.mark, f"the executor '{made.type}' takes one command, not a list")


def router(reader: Reader, draft: Draft, fields: Fields) -> None:
    at = fields.get("type") or fields.get("executor") or next(iter(fields.values()))
    draft.values["router"] = calls.router(reader, fields.get("value"), fields.get("routes"), at)
    draft.marks["router"] = fields["routes"].mark if "routes" in fields else at.mark
    draft.kind = "router"


def sub_dag(reader: Reader, draft: Draft, fields: Fields, said: Executor) -> None:
    """`executor: dag` with `call:`, or with the DAG's name among its settings."""
    at = fields.get("type") or fields.get("executor")
    if "call" in draft.values or at is None:
        return
    inner = policies.config_node(fields)
    here = {entry.key: entry for entry in inner.entries} if inner else {}
    named = here.get("dag") or here.get("name")
    if named is None:
        reader.error(at.mark, f"the executor '{said.type}' needs call: with the name of a DAG")
        fields.refused = True
        return
    given = fields.get("params") or here.get("params")
    draft.values["call"] = calls.call(reader, named, given)


def hitl(reader: Reader, draft: Draft, fields: Fields, said: Executor) -> None:
    """A step that only waits for somebody: its settings are those of an approval."""
    node = policies.config_node(fields)
    entries = {entry.key: entry for entry in node.entries} if node else {}
    if "form" in entries:
        names, required = calls.form(reader, entries["form"])
        prompt = reader.string(entries["prompt"].value, "prompt") if "prompt" in entries else ""
        made = Approval(prompt, names, required)
    elif node is not None:
        at = fields.get("config") or fields["executor"]
        made = calls.approval(reader, Entry(at.key, node, at.line, at.column))
    else:
        made = Approval()
    draft.values["approval"] = made
    draft.values["executor"] = replace(said, config={})
