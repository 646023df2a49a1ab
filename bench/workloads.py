"""The work every tool is given, as files that say the same in each tool's own language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Graph:
    """`count` steps of `true`, one behind the other or all side by side."""

    name: str
    count: int
    chained: bool
    jobs: int = 1
    fail_at: int = 0
    """The step that fails unless the file `fixed` exists; 0 for none."""

    def command(self, n: int) -> str:
        return "test -e fixed" if n == self.fail_at else "true"


def dagfs(graph: Graph, folder: Path) -> None:
    """dags/NAME.yaml in a home at `folder`."""
    lines = [f"name: {graph.name}", "type: graph", f"max_active_steps: {graph.jobs}", "steps:"]
    for n in range(1, graph.count + 1):
        before = f"[s{n - 1}]" if graph.chained and n > 1 else "[]"
        command = graph.command(n).replace("fixed", f"{folder}/fixed")
        lines += [f"  - name: s{n}", f"    command: '{command}'", f"    depends: {before}"]
    (folder / "dags").mkdir(exist_ok=True)
    (folder / "dagfs.yaml").write_text("dialect: auto\n")
    (folder / "dags" / f"{graph.name}.yaml").write_text("\n".join(lines) + "\n")


def dagu(graph: Graph, folder: Path) -> None:
    """NAME.yaml for Dagu 1.30."""
    lines = [f"name: {graph.name}", "type: graph", f"maxActiveSteps: {graph.jobs}", "steps:"]
    for n in range(1, graph.count + 1):
        before = f"[s{n - 1}]" if graph.chained and n > 1 else "[]"
        command = graph.command(n).replace("fixed", f"{folder}/fixed")
        lines += [f"  - name: s{n}", f"    command: '{command}'", f"    depends: {before}"]
    (folder / f"{graph.name}.yaml").write_text("\n".join(lines) + "\n")


def make(graph: Graph, folder: Path) -> None:
    """NAME.mk, phony targets throughout."""
    names = [f"s{n}" for n in range(1, graph.count + 1)]
    lines = [f".PHONY: all {' '.join(names)}", f"all: {names[-1] if graph.chained else ' '.join(names)}"]
    for n, name in enumerate(names, 1):
        before = names[n - 2] if graph.chained and n > 1 else ""
        lines += [f"{name}: {before}", f"\t@sh -c '{graph.command(n)}'"]
    (folder / f"{graph.name}.mk").write_text("\n".join(lines) + "\n")


def ninja(graph: Graph, folder: Path) -> None:
    """NAME.ninja."""
    lines = ["rule run", "  command = sh -c '$cmd'"]
    for n in range(1, graph.count + 1):
        before = f" s{n - 1}" if graph.chained and n > 1 else ""
        lines += [f"build s{n}: run{before}", f"  cmd = {graph.command(n)}"]
    (folder / f"{graph.name}.ninja").write_text("\n".join(lines) + "\n")


def doit(graph: Graph, folder: Path) -> None:
    """NAME_dodo.py."""
    chain = "[f's{n - 1}'] if n > 1 else []" if graph.chained else "[]"
    (folder / f"{graph.name}_dodo.py").write_text(
        "def task_s():\n"
        f"    for n in range(1, {graph.count + 1}):\n"
        f"        before = {chain}\n"
        f"        command = 'test -e fixed' if n == {graph.fail_at} else 'true'\n"
        "        yield {'name': str(n), 'actions': [command], 'task_dep': ['s:' + b[1:] for b in before]}\n"
    )


WRITERS: dict[str, Callable[[Graph, Path], None]] = {
    "dagfs": dagfs,
    "dagu": dagu,
    "make": make,
    "ninja": ninja,
    "doit": doit,
}
