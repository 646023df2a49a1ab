"""Parts of a file as texts that stand by themselves: its later documents, and inline bodies.

The user's own lines are kept where they say the same alone; else (aliases, flow style) the part is
written anew.
"""

from __future__ import annotations

import hashlib
import json

from dagfs.spec import yaml
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence


def document_text(text: yaml.Text, place: int) -> str:
    """The lines of one document, without the `---` around it."""
    node = text.documents[place]
    first = text.starts[place]
    after = text.starts[place + 1] if place + 1 < len(text.starts) else len(text.lines) + 1
    lines = list(text.lines[first - 1 : after - 1])
    if lines and lines[0].startswith("---"):
        lines[0] = lines[0][3:].lstrip()
    said = "\n".join(lines).strip("\n") + "\n"
    return said if _says(said, node) else written(node)


def entry_text(text: yaml.Text, entry: Entry) -> str:
    """One key with what is below it, moved to the first column."""
    lines = list(_block(text.lines, entry))
    said = "\n".join(line[min(entry.column - 1, _indent(line)) :] for line in lines) + "\n"
    wanted = Mapping((entry,))
    return said if _says(said, wanted) else written(wanted)


def _block(lines: tuple[str, ...], entry: Entry) -> tuple[str, ...]:
    """The lines from the key's own to the last one that belongs to it."""
    first, margin = entry.line - 1, entry.column - 1
    if not 0 <= first < len(lines):
        return ()
    # A key may stand behind the dash of a list item.
    found = [" " * margin + lines[first][margin:]]
    for line in lines[first + 1 :]:
        inside = _indent(line) > margin or (_indent(line) == margin and line[margin:].startswith("- "))
        if line.strip() and not inside:
            break
        found.append(line)
    while found and not found[-1].strip():
        found.pop()
    return tuple(found)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _says(text: str, node: Node) -> bool:
    read = yaml.load(text.encode("utf-8", "surrogatepass"), "")
    return not read.problems and len(read.documents) == 1 and _bare(read.documents[0]) == _bare(node)


def _bare(node: Node) -> object:
    """What a node says, wherever it stands."""
    if isinstance(node, Scalar):
        return (node.text, node.value)
    if isinstance(node, Sequence):
        return [_bare(item) for item in node.items]
    return [(entry.key, _bare(entry.value)) for entry in node.entries]


def digest(node: Node) -> str:
    """The same for nodes that say the same, whatever their layout."""
    return hashlib.sha256(json.dumps(_bare(node)).encode()).hexdigest()[:16]


def written(node: Node) -> str:
    """A document that says what `node` does: a key a line, everything below in flow style."""
    if not isinstance(node, Mapping) or not node.entries:
        return _flow(node) + "\n"
    return "".join(f"{quoted(entry.key)}: {_flow(entry.value)}\n" for entry in node.entries)


def _flow(node: Node) -> str:
    if isinstance(node, Scalar):
        # What is no text was written plain; its digits are kept as they are.
        return quoted(node.text) if isinstance(node.value, str) else node.text or "null"
    if isinstance(node, Sequence):
        return f"[{', '.join(map(_flow, node.items))}]"
    return "{" + ", ".join(f"{quoted(entry.key)}: {_flow(entry.value)}" for entry in node.entries) + "}"


def quoted(text: str) -> str:
    """A double-quoted scalar; every character that is not printable ASCII as an escape that YAML knows."""
    found = []
    for char in text:
        code = ord(char)
        if char in '"\\':
            found.append("\\" + char)
        elif 32 <= code < 127:
            found.append(char)
        else:
            found.append(f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}")
    return f'"{"".join(found)}"'


def parsed(text: str) -> Node | None:
    """The one document of a text, or None where it has none."""
    documents = yaml.load(text.encode("utf-8", "surrogatepass"), "").documents
    return documents[0] if documents else None
