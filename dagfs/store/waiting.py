"""Runs that wait in a queue: each a folder with its captured spec, there at one instant or not at all."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from dagfs.errors import DagfsError, NotFound, Refused, StoreError
from dagfs.model.plain import Plain, tuples
from dagfs.model.state import RunState
from dagfs.model.value import frozen
from dagfs.store.codec import decode_document, encode_document
from dagfs.store.files import Disk, read_bytes
from dagfs.store.layout import SchedulerPaths, WaitingPaths, valid_run_id


@frozen
class Waiting(Plain):
    """A run to make when its turn comes."""

    id: str = ""
    """The id that the run will have."""
    dag: str = ""
    """The DAG's name."""
    source: str = ""
    """The path its spec was read from."""
    queue: str = ""
    priority: int = 0
    created: str = ""
    """RFC 3339, UTC."""
    trigger: str = "queue"
    params: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    limit: int = 0
    """The most runs of its DAG at once; 0 means no limit of its own."""
    profile: str = ""
    """Where its steps run in place of what the spec says: a profile's name, or the path of its file."""

    @property
    def place(self) -> str:
        """The queue it waits in: its DAG's own where none is named."""
        return self.queue or self.dag

    def is_in(self, queues: Collection[str]) -> bool:
        """Whether it waits in one of these; where none is named, any will do."""
        return not queues or self.place in queues

    def document(self) -> dict[str, Any]:
        """Its status document, as that of a run."""
        return {
            "run": self.id,
            "dag": self.dag,
            "state": str(RunState.QUEUED),
            "reason": f"waits in {self.place}",
            "created": self.created,
            "queue": self.place,
            "priority": self.priority,
            "trigger": self.trigger,
            "params": dict(self.params),
        }

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        return tuples(value) if isinstance(value, list) else value


class Queue:
    """The runs that wait in one store."""

    def __init__(self, disk: Disk, paths: SchedulerPaths) -> None:
        self._disk, self._paths = disk, paths

    def put(self, entry: Waiting, spec: bytes) -> None:
        """Durable on return. Refused when a run of that id waits already."""
        stage = self._paths.stage(os.urandom(6).hex())
        try:
            self._disk.make_dir(stage.root)
            self._disk.put_staged(stage.request, encode_document(entry.as_data(), sealed=True))
            self._disk.put_staged(stage.spec, spec)
            self._disk.publish_dir(stage.root, self._paths.waiting(entry.id).root)
        except BaseException as error:
            with suppress(StoreError):
                self._disk.remove_tree(stage.root)
            if isinstance(error, FileExistsError):
                raise Refused(f"run {entry.id} is queued already", hint="choose another run id") from None
            raise

    def has(self, run_id: str) -> bool:
        """Whether such a run waits, or was set aside."""
        return self._paths.is_waiting(run_id) or self._paths.is_set_aside(run_id)

    def is_empty(self) -> bool:
        """Whether nothing waits; costs one look at a folder."""
        return not _ids(self._paths.queue)

    def survey(self) -> tuple[list[Waiting], list[str]]:
        """What `entries` says, and the ids of entries that cannot be read."""
        found = {run_id: self._try(run_id) for run_id in _ids(self._paths.queue)}
        entries = [entry for entry in found.values() if entry is not None]
        entries.sort(key=lambda each: (-each.priority, each.created, each.id))
        return entries, [run_id for run_id, entry in found.items() if entry is None]

    def entries(self) -> list[Waiting]:
        """All that wait and can be read, in the order they are started: by priority, then by age."""
        return self.survey()[0]

    def _try(self, run_id: str) -> Waiting | None:
        try:
            return self.read(run_id)
        except (DagfsError, TypeError, AttributeError):
            return None

    def read(self, run_id: str) -> Waiting:
        """One that waits. NotFound, Damaged, NewerFormat."""
        return _read(self._paths.waiting(run_id))

    def spec(self, run_id: str) -> bytes:
        """Its captured spec. NotFound."""
        path = self._paths.waiting(run_id).spec
        try:
            return read_bytes(path)
        except FileNotFoundError:
            raise NotFound(f"no run {run_id} waits in a queue") from None

    def remove(self, run_id: str) -> None:
        """Forget it, wherever it is; fine when it is gone already."""
        if not valid_run_id(run_id):
            raise NotFound(f"no run {run_id!r} waits in a queue")
        for paths in (self._paths.waiting(run_id), self._paths.set_aside(run_id)):
            self._disk.remove_tree(paths.root)

    def set_aside(self, run_id: str, reason: str) -> None:
        """Take what cannot be started out of the way of the others."""
        waiting, aside = self._paths.waiting(run_id), self._paths.set_aside(run_id)
        with suppress(FileNotFoundError):
            self._disk.replace(waiting.reason, encode_document({"reason": reason}))
            self._disk.remove_tree(aside.root)
            self._disk.move(waiting.root, aside.root)

    def requeue(self, run_id: str) -> None:
        """Have what was set aside wait again, as it did. NotFound, Damaged, NewerFormat."""
        waiting, aside = self._paths.waiting(run_id), self._paths.set_aside(run_id)
        if not self._paths.is_set_aside(run_id):
            raise NotFound(f"no run {run_id!r} was set aside", hint="`dagfs queue` lists what was")
        # What cannot be read would be set aside again at once.
        _read(aside)
        self._disk.move(aside.root, waiting.root)
        self._disk.remove_file(waiting.reason)

    def as_data(self, queues: Collection[str] = ()) -> list[dict[str, Any]]:
        """What waits in these queues, or in any, in order, then what was set aside: `dagfs queue --json`."""
        waiting = [{"state": "queued", **each.as_data()} for each in self.entries() if each.is_in(queues)]
        return waiting + [
            {"state": "set_aside", "id": each, "error": why}
            for each, why, entry in self.put_aside()
            if entry is None or entry.is_in(queues)
        ]

    def put_aside(self) -> Iterator[tuple[str, str, Waiting | None]]:
        """What was set aside: id, why, and what it was."""
        for run_id in _ids(self._paths.aside):
            paths = self._paths.set_aside(run_id)
            try:
                why = str(decode_document(read_bytes(paths.reason), paths.reason).get("reason", ""))
            except (FileNotFoundError, DagfsError):
                why = ""
            try:
                entry: Waiting | None = _read(paths)
            except (DagfsError, TypeError, AttributeError):
                entry = None
            yield run_id, why, entry


def _read(paths: WaitingPaths) -> Waiting:
    try:
        return Waiting.from_data(decode_document(read_bytes(paths.request), paths.request, sealed=True))
    except FileNotFoundError:
        raise NotFound(f"no run {paths.root.name} waits in a queue") from None


def _ids(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if valid_run_id(name))
    except FileNotFoundError:
        return []
