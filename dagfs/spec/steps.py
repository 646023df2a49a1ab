"""Steps and handlers: from nodes to drafts, and from drafts, once all names are known, to steps."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dagfs.model.dag import HANDLER_EVENTS, Mark, Step
from dagfs.spec import keys, policies, variables
from dagfs.spec.names import wrong_id, wrong_step_name
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, kind
from dagfs.spec.reader import Fields, Reader

_SIGNALS = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP "
    "TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
SIGNALS = frozenset(f"SIG{name}" for name in _SIGNALS.split())


@dataclass(slots=True)
class Draft:
    """A step that was read, but whose name and dependencies may still be open."""

    mark: Mark
    values: dict[str, Any] = field(default_factory=dict)
    """Fields of `Step`, `depends` left out."""
    marks: dict[str, Mark] = field(default_factory=dict)
    words: list[tuple[str, Mark]] | None = None
    """What `depends` says, names and ids mixed; None where there is no such key."""
    before: range = range(0)
    """Places of the drafts it follows in a chain."""

    @property
    def name(self) -> str:
        return str(self.values.get("name", ""))

    @property
    def id(self) -> str:
        return str(self.values.get("id", ""))


def shell_words(reader: Reader, entry: Entry) -> tuple[str, ...]:
    """`bash -e`, or a list of the program and its arguments."""
    if not isinstance(entry.value, Scalar):
        return reader.strings(entry.value, entry.key)
    try:
        return tuple(shlex.split(reader.string(entry.value, entry.key)))
    except ValueError:
        reader.error(entry.value.mark, f"{entry.key} has a quote that is not closed")
        return ()


@dataclass(slots=True)
class StepReader:
    """Reads steps with the same reader and the same known executors (None: do not check)."""

    reader: Reader
    executors: Collection[str] | None = None

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
            if event not in fields or _is_nothing(fields[event].value):
                continue
            draft = self._draft(fields[event].value, f"the {event} handler")
            if draft.words:
                self.reader.error(draft.words[0][1], f"the {event} handler cannot depend on steps")
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
            self._fill(draft, self.reader.fields(node, keys.STEP, where), where)
        elif isinstance(node, Sequence):
            self.reader.error(node.mark, f"{where} must be a command or a map, not a list")
        elif node.value is None:
            self.reader.error(node.mark, f"{where} is empty")
        else:
            draft.values["command"] = (node.text,)
            draft.marks["command"] = node.mark
        return draft

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
        self._executor(draft, fields)
        self._check_outputs(draft)
        self._check_work(draft, fields, where)

    def _check_words(self, draft: Draft) -> None:
        """Names, ids and signals must be well formed; a wrong id is dropped so that nothing finds it."""
        if wrong := wrong_step_name(draft.name):
            self.reader.error(draft.marks["name"], wrong)
        if draft.id and (wrong := wrong_id(draft.id)):
            self.reader.error(draft.marks["id"], wrong)
        signal = draft.values.get("signal_on_stop", "")
        if signal and signal not in SIGNALS:
            hint = self.reader.suggestion(signal, SIGNALS)
            self.reader.error(draft.marks["signal_on_stop"], f"there is no signal '{signal}'", hint)

    def _command(self, draft: Draft, fields: Fields) -> None:
        """`command` and `run` are the same thing: shell texts."""
        both = [entry for name, entry in fields.items() if name in ("command", "run")]
        if len(both) == 2:
            same = f"'{both[1].key}' says the same as '{both[0].key}' in line {both[0].line}"
            self.reader.error(both[1].mark, same, "keep one of the two")
        for entry in both[:1]:
            lines = self.reader.strings(entry.value, entry.key)
            draft.marks["command"] = entry.mark
            draft.marks |= _text_mark("command", entry)
            if any(line.strip() for line in lines):
                draft.values["command"] = lines

    def _shell(self, draft: Draft, fields: Fields) -> None:
        words: tuple[str, ...] = ()
        for name in ("shell", "shell_args"):
            if name in fields:
                words += shell_words(self.reader, fields[name])
        if words:
            draft.values["shell"] = words

    def _executor(self, draft: Draft, fields: Fields) -> None:
        if not fields.keys() & {"executor", "type", "config"}:
            return
        made = draft.values["executor"] = policies.executor(self.reader, fields)
        for name in ("type", "executor"):
            if name in draft.marks:
                draft.marks["executor"] = draft.marks["executor.type"] = draft.marks[name]
        settings = policies.config_marks(fields)
        for entry in settings.entries if settings else ():
            draft.marks[f"executor.config.{entry.key}"] = entry.mark
        known = self.executors is None or made.type in (*self.executors, "shell", *policies.SUB_DAG_TYPES)
        if not known:
            hint = self.reader.suggestion(made.type, self.executors or ())
            self.reader.error(draft.marks["executor"], f"there is no executor '{made.type}'", hint)

    def _check_outputs(self, draft: Draft) -> None:
        out, err = draft.values.get("stdout"), draft.values.get("stderr")
        if out and out == err:
            self.reader.error(
                draft.marks["stderr"],
                "stdout and stderr name the same file",
                "give one of them: the step's log has both",
            )

    def _check_work(self, draft: Draft, fields: Fields, where: str) -> None:
        busy = any(
            not _is_empty(fields[name].value) for name in ("command", "run", "script") if name in fields
        )
        made = draft.values.get("executor")
        if not busy and not fields.refused and (made is None or made.type == "shell"):
            key = "command" if self.reader.dialect.name == "dagu1" else "run"
            self.reader.error(draft.mark, f"{where} has nothing to run", f"give it {key}: or script:")


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _is_empty(node: Node) -> bool:
    if isinstance(node, Sequence):
        return all(_is_empty(item) for item in node.items)
    return isinstance(node, Scalar) and not node.text.strip()


def _text(reader: Reader, entry: Entry) -> str:
    return reader.string(entry.value, entry.key)


def _stripped(reader: Reader, entry: Entry) -> str:
    return _text(reader, entry).strip()


def _stream(reader: Reader, entry: Entry) -> str:
    if isinstance(entry.value, Mapping):
        reader.error(entry.value.mark, f"{entry.key} as a map is not supported yet")
        return ""
    return _text(reader, entry)


def _signal(reader: Reader, entry: Entry) -> str:
    return _text(reader, entry).strip().upper()


_READERS: dict[str, Callable[[Reader, Entry], Any]] = {
    "name": _text,
    "id": _stripped,
    "description": _text,
    "script": _text,
    "working_dir": _text,
    "output": policies.output,
    "stdout": _stream,
    "stderr": _stream,
    "continue_on": policies.continue_on,
    "retry_policy": policies.retry_policy,
    "repeat_policy": policies.repeat_policy,
    "preconditions": policies.conditions,
    "timeout_sec": lambda reader, entry: reader.seconds(entry.value, entry.key),
    "signal_on_stop": _signal,
}


# -- from drafts to steps ------------------------------------------------------------------------


def name_drafts(drafts: list[Draft], dialect: str) -> None:
    """Give every draft a name: `cmd_1`, `script_2`, `docker_3`; in our own dialect an id is a name too."""
    taken = {draft.name for draft in drafts}
    for place, draft in enumerate(drafts, 1):
        if draft.name:
            continue
        name = draft.id if dialect != "dagu1" else ""
        number = place
        while not name or name in taken:
            name = f"{_work(draft)}_{number}"
            number += len(drafts)
        taken.add(name)
        draft.values["name"] = name


def _work(draft: Draft) -> str:
    made = draft.values.get("executor")
    if made is not None and made.type != "shell":
        return str(made.type)
    command = draft.values.get("command", ())
    several = len(command) == 1 and "\n" in command[0].strip()
    return "script" if "script" in draft.values or several else "cmd"


def finish(drafts: list[Draft], depends: Iterable[tuple[str, ...]]) -> Iterator[Step]:
    """The steps, each with the names it waits for."""
    for draft, names in zip(drafts, depends, strict=True):
        yield Step(**draft.values, depends=names, marks=draft.marks)


def _text_mark(name: str, entry: Entry) -> dict[str, Mark]:
    """Where the first line of a `|` block stands, as `NAME.text`."""
    value = entry.value
    if isinstance(value, Scalar) and value.literal:
        return {f"{name}.text": Mark(value.line + 1)}
    return {}
