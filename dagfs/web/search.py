"""Looks through specs and logs for a text, within bounds of time, bytes and hits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dagfs.errors import DagfsError
from dagfs.store import dags, logs
from dagfs.store.layout import HomePaths, RunPaths
from dagfs.web.views.finding import Hit, Needle, hits
from dagfs.web.views.runs import RunFact

LONGEST_SEC = 2.0
MOST_BYTES = 256 << 20
MOST_FILES = 60
"""Files with hits that are shown."""
_PIECE = 4 << 20
_OVERLAP = 4096


@dataclass(frozen=True, slots=True)
class Found:
    """A file in which it was found."""

    kind: str
    """`dag`, `spec` or `log`."""
    name: str
    """The path as people know it."""
    run: str
    """Empty for a DAG file."""
    step: str
    hits: tuple[Hit, ...]


@dataclass(slots=True)
class Search:
    """One search; `found` grows while it goes on."""

    needle: Needle
    clock: Callable[[], float] = time.monotonic
    found: list[Found] = field(default_factory=list)
    stopped: str = ""
    """Why it ended before it had seen everything."""
    files: int = 0
    size: int = 0
    """Bytes that were read."""
    _until: float = 0.0

    def __post_init__(self) -> None:
        self._until = self.clock() + LONGEST_SEC

    def look(self, paths: HomePaths, runs: Sequence[RunFact], where: Sequence[str], dag: str = "") -> None:
        """Look through DAG files, captured specs and logs, the newest runs first."""
        mine = [each for each in runs if not dag or each.dag == dag]
        for source in _sources(paths, mine, where, dag):
            if self._is_enough():
                return
            if source is not None:
                with suppress(DagfsError, OSError):
                    self._look(*source)

    def _is_enough(self) -> bool:
        if self.clock() > self._until:
            self.stopped = f"it took {LONGEST_SEC:g} s"
        elif self.size > MOST_BYTES:
            self.stopped = f"it has read {MOST_BYTES >> 20} MB"
        elif len(self.found) >= MOST_FILES:
            self.stopped = f"it was found in {MOST_FILES} files"
        return bool(self.stopped)

    def _look(self, kind: str, name: str, run: str, step: str, path: Path) -> None:
        found: list[Hit] = []
        line = 1
        for piece in self._pieces(path):
            found += hits(self.needle, piece, line)
            line += piece.count(b"\n")
            if found or self.clock() > self._until:
                break
        self.files += 1
        if found:
            self.found.append(Found(kind, name, run, step, tuple(found)))

    def _pieces(self, path: Path) -> Iterator[bytes]:
        """A file in pieces of whole lines, as far as its lines are not longer than a piece."""
        size, start = logs.size(path), 0
        while start < size:
            data = logs.read_range(path, start, start + _PIECE)
            cut = data.rfind(b"\n") + 1 if start + len(data) < size else 0
            data = data[:cut] if cut else data
            if not data:
                return
            self.size += len(data)
            start += len(data)
            yield data


Source = tuple[str, str, str, str, Path]


def _sources(
    paths: HomePaths, runs: Iterable[RunFact], where: Sequence[str], dag: str
) -> Iterator[Source | None]:
    """What there is to look through: kind, name, run, step, path. None between two runs, to catch breath."""
    if "specs" in where:
        for path in dags.names(paths):
            name = str(path.relative_to(paths.dags))
            if not dag or path.stem == dag:
                yield "dag", f"dags/{name}", "", "", path
    seen: set[str] = set()
    for fact in runs:
        yield None
        run = paths.run(fact.run)
        if "specs" in where and fact.spec not in seen:
            # Most runs of a DAG have the same text.
            seen.add(fact.spec)
            yield from _specs(fact.run, run)
        if "logs" in where:
            yield from _logs(fact.run, run)


def _specs(run: str, paths: RunPaths) -> Iterator[Source]:
    for version in reversed(paths.spec_versions()):
        path = paths.spec(version)
        yield "spec", f"runs/{run}/{path.name}", run, "", path


def _logs(run: str, paths: RunPaths) -> Iterator[Source]:
    """Logs of all attempts, the newest first, and of children; nothing that a link leads to."""
    for n in reversed(paths.attempt_numbers()):
        attempt = paths.attempt(n)
        for folder in (attempt.steps, attempt.handlers):
            for step in _listed(folder):
                for log in ("stdout.log", "stderr.log"):
                    path = folder / step / log
                    if logs.size(path):
                        yield "log", str(path.relative_to(paths.root.parent.parent)), run, step, path
    for child in _listed(paths.children) if paths.family is None else ():
        yield from _logs(f"{run}/{child}", paths.child(child))


def _listed(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return sorted(
                each.name
                for each in found
                if not each.name.startswith(".") and each.is_dir(follow_symlinks=False)
            )
    except OSError:
        return []
