"""The root of one document: a DAG, or what `base.yaml` gives to every DAG."""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Mapping as Dictionary
from typing import Any

from dagfs.model.dag import HANDLER_EVENTS, Dag, Mark, Param
from dagfs.model.plain import Plain
from dagfs.model.value import field, frozen, replace
from dagfs.model.value import fields as fields_of
from dagfs.spec import blocks, check, documents, keys, policies, steps, variables
from dagfs.spec.dialect import TYPES
from dagfs.spec.drafts import Draft, finish, name_drafts
from dagfs.spec.inherited import Inherited, inherited
from dagfs.spec.names import wrong_dag_name
from dagfs.spec.node import Entry, Mapping, Node, kind
from dagfs.spec.reader import Fields, Reader
from dagfs.spec.schedule import scheduling

_APPENDED = ("env", "tags", "dotenv", "consts")
"""Fields of base.yaml that a DAG adds to; others it replaces."""
_AROUND_BODY = (
    *("shell", "shell_args", "working_dir", "env", "dotenv", "consts", "secrets", "container", "ssh", "smtp"),
    *("registry_auths", "defaults", "actions", "step_types", "log_output", "max_output_size"),
)
"""What an inline body has from the DAG around it; its parameters are handed in."""


@frozen
class Base:
    """What base.yaml says."""

    values: Dictionary[str, Any] = field(default_factory=dict)
    """Fields of `Dag`."""
    around: Inherited = field(default_factory=Inherited)


class RootReader:
    """Reads the root of one document with one reader."""

    def __init__(self, reader: Reader, executors: Collection[str] | None, name: str, base: Base) -> None:
        self.reader = reader
        self.name = name
        self.base = base
        self.steps = steps.StepReader(reader, executors)
        self.marks: dict[str, Mark] = {}

    def dag(self, root: Mapping) -> Dag:
        """The document as a DAG; what is wrong with it is in the reader's problems."""
        fields = self.reader.fields(root, keys.ROOT, "the DAG")
        self.marks = {name: entry.mark for name, entry in fields.items()} | {"": root.mark}
        type_ = self._type(fields)
        values: dict[str, Any] = {"name": self._name(fields), "type": type_}
        values |= self._plain_fields(fields)
        values = merged(values, self.base.values)
        self._prepare(fields, type_ == "chain")
        handlers = self.steps.handlers(fields["handler_on"]) if "handler_on" in fields else {}
        drafts = self._drafts(fields, root, chained=type_ == "chain")
        check.check_handlers(self.reader, drafts, handlers)
        depends = check.check_steps(self.reader, drafts, type_ == "chain")
        values["handler_on"] = _in_order({**self.base.values.get("handler_on", {}), **handlers})
        made = tuple(finish(drafts, depends))
        return Dag(**values, dialect=self.reader.dialect.name, steps=made, marks=self.marks)

    def as_base(self, root: Mapping) -> Base:
        """The document as base.yaml: everything but steps and a name."""
        fields = self.reader.fields(root, keys.ROOT, "base.yaml")
        for name in ("steps", "name", "type"):
            if name in fields:
                self.reader.warning(fields[name].mark, f"'{name}' in base.yaml says nothing for a DAG")
        values = self._plain_fields(fields)
        self._prepare(fields, chained=False)
        if "handler_on" in fields:
            values["handler_on"] = self.steps.handlers(fields["handler_on"])
        return Base(values, self.steps.around)

    def _prepare(self, fields: Fields, chained: bool) -> None:
        """What steps are read by."""
        self.steps.chained = chained
        self.steps.around = inherited(self.reader, fields).over(self.base.around)
        self.steps.around_body = lambda: "".join(
            documents.entry_text(self.reader.text, fields[name]) for name in _AROUND_BODY if name in fields
        )

    def _drafts(self, fields: Fields, root: Mapping, chained: bool) -> list[Draft]:
        if "steps" not in fields:
            self.reader.error(root.mark, "the DAG has no steps", "add steps:")
            return []
        drafts = self.steps.steps(fields["steps"], chained)
        name_drafts(drafts, self.reader.dialect.name)
        return drafts

    def _plain_fields(self, fields: Fields) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, read_field in _READERS.items():
            if name in fields:
                values[name] = read_field(self.reader, fields[name])
        for name, read_block in (("env", variables.env), ("params", variables.params)):
            if name in fields:
                values[name], marks = read_block(self.reader, fields[name])
                self.marks |= marks
        if "params" in fields:
            values["params_schema"] = variables.params_schema(self.reader, fields["params"])
        shell: tuple[str, ...] = ()
        for name in ("shell", "shell_args"):
            if name in fields:
                shell += steps.shell_words(self.reader, fields[name])
        # An empty one says nothing: the default stands, or what base.yaml has.
        given = {name: value for name, value in values.items() if name != "log_output" or value}
        return given | ({"shell": shell} if shell else {}) | scheduling(self.reader, fields)

    def _name(self, fields: Fields) -> str:
        said = self.reader.string(fields["name"].value, "name") if "name" in fields else ""
        name = said or self.name or _stem(self.reader.text.file)
        wrong = wrong_dag_name(name)
        if wrong and said:
            self.reader.error(fields["name"].value.mark, wrong)
        elif wrong:
            self.reader.error(Mark(0, 0), wrong, "give the DAG a name: of its own")
        return name

    def _type(self, fields: Fields) -> str:
        """The file's own word stands above what was detected or pinned."""
        default = self.reader.dialect.type
        if "type" not in fields:
            return default
        node = fields["type"].value
        said = self.reader.string(node, "type")
        if said in ("agent", "controller", "build"):
            self.reader.error(node.mark, f"dagfs has no DAGs of type '{said}'")
        elif said and said not in TYPES:
            hint = self.reader.suggestion(said, TYPES)
            self.reader.error(node.mark, f"type must be 'chain' or 'graph', not {kind(node)}", hint)
        return said if said in TYPES else default


def _in_order(handlers: Dictionary[str, Any]) -> dict[str, Any]:
    return {event: handlers[event] for event in HANDLER_EVENTS if event in handlers}


def _stem(file: str) -> str:
    base = file.rpartition("/")[2]
    return base.rpartition(".")[0] or base


# -- base.yaml -----------------------------------------------------------------------------------


def merged(values: Dictionary[str, Any], base: Dictionary[str, Any]) -> dict[str, Any]:
    """A DAG's fields over those of base.yaml: lists of texts are appended, others replaced."""
    found = {**base, **values}
    for name in _APPENDED:
        if name in values and name in base:
            found[name] = tuple(dict.fromkeys((*base[name], *values[name])))
    if "params" in values and "params" in base:
        found["params"] = _joined(base["params"], values["params"])
    for name in ("schedule", "retention"):
        if name in values and name in base:
            found[name] = _completed(values[name], base[name])
    return found


def _joined(base: tuple[Param, ...], own: tuple[Param, ...]) -> tuple[Param, ...]:
    """Base's parameters, then the DAG's; a name that both have takes the DAG's value in its place."""
    found: dict[str, Param] = {}
    for place, param in enumerate((*base, *own), 1):
        name = str(place) if param.name.isdigit() else param.name
        found[name] = replace(param, name=name)
    return tuple(found.values())


def _completed(own: Plain, base: Plain) -> Plain:
    """A value object with base's fields where it says nothing."""
    default = type(own)()
    told = {
        each.name: getattr(base, each.name)
        for each in fields_of(type(own))
        if getattr(own, each.name) == getattr(default, each.name)
    }
    return replace(own, **told)  # type: ignore[type-var]


# -- readers of single fields --------------------------------------------------------------------


def _dotenv(reader: Reader, entry: Entry) -> tuple[str, ...]:
    """`.env` comes first, whatever else is named."""
    named = reader.strings(entry.value, entry.key)
    return tuple(dict.fromkeys((".env", *(name for name in named if name))))


def _tags(reader: Reader, entry: Entry) -> tuple[str, ...]:
    """Words separated by commas, a list, or a map whose entries become `key=value`; in lower case."""
    node: Node = entry.value
    if isinstance(node, Mapping):
        words = [f"{each.key}={reader.string(each.value, each.key)}" for each in node.entries]
    else:
        words = [word for text in reader.strings(node, entry.key) for word in text.split(",")]
    return tuple(dict.fromkeys(word.strip().lower() for word in words if word.strip()))


def _output_size(reader: Reader, entry: Entry) -> int:
    return reader.count(entry.value, entry.key) or Dag().max_output_size


def _settings(block: str) -> Callable[[Reader, Entry], Any]:
    """A block that steps inherit; what is wrong with it is told once, when they do."""

    def read(reader: Reader, entry: Entry) -> Any:
        quiet = Reader(reader.text, reader.dialect)
        one = Fields()
        one[block] = entry
        return inherited(quiet, one).blocks.get(block, {})

    return read


_READERS: dict[str, Callable[[Reader, Entry], Any]] = {
    "description": lambda reader, entry: reader.string(entry.value, entry.key),
    "tags": _tags,
    "dotenv": _dotenv,
    "working_dir": lambda reader, entry: reader.string(entry.value, entry.key),
    "preconditions": policies.conditions,
    "timeout_sec": lambda reader, entry: reader.seconds(entry.value, entry.key),
    "delay_sec": lambda reader, entry: reader.seconds(entry.value, entry.key),
    "max_active_steps": lambda reader, entry: reader.count(entry.value, entry.key),
    "log_output": steps.log_output,
    "max_output_size": _output_size,
    "consts": blocks.consts,
    "secrets": blocks.secrets,
    "mail_on": blocks.mail_on,
    "error_mail": blocks.mail,
    "info_mail": blocks.mail,
    "wait_mail": blocks.mail,
    **{block: _settings(block) for block in ("container", "ssh", "smtp", "registry_auths")},
}
