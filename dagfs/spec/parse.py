"""From a file's bytes to a `Dag`, with every problem found on the way."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from dagfs.errors import Problem, SpecError
from dagfs.model.dag import Dag, Mark
from dagfs.spec import check, keys, policies, steps, variables, yaml
from dagfs.spec.dialect import TYPES, detect
from dagfs.spec.names import wrong_dag_name
from dagfs.spec.node import Entry, Mapping, Node, Scalar, kind
from dagfs.spec.reader import Fields, Reader


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a spec."""

    dialect: str = "auto"
    """`auto`, `dagu1` or `dagu2`; a retry gives the one its run was pinned to."""
    type: str | None = None
    """The type where the file names none: a retry gives the one its run was pinned to."""
    name: str = ""
    """The DAG's name where the file gives none; empty means the file's name without its ending."""
    executors: Collection[str] | None = None
    """The executors there are; None leaves executor names unchecked."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading a spec."""

    dag: Dag | None
    """None when there are errors."""
    problems: tuple[Problem, ...] = ()
    """In file order, warnings included."""
    dialect: str = "dagu2"
    type: str = "graph"
    reason: str = ""
    """Why it was read in this dialect."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "warning")


def read(data: bytes, file: str, *, options: Options | None = None) -> Dag:
    """The DAG, or SpecError with every error."""
    reading = parse(data, file, options=options)
    if reading.dag is None:
        raise SpecError(reading.errors)
    return reading.dag


def parse(data: bytes, file: str, *, options: Options | None = None) -> Reading:
    """The DAG as far as it can be read, and all problems. Never raises."""
    options = options or Options()
    text = yaml.load(data, file)
    root = text.documents[0] if text.documents else None
    dialect = detect(root, options.dialect, options.type)
    reader = Reader(text, dialect)
    reader.problems += text.problems
    dag = None
    if root is None:
        if not text.problems:
            reader.error(Mark(0, 0), "the file is empty", "a DAG needs steps:")
    elif isinstance(root, Mapping):
        dag = _DagReader(reader, options).dag(root)
    elif isinstance(root, Scalar) and root.value is None:
        reader.error(root.mark, "the document is empty", "a DAG needs steps:")
    else:
        reader.error(root.mark, f"a DAG must be a map of keys like steps:, not {kind(root)}")
    for later in text.documents[1:]:
        reader.error(later.mark, "a second document (a local sub-DAG) is not supported yet")
    problems = tuple(sorted(reader.problems, key=lambda problem: (problem.line, problem.column)))
    wrong = any(problem.severity == "error" for problem in problems)
    type_ = dag.type if dag else dialect.type
    return Reading(None if wrong else dag, problems, dialect.name, type_, dialect.reason)


class _DagReader:
    """Reads one document's root."""

    def __init__(self, reader: Reader, options: Options) -> None:
        self.reader = reader
        self.options = options
        self.steps = steps.StepReader(reader, options.executors)
        self.marks: dict[str, Mark] = {}

    def dag(self, root: Mapping) -> Dag:
        """The document as a DAG; what is wrong with it is in the reader's problems."""
        fields = self.reader.fields(root, keys.ROOT, "the DAG")
        self.marks = {name: entry.mark for name, entry in fields.items()} | {"": root.mark}
        values: dict[str, Any] = {"name": self._name(fields), "type": self._type(fields)}
        values |= self._plain_fields(fields)
        if "handler_on" in fields:
            values["handler_on"] = self.steps.handlers(fields["handler_on"])
        drafts = self._drafts(fields, root, chained=values["type"] == "chain")
        check.check_names(self.reader, drafts)
        check.check_handlers(self.reader, drafts, values.get("handler_on", {}))
        depends = check.resolve_depends(self.reader, drafts)
        check.check_cycles(self.reader, drafts, depends)
        made = tuple(steps.finish(drafts, depends))
        return Dag(**values, dialect=self.reader.dialect.name, steps=made, marks=self.marks)

    def _drafts(self, fields: Fields, root: Mapping, chained: bool) -> list[steps.Draft]:
        if "steps" not in fields:
            self.reader.error(root.mark, "the DAG has no steps", "add steps:")
            return []
        drafts = self.steps.steps(fields["steps"], chained)
        steps.name_drafts(drafts, self.reader.dialect.name)
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
        shell: tuple[str, ...] = ()
        for name in ("shell", "shell_args"):
            if name in fields:
                shell += steps.shell_words(self.reader, fields[name])
        return values | {"shell": shell}

    def _name(self, fields: Fields) -> str:
        said = self.reader.string(fields["name"].value, "name") if "name" in fields else ""
        name = said or self.options.name or _stem(self.reader.text.file)
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
            self.reader.error(node.mark, f"type '{said}' is not supported yet")
        elif said and said not in TYPES:
            hint = self.reader.suggestion(said, TYPES)
            self.reader.error(node.mark, f"type must be 'chain' or 'graph', not {kind(node)}", hint)
        return said if said in TYPES else default


def _stem(file: str) -> str:
    base = file.rpartition("/")[2]
    return base.rpartition(".")[0] or base


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


_READERS: dict[str, Callable[[Reader, Entry], Any]] = {
    "description": lambda reader, entry: reader.string(entry.value, entry.key),
    "tags": _tags,
    "dotenv": _dotenv,
    "working_dir": lambda reader, entry: reader.string(entry.value, entry.key),
    "preconditions": policies.conditions,
    "timeout_sec": lambda reader, entry: reader.seconds(entry.value, entry.key),
    "delay_sec": lambda reader, entry: reader.seconds(entry.value, entry.key),
    "max_active_steps": lambda reader, entry: reader.count(entry.value, entry.key),
}
