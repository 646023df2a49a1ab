"""Disks that die, refuse, or forget what was not synced: what the store is put through in these tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dagfs.store.files import Disk

T = TypeVar("T")


class CountingDisk(Disk):
    """Calls `reached` before each change; what it answers decides the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.ops: list[tuple[str, str]] = []

    def reached(self, op: str, path: str) -> bool:
        """Whether the change is to be made in part (a write) and then refused."""
        self.ops.append((op, path))
        return False

    def refuse(self) -> None:
        """Die, or raise."""

    def _call(self, op: str, path: str, run: Callable[[], T], other: str = "") -> T:
        if self.reached(op, path):
            self.refuse()
        return run()

    def _write(self, fd: int, path: str, data: bytes | memoryview) -> int:
        if self.reached("write", path):
            self._part(fd, data)
            self.refuse()
        return os.write(fd, data)

    def _part(self, fd: int, data: bytes | memoryview) -> None:
        pass


class DyingDisk(CountingDisk):
    """Ends its process at the nth change, which was made not at all or (a write) in part."""

    def __init__(self, n: int, part: float) -> None:
        super().__init__()
        self._n, self._share = n, part

    def reached(self, op: str, path: str) -> bool:
        super().reached(op, path)
        return len(self.ops) == self._n + 1

    def refuse(self) -> None:
        os._exit(9)

    def _part(self, fd: int, data: bytes | memoryview) -> None:
        size = len(data) - 1 if self._share == 1 else int(len(data) * self._share)
        if size:
            os.write(fd, data[:size])


class RefusingDisk(CountingDisk):
    """Fails the nth change with an errno: that one only, or every one from there on."""

    def __init__(self, n: int, number: int, *, for_ever: bool, part: bool = False) -> None:
        super().__init__()
        self._n, self._number, self._for_ever, self._half = n, number, for_ever, part
        self.refused = 0

    def reached(self, op: str, path: str) -> bool:
        super().reached(op, path)
        now = len(self.ops) - 1
        return now == self._n or (self._for_ever and now > self._n)

    def refuse(self) -> None:
        self.refused += 1
        raise OSError(self._number, os.strerror(self._number))

    def _part(self, fd: int, data: bytes | memoryview) -> None:
        if self._half:
            os.write(fd, data[: len(data) // 2])


class ForgetfulDisk(CountingDisk):
    """Leaves out the changes named: a store built on it forgot to sync, say."""

    def __init__(self, *left_out: str) -> None:
        super().__init__()
        self._left_out = left_out

    def _call(self, op: str, path: str, run: Callable[[], T], other: str = "") -> T:
        if op in self._left_out:
            return None  # type: ignore[return-value]
        return super()._call(op, path, run, other)


# -- a model of what a power cut may leave ---------------------------------------------------------


@dataclass(eq=False)
class Node:
    """A file, folder or link: as programs see it, and as the platter is sure to hold it."""

    kind: str
    data: bytes = b""
    synced: bytes = b""
    mode: int = 0o600
    names: dict[str, Node] = field(default_factory=dict)


@dataclass
class Unit:
    """Changes of names that happen together; `done` once a sync of their folder has made them durable."""

    changes: list[tuple[Node, str, Node | None]]
    folder: Node
    done: bool = False


Tree = dict[str, tuple[str, bytes, int]]


class RecordingDisk(Disk):
    """Works on the real disk and keeps, beside it, a model of what is durable.

    The model is the weakest there is: any change of names that was not followed by a sync of its folder
    may have happened or not, whatever came later; and data that was not synced may be missing.
    """

    def __init__(self, root: Path, leave_out: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._root, self._leave_out = root, leave_out
        self.top = _snapshot(root)
        self._base = {id(node): dict(node.names) for node in _nodes(self.top)}
        self._dirs = list(_nodes(self.top))
        self.units: list[Unit] = []
        self.facts: list[Any] = []
        self.visit: Callable[[RecordingDisk], None] = lambda disk: None
        self.last = ""
        """The newest change."""

    def _call(self, op: str, path: str, run: Callable[[], T], other: str = "") -> T:
        if op in self._leave_out:
            return None  # type: ignore[return-value]
        known = self._known(op, path, other)
        result, self.last = run(), op
        known()
        self.visit(self)
        return result

    def _write(self, fd: int, path: str, data: bytes | memoryview) -> int:
        self._node(path).data += bytes(data)
        written = os.write(fd, data)
        self.visit(self)
        return written

    def _node(self, path: str) -> Node:
        node = self.top
        for name in Path(path).relative_to(self._root).parts:
            node = node.names[name]
        return node

    def _place(self, path: str) -> tuple[Node, str]:
        return self._node(os.path.dirname(path)), os.path.basename(path)

    def _known(self, op: str, path: str, other: str) -> Callable[[], None]:
        """What a change means to the model; to be applied once it has succeeded."""
        if op in ("fsync", "fdatasync"):
            node = self._node(path)
            return lambda: setattr(node, "synced", node.data)
        if op == "fsync_dir":
            return lambda: self._sync(self._node(path))
        if op == "link":
            return lambda: self._change((*self._place(path), self._node(other)))
        if op == "rename":
            return lambda: self._change((*self._place(path), None), (*self._place(other), self._node(path)))
        if op == "exchange":
            one, two = self._node(path), self._node(other)
            return lambda: self._change((*self._place(path), two), (*self._place(other), one))
        if op in ("unlink", "rmdir"):
            return lambda: self._change((*self._place(path), None))
        if op == "copy":
            return lambda: self._change((*self._place(path), _snapshot(Path(path), synced=False)))
        if op in ("create", "mkdir", "symlink"):
            return lambda: self._change((*self._place(path), self._made(op, path, other)))
        return lambda: None

    def _made(self, op: str, path: str, other: str) -> Node:
        if op == "symlink":
            return Node("link", other.encode(), other.encode())
        node = Node("dir" if op == "mkdir" else "file", mode=os.stat(path).st_mode & 0o777)
        if op == "mkdir":
            self._dirs.append(node)
            self._base[id(node)] = {}
        return node

    def _sync(self, folder: Node) -> None:
        for unit in self.units:
            unit.done = unit.done or unit.folder is folder

    def _change(self, *changes: tuple[Node, str, Node | None]) -> None:
        for folder, name, node in changes:
            if node is None:
                folder.names.pop(name, None)
            else:
                folder.names[name] = node
        self.units.append(Unit(list(changes), changes[-1][0]))

    def states(self) -> Iterator[Tree]:
        """What a power cut now may leave: nothing or all of what is not durable, all but one, one alone."""
        pending = [unit for unit in self.units if not unit.done]
        choices = [frozenset(), frozenset(map(id, pending))]
        choices += [frozenset({id(unit)}) for unit in pending]
        choices += [choices[1] - {id(unit)} for unit in pending]
        for i, kept in enumerate(choices):
            for share in (0.0, 0.5, 1.0, -1.0) if i < 2 else (0.0, 1.0):
                yield self._tree(kept, share)

    def _tree(self, kept: frozenset[int], share: float) -> Tree:
        names = {key: dict(value) for key, value in self._base.items()}
        for unit in self.units:
            if unit.done or id(unit) in kept:
                for folder, name, node in unit.changes:
                    if node is None:
                        names[id(folder)].pop(name, None)
                    else:
                        names[id(folder)][name] = node
        tree: Tree = {}
        _walk(self.top, "", names, share, tree)
        return tree


def _walk(node: Node, path: str, names: dict[int, dict[str, Node]], share: float, tree: Tree) -> None:
    for name, below in names[id(node)].items():
        where = f"{path}/{name}" if path else name
        tree[where] = (below.kind, _surviving(below, share), below.mode)
        if below.kind == "dir":
            _walk(below, where, names, share, tree)


def _surviving(node: Node, share: float) -> bytes:
    """All of the synced data, and that share of the rest; -1 means a rest of zeros."""
    rest = node.data[len(node.synced) :]
    return node.synced + (b"\0" * len(rest) if share < 0 else rest[: int(len(rest) * share)])


def _snapshot(path: Path, *, synced: bool = True) -> Node:
    if path.is_symlink():
        target = os.readlink(path).encode()
        return Node("link", target, target)
    mode = path.stat().st_mode & 0o777
    if path.is_dir():
        return Node("dir", mode=mode, names={each.name: _snapshot(each) for each in path.iterdir()})
    data = path.read_bytes()
    return Node("file", data, data if synced else b"", mode)


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for below in node.names.values():
        yield from _nodes(below)


def materialize(tree: Tree, root: Path) -> None:
    """Make a state of the model a real folder."""
    root.mkdir()
    for name, (kind, data, mode) in tree.items():
        path = root / name
        if kind == "dir":
            path.mkdir()
        elif kind == "link":
            path.symlink_to(data.decode())
        else:
            path.write_bytes(data)
            path.chmod(mode)
