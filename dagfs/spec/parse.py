"""From a file's bytes to a `Dag`, with every problem found on the way."""

from __future__ import annotations

from collections.abc import Collection

from dagfs.errors import Problem, SpecError
from dagfs.model.dag import Dag, Mark
from dagfs.model.value import frozen, replace
from dagfs.spec import locals as local_dags
from dagfs.spec import yaml
from dagfs.spec.dialect import Dialect, detect, remarks
from dagfs.spec.node import Mapping, Node, Scalar, kind
from dagfs.spec.reader import Reader
from dagfs.spec.root import Base, RootReader


@frozen
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
    base: bytes = b""
    """The text of the home's base.yaml: what every DAG has that does not say otherwise."""
    base_file: str = "base.yaml"
    """How problems name it."""
    base_handlers: bool = True
    """Whether its handlers apply; not for the run of a sub-DAG."""


@frozen
class Reading:
    """What came of reading a spec."""

    dag: Dag | None
    """None when there are errors."""
    problems: tuple[Problem, ...] = ()
    """In file order, warnings included; those of base.yaml first."""
    dialect: str = "dagu2"
    type: str = "graph"
    reason: str = ""
    """Why it was read in this dialect."""
    is_guess: bool = False
    """No key of the file tells its dialect."""
    remarks: tuple[Problem, ...] = ()
    """Where the other dialect would have understood the file in another way; of severity `note`."""
    sketch: Dag | None = None
    """What could be read in spite of errors: to look for more of them, and for nothing else."""

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
    dialect = detect(text.documents, options.dialect, options.type)
    base, problems = _base(options)
    reader = Reader(text, dialect)
    reader.problems += text.problems
    documents = _filled(text)
    dag = _document(reader, documents[0] if documents else None, options, base)
    if len(documents) > 1:
        dag = _with_locals(reader, documents, dag, options, base)
    problems += sorted(reader.problems, key=lambda problem: (problem.line, problem.column))
    wrong = any(problem.severity == "error" for problem in problems)
    type_ = dag.type if dag else dialect.type
    notes = () if wrong else tuple(text.problem(*each, "note") for each in remarks(text.documents, dialect))
    return Reading(
        None if wrong else dag,
        tuple(problems),
        dialect.name,
        type_,
        dialect.reason,
        dialect.is_guess,
        notes,
        dag,
    )


def _filled(text: yaml.Text) -> tuple[Node, ...]:
    """The documents, without empty ones behind the last `---`."""
    documents = list(text.documents)
    while len(documents) > 1 and isinstance(documents[-1], Scalar) and documents[-1].value is None:
        documents.pop()
    return tuple(documents)


def _document(reader: Reader, root: Node | None, options: Options, base: Base) -> Dag | None:
    if isinstance(root, Mapping):
        return RootReader(reader, options.executors, options.name, base).dag(root)
    if root is None:
        if not reader.text.problems:
            reader.error(Mark(0, 0), "the file is empty", "a DAG needs steps:")
    elif isinstance(root, Scalar) and root.value is None:
        reader.error(root.mark, "the document is empty", "a DAG needs steps:")
    else:
        reader.error(root.mark, f"a DAG must be a map of keys like steps:, not {kind(root)}")
    return None


def _with_locals(
    reader: Reader, documents: tuple[Node, ...], dag: Dag | None, options: Options, base: Base
) -> Dag | None:
    """The first document with the others as its local sub-DAGs, each read for its own problems."""
    around = replace(base, values={name: each for name, each in base.values.items() if name != "handler_on"})
    found: dict[int, Dag] = {}
    for place, root in enumerate(documents[1:], 1):
        inner = Reader(reader.text, detect((root,), reader.dialect.name, _own_type(root, reader.dialect)))
        made = _document(inner, root, replace(options, name=""), around)
        if isinstance(root, Mapping) and root.get("name") is None:
            inner.error(root.mark, "a second document needs a name:", "steps call it by its name")
        reader.problems += inner.problems
        if made is not None:
            found[place] = made
    local_dags.check_names(reader, documents)
    if dag is None or len(found) < len(documents) - 1:
        return dag
    return replace(dag, locals=local_dags.texts(reader.text, found, reader.dialect))


def _own_type(root: Node, dialect: Dialect) -> str | None:
    """What a later document is where it does not say it: as if it stood alone in a file of that dialect."""
    return detect((root,)).type if dialect.is_guess else None


def _base_dialect(text: yaml.Text, options: Options) -> Dialect:
    """Its own keys decide: a retry, which pins the dialect of a DAG, must read it as the run did."""
    found = detect(text.documents)
    return detect(text.documents, options.dialect) if found.is_guess else found


def _base(options: Options) -> tuple[Base, list[Problem]]:
    """base.yaml, read by itself; empty where there is none."""
    if not options.base.strip():
        return Base(), []
    text = yaml.load(options.base, options.base_file)
    root = text.documents[0] if text.documents else None
    reader = Reader(text, _base_dialect(text, options))
    reader.problems += text.problems
    base = Base()
    if isinstance(root, Mapping):
        base = RootReader(reader, options.executors, "base", Base()).as_base(root)
    elif root is not None and not (isinstance(root, Scalar) and root.value is None):
        reader.error(root.mark, f"it must be a map of keys like env:, not {kind(root)}")
    if not options.base_handlers:
        base = replace(
            base, values={name: each for name, each in base.values.items() if name != "handler_on"}
        )
    return base, sorted(reader.problems, key=lambda problem: (problem.line, problem.column))
