"""The store of runs: what there is, one run as a value, and the ways to begin or take over one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from dagfs.errors import DagfsError, NotFound, Refused, StoreError
from dagfs.model.dag import Dag
from dagfs.model.run import AttemptHeader, Run, RunHeader
from dagfs.model.state import RunState
from dagfs.model.timespan import is_moment
from dagfs.store.capture import capture
from dagfs.store.catalogue import Catalogue
from dagfs.store.claim import Claim, stage_run
from dagfs.store.codec import decode_document, encode_document
from dagfs.store.files import PENDING, Disk, read_bytes
from dagfs.store.history import (
    read_attempt_header,
    read_base,
    read_dag,
    read_run,
    read_run_header,
    read_spec,
)
from dagfs.store.layout import (
    HomePaths,
    RunPaths,
    name_in_ids,
    named_by,
    stages,
    valid_address,
    valid_run_id,
)
from dagfs.store.lines import timestamp
from dagfs.store.locks import RunLock, take_abandoned
from dagfs.store.owner import LockTable, Owner
from dagfs.store.status import status_document

__all__ = ["Claim", "RunStore"]
_ABANDONED_SEC = 3600.0
_YOUNG_SEC = 10.0


class RunStore:
    """The runs of one home. Reading writes nothing; changes to a run go through a `Claim`."""

    def __init__(
        self,
        disk: Disk,
        home: HomePaths,
        *,
        now: Callable[[], datetime],
        token: Callable[[], str],
        store_id: str = "",
    ) -> None:
        """`store_id` is what dagfs.yaml says the store is; empty where it says nothing."""
        self.home = home
        self._disk, self._now, self._token, self._store_id = disk, now, token, store_id
        self._catalogue = Catalogue(home)

    # -- the store itself ---------------------------------------------------------------------

    def ensure(self) -> str:
        """Make the store where there is none yet, and clear away what dead engines were building.

        The store's id. StoreError when it is not the one that dagfs.yaml names: an unmounted disk.
        """
        if not self.home.marker.exists():
            self._make()
        found = self.store_id()
        if self._store_id and found != self._store_id:
            raise StoreError(
                f"{self.home.runs} is the store {found}, but {self.home.config.name} names {self._store_id}",
                hint="is another disk mounted there?",
            )
        for stage in stages(self.home.runs):
            # Its builder may clear it away at the same time; nobody's run is to fail for that.
            with suppress(StoreError):
                self._sweep(RunPaths(stage))
        return found

    def store_id(self) -> str:
        """The id in the store's marker."""
        try:
            data = decode_document(read_bytes(self.home.marker), self.home.marker, sealed=True)
        except FileNotFoundError:
            raise StoreError(f"{self.home.marker} is missing", hint="is its disk mounted?") from None
        return str(data["store"])

    def _make(self) -> None:
        runs = self.home.runs
        taken = [name for name in _listed(runs) if not name.startswith(PENDING)]
        if self.home.marker.name in taken:
            # Another engine was first, and its marker is as good.
            return
        if self._store_id or taken:
            raise StoreError(
                f"{runs} does not hold the store {self._store_id}".rstrip()
                + f": {self.home.marker.name} is missing",
                hint="is its disk mounted? If it was removed by mistake, restore it from a backup",
            )
        try:
            self._disk.make_dir(runs)
            self._disk.sync_dir(self.home.root)
            marker = encode_document({"store": os.urandom(16).hex()}, sealed=True)
            self._disk.put_new(self.home.marker, marker, immutable=True)
        except FileExistsError:
            return
        except FileNotFoundError:
            raise StoreError(f"cannot make {runs}: {self.home.root} is not there") from None

    def _sweep(self, stage: RunPaths) -> None:
        with suppress(FileNotFoundError):
            age = time.time() - stage.root.stat().st_mtime
            if not stage.lock.exists():
                # Its builder may be about to make the lock.
                if age > _ABANDONED_SEC:
                    self._disk.remove_tree(stage.root)
                return
            if 0 <= age < _YOUNG_SEC:
                # Its builder may have made the lock and be about to take it.
                return
            lock = take_abandoned(stage, self._disk)
            if lock is not None:
                try:
                    self._disk.remove_tree(stage.root)
                finally:
                    lock.release()

    # -- reading ------------------------------------------------------------------------------

    def ids(self) -> list[str]:
        """Every run, newest first; names that are no run ids are ignored."""
        return list(self._catalogue.newest_first())

    def children(self, run_id: str) -> list[str]:
        """The addresses `ROOT/CHILD` of a run's children."""
        return self._catalogue.children(run_id)

    def find(self, reference: str) -> str:
        """The run that a person means; see `Catalogue.find`. NotFound; UsageError where it is not one."""
        return self._catalogue.find(reference)

    def paths(self, run_id: str) -> RunPaths:
        """Where a run lies. NotFound for what cannot be a run id."""
        if not valid_address(run_id):
            raise NotFound(f"there is no run {run_id!r}", hint="run ids are of a-z, 0-9, `.`, `_` and `-`")
        return self.home.run(run_id)

    def header(self, run_id: str) -> RunHeader:
        """What never changes about a run. NotFound, Damaged, NewerFormat."""
        return read_run_header(self.paths(run_id), run_id)

    def load(self, run_id: str) -> Run:
        """The whole run from its records, every journal folded. NotFound, Damaged, NewerFormat."""
        return read_run(self.paths(run_id), run_id)[0]

    def dag(self, run_id: str, n: int) -> Dag:
        """The DAG of attempt `n` as it was read then."""
        paths = self._attempt_paths(run_id, n)
        return read_dag(paths, read_attempt_header(paths, n))

    def spec(self, run_id: str, n: int) -> bytes:
        """The captured text of attempt `n`."""
        paths = self._attempt_paths(run_id, n)
        return read_spec(paths, read_attempt_header(paths, n))

    def base(self, run_id: str) -> bytes:
        """The base.yaml that the run's specs are read with; empty where there was none. Damaged."""
        paths = self.paths(run_id.partition("/")[0])
        return read_base(paths, read_run_header(paths, run_id.partition("/")[0]))

    def _attempt_paths(self, run_id: str, n: int) -> RunPaths:
        paths = self.paths(run_id)
        if not paths.root.is_dir():
            raise NotFound(f"there is no run {run_id}")
        if not paths.attempt(n).root.is_dir():
            raise NotFound(f"run {run_id} has no attempt {n}")
        return paths

    def document(self, run_id: str, *, complete: bool = True) -> dict[str, Any]:
        """The status document folded from the records, whatever status.json says."""
        run, as_of = read_run(self.paths(run_id), run_id)
        return status_document(run, as_of=as_of, complete=complete)

    def summaries(
        self,
        limit: int | None = None,
        dag: str | None = None,
        states: Collection[str] = (),
        since: str | None = None,
        after: str = "",
    ) -> list[dict[str, Any]]:
        """Status documents, newest first, for display only; with `after` those behind that run.

        A run whose engine died shows as `interrupted`; one that cannot be read as `damaged`, with `error`.
        `since` is compared with `created` as text.
        """
        found: list[dict[str, Any]] = []
        locks = LockTable.read()
        for run_id in self._catalogue.newest_first(after):
            if limit is not None and len(found) >= limit:
                break
            document = self._summary(run_id, locks)
            if (
                (dag is None or document.get("dag") == dag)
                and (not states or document["state"] in states)
                and (since is None or str(document.get("created") or "") >= since)
            ):
                found.append(document)
        return found

    def newest_of(self, dags: Collection[str]) -> dict[str, dict[str, Any]]:
        """The newest run of each of these DAGs that has run, as in `summaries`.

        A run that by its id is of another DAG is not opened: a DAG that never ran would cost a look at all.
        """
        missing = {dag: name_in_ids(dag) for dag in dags}
        found: dict[str, dict[str, Any]] = {}
        locks = LockTable.read()
        for run_id in self._catalogue.newest_first():
            if not missing:
                break
            begins = named_by(run_id)
            if any(name.startswith(begins) for name in missing.values()):
                document = self._summary(run_id, locks)
                if missing.pop(document.get("dag", ""), None) is not None:
                    found[document["dag"]] = document
        return found

    def summaries_of(self, run_ids: Collection[str]) -> list[dict[str, Any]]:
        """As `summaries`, of these runs; those that are gone are left out."""
        locks = LockTable.read() if run_ids else LockTable()
        return [self._summary(each, locks) for each in run_ids if self.home.run(each).root.is_dir()]

    def names(self) -> list[str]:
        """The ids of all runs, in no order: one look at one folder."""
        return [name for name in _listed(self.home.runs) if valid_run_id(name)]

    def _summary(self, run_id: str, locks: LockTable) -> dict[str, Any]:
        paths = self.home.run(run_id)
        document = _stored_status(paths, run_id)
        if document is not None and document["state"] != RunState.RUNNING:
            return document
        alive = locks.holder(paths) is not None
        if document is not None and alive:
            return document
        try:
            document = self.document(run_id, complete=False)
        except DagfsError as error:
            return {
                "run": run_id,
                "dag": self._catalogue.dag_of(run_id),
                "state": "damaged",
                "error": error.message,
            }
        if document["state"] == RunState.RUNNING and not alive:
            document["state"] = str(RunState.INTERRUPTED)
        return document

    # -- edits --------------------------------------------------------------------------------

    def read_next(self, run_id: str) -> bytes | None:
        """The pending edit, None where there is none. Refused, SpecError; see `capture`."""
        return capture(self.paths(run_id).next_spec)

    def write_next(self, run_id: str, data: bytes) -> Path:
        """Begin an edit: make spec.next.yaml. Refused when there is one already."""
        path = self.paths(run_id).next_spec
        try:
            self._disk.put_new(path, data)
        except FileExistsError:
            raise Refused(f"{path} exists already", hint="edit that one, or remove it first") from None
        except FileNotFoundError:
            raise NotFound(f"there is no run {run_id}") from None
        return path

    # -- beginning and taking over ------------------------------------------------------------

    def create(
        self,
        header: RunHeader,
        spec: bytes,
        attempt: AttemptHeader,
        dag: Dag,
        owner: Owner,
        base: bytes = b"",
    ) -> Claim:
        """A new run with its first attempt, complete and durable in one rename; its lock is held.

        `base` is the base.yaml that the header names. Refused when the id is taken. Children are made by
        `Claim.create_child`.
        """
        self._check_new(header.id)
        stage, final = self.home.stage(os.urandom(6).hex()), self.home.run(header.id)
        lock: RunLock | None = None
        try:
            self._disk.make_dir(stage.root)
            self._disk.put_staged(stage.lock, b"")
            lock = RunLock.acquire(stage, self._disk, owner)
            stage_run(self._disk, stage, header, spec, attempt, dag, timestamp(self._now()), base)
            self._disk.publish_dir(stage.root, final.root)
            lock.moved_to(final)
        except BaseException as error:
            with suppress(StoreError):
                self._disk.remove_tree(stage.root)
            if lock is not None:
                lock.release()
            if isinstance(error, FileExistsError):
                raise Refused(f"run {header.id} exists already", hint="choose another run id") from None
            if isinstance(error, FileNotFoundError):
                raise StoreError(f"cannot make run {header.id}: {error.filename} is not there") from None
            raise
        return Claim(self._disk, final, lock, owner.token, self._now)

    def _check_new(self, run_id: str) -> None:
        if not valid_run_id(run_id):
            raise Refused(
                f"{run_id!r} cannot name a run",
                hint="use 1 to 64 of a-z, 0-9, `.`, `_`, `-`, and begin with a letter or digit",
            )
        if self.home.run(run_id).root.exists():
            raise Refused(f"run {run_id} exists already", hint="choose another run id")

    def claim(self, run_id: str, owner: Owner) -> Claim:
        """Take a run over, with its children. Busy names who holds it; NotFound."""
        paths = self.paths(run_id)
        if not paths.root.is_dir():
            raise NotFound(f"there is no run {run_id}")
        if self.home.marker.exists():
            self.store_id()
        # Before the lock, which leaves a trace: what is of a newer format is not ours to change.
        self.header(run_id)
        lock = RunLock.acquire(paths, self._disk, owner)
        claim = Claim(self._disk, paths, lock, owner.token, self._now)
        try:
            claim.check()
            claim.sweep()
        except BaseException:
            claim.release()
            raise
        return claim


def _stored_status(paths: RunPaths, run_id: str) -> dict[str, Any] | None:
    """status.json as it stands, None unless it is about this run's newest attempt, and sound."""
    newest = max(paths.attempt_numbers(), default=0)
    path = paths.attempt(newest).status
    try:
        document = decode_document(read_bytes(path), path)
    except (FileNotFoundError, DagfsError):
        return None
    known = document.get("run") == run_id and document.get("attempt") == newest
    return document if known and _is_sound(document) else None


def _is_sound(document: Mapping[str, Any]) -> bool:
    """What lists and schedulers go by is of the kind they expect; anybody may write into that file."""
    moments = (document.get(key) for key in ("created", "started", "finished"))
    texts = (document.get(key) for key in ("dag", "reason", "trigger", "queue", "profile", "parent"))
    return (
        isinstance(document.get("state"), str)
        and document.get("created") is not None
        and all(each is None or is_moment(each) for each in moments)
        and all(each is None or isinstance(each, str) for each in texts)
    )


def _listed(folder: Path) -> Iterator[str]:
    try:
        return iter(os.listdir(folder))
    except FileNotFoundError:
        return iter(())
