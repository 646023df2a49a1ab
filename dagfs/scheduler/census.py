"""Which runs there are and which go on, without reading all of them each time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dagfs.model.state import RunState
from dagfs.store.runs import RunStore

_AT_FIRST = 2000
"""So many of the newest runs are looked at when a scheduler begins, and the others a few at a time."""
_A_FEW = 200


@dataclass(frozen=True, slots=True)
class Counted:
    """A run, as far as the scheduler needs to know it."""

    id: str
    dag: str
    state: str
    created: str
    finished: str = ""
    trigger: str = ""
    attempt: int = 1
    queue: str = ""
    profile: str = ""

    @property
    def goes_on(self) -> bool:
        return self.state in (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)

    @property
    def made(self) -> datetime:
        return datetime.fromisoformat(self.created) if self.created else datetime.min.replace(tzinfo=UTC)

    @property
    def ended(self) -> datetime | None:
        return datetime.fromisoformat(self.finished) if self.finished else None


class Census:
    """The runs of one store, by DAG."""

    def __init__(self, store: RunStore, known: Iterable[str] = ()) -> None:
        """`known` are runs that went on when somebody looked last, whatever their age."""
        self._store, self._known = store, known
        self._seen: set[str] = set()
        self._active: dict[str, Counted] = {}
        self._last: dict[str, Counted] = {}
        self._wounded: dict[str, Counted] = {}
        self._died: list[Counted] = []
        self._older: deque[str] = deque()
        self._began = False

    def refresh(self) -> None:
        """Look at runs that are new, and again at those that went on."""
        # What lay there dead when this scheduler began is no news, unless it went on a moment before.
        news = {*self._active, *self._known} if not self._began else None
        fresh = self._new_ids()
        self._renew([*fresh, *self._active], news)
        # Not before: what could not be looked at is looked at the next time.
        self._seen.update(fresh, self._older)
        self._began = True

    def look_at_active(self) -> None:
        """Look again at the runs that went on."""
        if self._active:
            self._renew(list(self._active))

    def _renew(self, run_ids: Collection[str], news: Collection[str] | None = None) -> None:
        """Look at runs, among them all that went on. `news` are those whose death is news, None for all."""
        newly = {run.id: run for run in self._look(run_ids)}
        self._active.clear()
        for run in newly.values():
            if run.state == RunState.INTERRUPTED and (news is None or run.id in news):
                self._died.append(run)
            self._take(run)

    def _new_ids(self) -> list[str]:
        if not self._began:
            every = self._store.ids()
            self._older = deque(every[_AT_FIRST:])
            return list(dict.fromkeys([*every[:_AT_FIRST], *self._known]))
        names = set(self._store.names())
        self._seen &= names
        for dag, run in list(self._last.items()):
            if run.id not in names:
                del self._last[dag]
        return sorted(names - self._seen)

    def look_at_older(self) -> bool:
        """Look at some runs that were there before, down to the oldest; whether there are more."""
        if not self._began:
            self.refresh()
        some = [self._older.popleft() for _ in range(min(_A_FEW, len(self._older)))]
        for run in self._look(some):
            if run.id not in self._active:
                self._take(run)
        return bool(self._older)

    def _look(self, run_ids: Collection[str]) -> list[Counted]:
        return [counted(document) for document in self._store.summaries_of(run_ids)]

    def _take(self, run: Counted) -> None:
        self._wounded.pop(run.id, None)
        if run.goes_on:
            self._active[run.id] = run
        elif run.state in (RunState.FAILED, RunState.INTERRUPTED):
            self._wounded[run.id] = run
        before = self._last.get(run.dag)
        if before is None or (run.created, run.id) >= (before.created, before.id):
            self._last[run.dag] = run

    def look_again(self, run_id: str) -> Counted | None:
        """One run as it stands now."""
        found = self._look([run_id])
        if found:
            self._take(found[0])
        return found[0] if found else None

    # -- answers ------------------------------------------------------------------------------

    def exists(self, run_id: str) -> bool:
        """Asked of the disk, not of what was counted."""
        return os.path.lexists(self._store.home.run(run_id).root)

    @property
    def active(self) -> Mapping[str, Counted]:
        """The runs that go on, by id."""
        return self._active

    def active_of(self, dag: str) -> list[str]:
        return sorted(run.id for run in self._active.values() if run.dag == dag)

    def last(self, dag: str) -> Counted | None:
        """The newest run of a DAG."""
        return self._last.get(dag)

    @property
    def wounded(self) -> list[Counted]:
        """Runs that failed or were interrupted, as they were when they were looked at."""
        return list(self._wounded.values())

    def died(self) -> list[Counted]:
        """Runs whose engines were found dead since the last call."""
        found, self._died = self._died, []
        return found

    def forget(self, run_id: str) -> None:
        """Nothing is to be done about a run that failed."""
        self._wounded.pop(run_id, None)


def counted(document: Mapping[str, Any]) -> Counted:
    """A status document in short."""
    return Counted(
        str(document.get("run") or ""),
        str(document.get("dag") or ""),
        str(document.get("state") or ""),
        str(document.get("created") or ""),
        str(document.get("finished") or ""),
        str(document.get("trigger") or ""),
        int(document.get("attempt") or 1),
        str(document.get("queue") or ""),
        str(document.get("profile") or ""),
    )
