"""A home: its DAGs, its runs, and new ones."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from dagfs.api.access import Access
from dagfs.api.run import LiveRun, Run
from dagfs.api.saying import Params, given, new_id, pairs
from dagfs.engine.bootstrap import Engine
from dagfs.engine.location import find_home
from dagfs.errors import UsageError
from dagfs.model.state import RunState
from dagfs.store import dags


def open_home(path: str | os.PathLike[str] | None = None) -> Home:
    """The home at `path`, else the one that `dagfs` would find from here. NotFound."""
    given = None if path is None else os.fspath(path)
    return Home(find_home(given, Path.cwd(), os.environ))


class Home:
    """A home. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self._access = Access(path)

    def __repr__(self) -> str:
        return f"Home({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._access.path

    @property
    def engine(self) -> Engine:
        """The home with its plugins. Not part of the stable interface."""
        return self._access.engine

    def dags(self) -> list[Path]:
        """Every DAG file, sorted."""
        return dags.names(self._access.reading.paths)

    def run(
        self,
        dag: str | os.PathLike[str],
        params: Params | None = None,
        *,
        id: str = "",
        reason: str = "",
        profile: str = "",
    ) -> Run:
        """Make a run of a DAG, by name or path, and wait until it ends or waits for somebody's word.

        `profile` says where its steps run, in place of what the spec says.
        """
        return self.start(dag, params, id=id, reason=reason, profile=profile).finish()

    def start(
        self,
        dag: str | os.PathLike[str],
        params: Params | None = None,
        *,
        id: str = "",
        reason: str = "",
        profile: str = "",
    ) -> LiveRun:
        """The same, back as soon as the run exists; SpecError, NotFound, Refused where it never will."""
        name = os.fspath(dag)
        run_id = id or new_id(Path(name).stem)
        words = ["run", *given("--id", run_id), *pairs("--param", params), *given("--reason", reason)]
        words += given("--profile", profile)
        return LiveRun(self._access, run_id, [*words, "--", name])

    def find(self, reference: str = "@") -> Run:
        """The run that `@`, `DAG@-1`, an id, the beginning of one or a path means. NotFound, Refused."""
        return Run(self._access, self._access.reading.store.find(reference))

    def runs(
        self, *, limit: int | None = None, dag: str | None = None, states: Collection[str] = ()
    ) -> list[Run]:
        """Runs, newest first. One that cannot be read is left out; `dagfs fsck` tells why. UsageError."""
        if limit is not None and limit < 0:
            raise UsageError(f"limit={limit}: a number of runs, or None for all")
        if isinstance(states, str):
            raise UsageError("states is a list of states, not a text", hint=f"states=[{states!r}]")
        if odd := sorted({str(state) for state in states} - {*RunState}):
            raise UsageError(f"{odd[0]!r} is no state of a run", hint=f"there are {', '.join(RunState)}")
        found = self._access.reading.store.summaries(limit, dag, [str(state) for state in states])
        return [Run(self._access, each["run"]) for each in found if each["state"] != "damaged"]
