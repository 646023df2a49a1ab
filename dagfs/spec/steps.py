"""Steps and handlers: from nodes to drafts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection
from typing import Any

from dagfs.model.dag import HANDLER_EVENTS, Call, Executor, Inputs, Mark, Step
from dagfs.model.value import field, mutable
from dagfs.spec import actions, calls, check, documents, keys, outputs, placement, policies, variables
from dagfs.spec.drafts import Draft, name_drafts
from dagfs.spec.inherited import Inherited
from dagfs.spec.names import LONGEST, slash_in_name, wrong_id, wrong_step_name
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, is_nothing, kind
from dagfs.spec.reader import Fields, Reader

_LOGS = ("separate", "merged")
_RUN_FILES = ("shell", "docker", "ssh")
"""Executors that run a script by its `#!` line."""


def shell_words(reader: Reader, entry: Entry) -> tuple[str, ...]:
    """`bash -e`, or a list of the program and its arguments."""
    if not isinstance(entry.value, Scalar):
        return reader.strings(entry.value, entry.key)
    try:
        return tuple(shlex.split(reader.string(entry.value, entry.key)))
    except ValueError:
        reader.error(entry.value.mark, f"{entry.key} has a quote that is not closed")
        return ()


def log_output(reader: Reader, entry: Entry) -> str:
    """`separate` or `merged`."""
    said = reader.string(entry.value, entry.key)
    if said and said not in _LOGS:
        hint = reader.suggestion(said, _LOGS)
        reader.error(entry.value.mark, f"{entry.key} must be 'separate' or 'merged', not '{said}'", hint)
    return said if said in _LOGS else ""


def inputs(reader: Reader, entry: Entry) -> Inputs:
    """A list of files, or a map of `files` and `strict`; what Dagu means by the key is not used."""
    node = entry.value
    if not isinstance(node, Mapping):
        return Inputs(reader.strings(node, entry.key))
    if node.get("files") is None:
        message = f"key '{entry.key}' is not used by this version, but for the key files in it"
        reader.warning(entry.mark, message)
        return Inputs()
    found = reader.fields(node, keys.INPUTS, entry.key)
    strict = "strict" in found and reader.boolean(found["strict"].value, "strict")
    return Inputs(reader.strings(found["files"].value, "files") if "files" in found else (), strict)


@mutable
class StepReader:
    """Reads the steps of one document: what they inherit, and the executors there are (None: any)."""

    reader: Reader
    executors: Collection[str] | None = None
    around: Inherited = field(default_factory=Inherited)
    chained: bool = False
    """Steps follow each other, inline bodies too."""
    around_body: Callable[[], str] = str
    """Gives the lines that an inline body has from the DAG around it."""

    # -- the forms of `steps:` -----------------------------------------------------------------

    def steps(self, entry: Entry, chained: bool) -> list[Draft]:
        """A list of steps, with nested lists as groups of a chain, or a map from name to step."""
        node = entry.value
        if isinstance(node, Mapping):
            return [self._named(each) for each in node.entries]
        if isinstance(node, Scalar):
            self.reader.error(node.mark, f"{entry.key} must be a list or a map, not {kind(node)}")
            return []
        drafts: list[Draft] = []
        before = range(0)
        for item in node.items:
            if isinstance(item, Sequence) and not chained:
                self.reader.error(
                    item.mark, "a list inside steps needs type: chain", "or use depends to order steps"
                )
            group = item.items if isinstance(item, Sequence) else (item,)
            start = len(drafts)
            drafts += [self._item(each, start + place, before) for place, each in enumerate(group)]
            before = range(start, len(drafts)) if chained and group else before
        return drafts

    def _item(self, node: Node, place: int, before: range) -> Draft:
        draft = self._draft(node, f"step {place + 1}")
        draft.before = before
        return draft

    def _named(self, entry: Entry) -> Draft:
        draft = self._draft(entry.value, f"step '{entry.key}'")
        draft.mark = draft.marks[""] = entry.mark
        said = draft.values.setdefault("name", entry.key)
        draft.marks.setdefault("name", entry.mark)
        if said != entry.key:
            self.reader.error(draft.marks["name"], f"the step '{entry.key}' is named '{said}' as well")
        return draft

    def handlers(self, entry: Entry) -> dict[str, Step]:
        """`handler_on`: from event to step, in the order of `HANDLER_EVENTS`."""
        node = self.reader.mapping(entry.value, entry.key)
        if node is None:
            return {}
        found: dict[str, Step] = {}
        fields = self.reader.fields(node, keys.HANDLER_ON, entry.key)
        for event in HANDLER_EVENTS:
            if event not in fields or is_nothing(fields[event].value):
                continue
            draft = self._draft(fields[event].value, f"the {event} handler")
            if draft.words:
                self.reader.error(draft.words[0][1], f"the {event} handler cannot depend on steps")
            if draft.router or "approval" in draft.values:
                self.reader.error(draft.mark, f"the {event} handler cannot be a router, or wait for approval")
            draft.values.setdefault("name", "on" + event.capitalize())
            draft.marks[""] = fields[event].mark
            found[event] = Step(**draft.values, marks=draft.marks)
        return found

    # -- one step ------------------------------------------------------------------------------

    def _draft(self, node: Node, where: str) -> Draft:
        draft = Draft(node.mark, marks={"": node.mark})
        if isinstance(node, Mapping):
            name = node.get("name")
            if isinstance(name, Scalar) and name.text:
                where = f"step '{name.text}'"
            self._fill(draft, self.reader.fields(self._rewritten(node), keys.STEP, where), where)
        elif isinstance(node, Sequence):
            self.reader.error(node.mark, f"{where} must be a command or a map, not a list")
        elif node.value is None:
            self.reader.error(node.mark, f"{where} is empty")
        else:
            draft.values["command"] = (node.text,)
            draft.marks["command"] = node.mark
            draft.kind = "script" if "\n" in node.text.strip() else "cmd"
            self._place(draft, Fields())
        return draft

    def _rewritten(self, node: Mapping) -> Mapping:
        """The step with actions said in older keys."""
        if self.reader.dialect.name == "dagu1":
            return node
        return actions.rewrite(
            self.reader, self.around.templates.expand(self.reader, node), frozenset(self.executors or ())
        )

    def _fill(self, draft: Draft, fields: Fields, where: str) -> None:
        for name, entry in fields.items():
            draft.marks[name] = entry.mark
            draft.marks |= _text_mark(name, entry)
            read = _READERS.get(name)
            if read is not None:
                value = read(self.reader, entry)
                if value not in ("", ()):
                    draft.values[name] = value
        self._check_words(draft)
        self._command(draft, fields)
        self._shell(draft, fields)
        if "env" in fields:
            draft.values["env"], marks = variables.env(self.reader, fields["env"])
            draft.marks |= marks
        if "depends" in fields:
            draft.words = list(self.reader.marked_strings(fields["depends"].value, fields["depends"].key))
        self._outputs(draft, fields)
        self._items(draft, fields, where)
        self._place(draft, fields)
        self._check_work(draft, fields, where)

    def _check_words(self, draft: Draft) -> None:
        """Names and ids must be well formed; a wrong id is dropped so that nothing finds it."""
        if wrong := wrong_step_name(draft.name):
            self.reader.error(draft.marks["name"], wrong)
        elif "/" in draft.name:
            # Files of Dagu 1 are to be read as they are; its folder's name is safe in any case.
            report = self.reader.warning if self.reader.dialect.name == "dagu1" else self.reader.error
            report(draft.marks["name"], slash_in_name(draft.name))
        if draft.id and (wrong := wrong_id(draft.id)):
            self.reader.error(draft.marks["id"], wrong)

    def _command(self, draft: Draft, fields: Fields) -> None:
        """`command`, `run` and `exec` are the same thing: what is run."""
        said = [entry for name, entry in fields.items() if name in ("command", "run", "exec")]
        if len(said) > 1:
            same = f"'{said[1].key}' says the same as '{said[0].key}' in line {said[0].line}"
            self.reader.error(said[1].mark, same, "keep one of the two")
        for entry in said[:1]:
            draft.marks["command"] = entry.mark
            draft.marks |= _text_mark("command", entry)
            if entry.key == "exec":
                lines: tuple[str, ...] = (actions.direct(self.reader, entry),)
                draft.values["shell"] = ("direct",)
            else:
                lines = self.reader.strings(entry.value, entry.key)
            if any(line.strip() for line in lines):
                draft.values["command"] = lines
        lines = draft.values.get("command", ())
        if "script" in draft.values or (len(lines) == 1 and "\n" in lines[0].strip()):
            draft.kind = "script"

    def _shell(self, draft: Draft, fields: Fields) -> None:
        words: tuple[str, ...] = ()
        for name in ("shell", "shell_args"):
            if name in fields:
                words += shell_words(self.reader, fields[name])
        if words:
            draft.values["shell"] = words

    def _outputs(self, draft: Draft, fields: Fields) -> None:
        published: tuple[Any, ...] = ()
        if "output" in fields:
            made, more = outputs.output(self.reader, fields["output"])
            draft.values |= {"output": made} if made.name else {}
            published += more
        for name in ("stdout", "stderr"):
            if name in fields:
                path, more = outputs.stream(self.reader, fields[name])
                draft.values |= {name: path} if path else {}
                published += more
        if "outputs" in fields:
            published += outputs.outputs(self.reader, fields["outputs"])
            draft.marks["outputs"] = fields["outputs"].mark
        if published:
            draft.values["outputs"] = published
        out, err = draft.values.get("stdout"), draft.values.get("stderr")
        if out and out == err:
            hint = "give one of them: the step's log has both"
            self.reader.error(draft.marks["stderr"], "stdout and stderr name the same file", hint)

    # -- what the engine does itself -------------------------------------------------------------

    def _items(self, draft: Draft, fields: Fields, where: str) -> None:
        """Sub-DAGs, `parallel` and `foreach`."""
        if "call" in fields:
            draft.values["call"] = calls.call(self.reader, fields["call"], fields.get("params"))
            draft.kind = "dag"
        if "parallel" in fields:
            draft.values["parallel"] = calls.parallel(self.reader, fields["parallel"])
            draft.kind = "parallel"
        if "foreach" in fields:
            self._foreach(draft, fields["foreach"])
            draft.kind = "foreach"
        self._check_calls(fields, where)

    def _check_calls(self, fields: Fields, where: str) -> None:
        clashes = [("foreach", name) for name in ("call", "parallel", "command", "run", "script", "exec")]
        clashes += [("call", name) for name in ("command", "run", "script", "exec")]
        for one, other in clashes:
            if one in fields and other in fields:
                message = f"{where} has both '{fields[one].key}' and '{fields[other].key}'"
                self.reader.error(fields[other].mark, message, "a step does one thing: keep one of the two")
                fields.refused = True

    def _foreach(self, draft: Draft, entry: Entry) -> None:
        node = self.reader.mapping(entry.value, entry.key)
        if node is None:
            return
        fields = self.reader.fields(node, keys.FOREACH, entry.key)
        draft.values["parallel"] = calls.foreach(self.reader, fields, entry)
        if "steps" not in fields:
            if not fields.refused:
                self.reader.error(entry.mark, f"{entry.key} needs steps")
            return
        inner = fields["steps"]
        drafts = self.steps(inner, self.chained)
        if not drafts:
            self.reader.error(inner.mark, f"{entry.key} needs at least one step")
        name_drafts(drafts, self.reader.dialect.name)
        check.check_steps(self.reader, drafts, self.chained)
        name = re.sub(r"[^A-Za-z0-9_.]+", "-", draft.id or draft.name or "foreach").strip("-.")
        type_ = "chain" if self.chained else "graph"
        body = f"name: {name[:LONGEST] or 'foreach'}\ntype: {type_}\n{self.around_body()}"
        body += documents.entry_text(self.reader.text, inner)
        read = documents.parsed(body)
        draft.values["call"] = Call(body=body, body_sha256=documents.digest(read) if read else "")

    # -- where it runs ---------------------------------------------------------------------------

    def _place(self, draft: Draft, fields: Fields) -> None:
        """The executor, completed by what the DAG says for all steps, and its defaults."""
        said = placement.executor(self.reader, draft, fields, self.executors)
        if said is not None and said.type == "router":
            placement.router(self.reader, draft, fields)
        elif said is not None and said.type in policies.SUB_DAG_TYPES:
            placement.sub_dag(self.reader, draft, fields, said)
        elif said is not None and said.type == "hitl":
            placement.hitl(self.reader, draft, fields, said)
        elif "value" in fields or "routes" in fields:
            odd = fields.get("routes") or fields["value"]
            self.reader.error(odd.mark, f"'{odd.key}' belongs to a step of type router")
        engine_work = draft.router or "call" in draft.values
        if not engine_work:
            waits = said is None and "approval" in draft.values and not self._is_busy(fields)
            said = Executor("hitl") if waits else said
            made = said or self.around.executor()
            if made is not None:
                draft.values["executor"] = made
        self.around.complete(draft.values)
        _file_interpreted(draft)

    @staticmethod
    def _is_busy(fields: Fields) -> bool:
        """It has something that a shell or another program is to run."""
        said = (fields[name] for name in ("command", "run", "script", "exec") if name in fields)
        return any(not _is_empty(entry.value) or isinstance(entry.value, Mapping) for entry in said)

    def _check_work(self, draft: Draft, fields: Fields, where: str) -> None:
        made = draft.values.get("executor")
        engine = {"call", "router"} & draft.values.keys()
        waits = made is not None and made.type == "hitl"
        local = not waits and (made is None or made.type == "shell" or "executor" not in draft.marks)
        if "params" in fields and "call" not in draft.values and local:
            self.reader.warning(
                fields["params"].mark, "params are those of a sub-DAG, and this step has none"
            )
        if "parallel" in fields and "call" not in draft.values and not fields.refused:
            hint = "name the DAG that each item runs with call:"
            self.reader.error(fields["parallel"].mark, f"{where} has items, but no DAG to run them", hint)
        elif (
            not self._is_busy(fields)
            and local
            and not engine
            and "foreach" not in fields
            and not fields.refused
        ):
            key = "command" if self.reader.dialect.name == "dagu1" else "run"
            self.reader.error(draft.mark, f"{where} has nothing to run", f"give it {key}: or script:")


def _file_interpreted(draft: Draft) -> None:
    """Make a script of a command of several lines whose `#!` line says what runs it.

    As for a script, only the step's own shell stands before that line.
    """
    values = draft.values
    made, lines = values.get("executor") or Executor(), values.get("command", ())
    if made.type not in _RUN_FILES or "shell" in values or "script" in values or len(lines) != 1:
        return
    if lines[0].startswith("#!") and "\n" in lines[0].strip():
        values["script"] = values.pop("command")[0]
        found = {name.replace("command", "script", 1): mark for name, mark in draft.marks.items()}
        draft.marks |= {name: mark for name, mark in found.items() if name.startswith("script")}


def _is_empty(node: Node) -> bool:
    if isinstance(node, Sequence):
        return all(_is_empty(item) for item in node.items)
    return isinstance(node, Scalar) and not node.text.strip()


def _text(reader: Reader, entry: Entry) -> str:
    return reader.string(entry.value, entry.key)


def _stripped(reader: Reader, entry: Entry) -> str:
    return _text(reader, entry).strip()


_READERS: dict[str, Callable[[Reader, Entry], Any]] = {
    "name": _text,
    "id": _stripped,
    "description": _text,
    "script": _text,
    "working_dir": _text,
    "log_output": log_output,
    "idempotent": lambda reader, entry: reader.boolean(entry.value, entry.key),
    "inputs": inputs,
    "approval": calls.approval,
    **policies.COMMON,
}


def _text_mark(name: str, entry: Entry) -> dict[str, Mark]:
    """Where the first line of a `|` block stands, as `NAME.text`."""
    value = entry.value
    if isinstance(value, Scalar) and value.literal:
        return {f"{name}.text": Mark(value.line + 1)}
    return {}
