"""Which DAG file a word means: one of that name on disk, or else one whose DAG is shown under it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from dagfs.engine.home import Home
from dagfs.engine.reading import reading_options
from dagfs.errors import DagfsError, NotFound, UsageError
from dagfs.spec.names import wrong_dag_name
from dagfs.spec.parse import parse
from dagfs.store import dags
from dagfs.store.layout import HomePaths

_MOST = 10_000
"""So many files are looked into for a name."""


def find_dag(home: Home, word: str) -> Path:
    """As `dags.find`, and where no file has that name, the one whose `name:` it is. NotFound, UsageError."""
    return _found(home, word, dags.find)


def find_dag_inside(home: Home, word: str) -> Path:
    """The same below `dags/` alone: for those who may not name others."""
    return _found(home, word, dags.find_inside)


def _found(home: Home, word: str, find: Callable[[HomePaths, str], Path]) -> Path:
    try:
        return find(home.paths, word)
    except NotFound:
        named = list(files_named(home, word))
        if not named:
            raise
    if len(named) > 1:
        shown = ", ".join(str(path.relative_to(home.paths.dags)) for path in named)
        hint = "give its path within dags/"
        raise UsageError(f"{word!r} is the name of {len(named)} files: {shown}; say which", hint=hint)
    return named[0]


def files_named(home: Home, name: str) -> Iterator[Path]:
    """The DAG files whose DAG has that name. Many are read for it, so only where nothing else tells."""
    if wrong_dag_name(name):
        return
    options = reading_options(home)
    for path in islice(dags.names(home.paths), _MOST):
        with suppress(DagfsError):
            data = dags.read(path)
            # Parsing takes a hundred times as long as reading.
            if path.stem == name or name.encode() in data:
                dag = parse(data, str(path), options=options).sketch
                if dag is not None and dag.name == name:
                    yield path
