"""Later documents of a file: local sub-DAGs, each as the text of a file that can stand by itself."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary

from dagfs.model.dag import Dag
from dagfs.spec import documents
from dagfs.spec.dialect import Dialect
from dagfs.spec.node import Mapping, Node, Scalar
from dagfs.spec.reader import Reader
from dagfs.spec.yaml import Text


def check_names(reader: Reader, roots: tuple[Node, ...]) -> None:
    """No name may stand for two documents."""
    seen: dict[str, int] = {}
    for root in roots:
        name = root.get("name") if isinstance(root, Mapping) else None
        if not isinstance(name, Scalar) or not name.text:
            continue
        if name.text in seen:
            reader.error(name.mark, f"the name '{name.text}' is already used in line {seen[name.text]}")
        seen.setdefault(name.text, name.line)


def texts(text: Text, dags: Dictionary[int, Dag], dialect: Dialect) -> dict[str, str]:
    """From name to text: a document's own lines, then the other documents that it can reach by calls."""
    alone = {dag.name: _alone(text, place, dag, dialect) for place, dag in dags.items()}
    calls = {dag.name: _called(dag, alone) for dag in dags.values()}
    return {name: "---\n".join(alone[each] for each in _reached(name, calls)) for name in alone}


def _alone(text: Text, place: int, dag: Dag, dialect: Dialect) -> str:
    """One document; it says its type where the dialect alone would not give it."""
    said = documents.document_text(text, place)
    root = text.documents[place]
    usual = "chain" if dialect.name == "dagu1" else "graph"
    if dag.type == usual or (isinstance(root, Mapping) and root.get("type") is not None):
        return said
    typed = f"type: {dag.type}\n{said}"
    parsed = documents.parsed(typed)
    pairs = len(root.entries) if isinstance(root, Mapping) else 0
    if isinstance(parsed, Mapping) and len(parsed.entries) == pairs + 1:
        return typed
    return f"type: {dag.type}\n{documents.written(root)}"


def _called(dag: Dag, known: Dictionary[str, str]) -> list[str]:
    """The local DAGs that one may run: all of them where a name is only known later."""
    steps = (*dag.steps, *dag.handler_on.values())
    names = [step.call.dag for step in steps]
    if any("$" in name for name in names) or any(step.call.body for step in steps):
        return list(known)
    return [name for name in names if name in known]


def _reached(first: str, calls: Dictionary[str, list[str]]) -> list[str]:
    found = [first]
    for name in found:
        found += [each for each in dict.fromkeys(calls[name]) if each not in found]
    return found
