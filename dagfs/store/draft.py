"""The edit that waits for a run's next retry, `spec.next.yaml`, changed only by who has seen it."""

from __future__ import annotations

import threading
from pathlib import Path

from dagfs.errors import Refused, UsageError
from dagfs.model.value import frozen
from dagfs.store.capture import LARGEST_SPEC, sha256
from dagfs.store.files import Disk, read_bytes
from dagfs.store.runs import RunStore

NONE = "none"
_CHANGING = threading.Lock()
"""Of two who change drafts at once here, one comes first. An editor beside us knows no lock."""


class DraftMoved(Refused):
    """Somebody else has changed or removed the edit, or begun one."""


@frozen
class Draft:
    """What an editor of a run shows."""

    text: bytes
    """spec.next.yaml as it stands, valid or not; where there is none, the newest captured spec."""
    name: str
    pending: bool

    @property
    def version(self) -> str:
        """What tells two states of spec.next.yaml apart: its digest, or `none` where it is not there."""
        return sha256(self.text) if self.pending else NONE


def read_draft(store: RunStore, run_id: str) -> Draft:
    """The edit of a run, or what one would begin with. NotFound, StoreError for what is no file."""
    path = store.paths(run_id).next_spec
    pending = _pending(path)
    if pending is not None:
        return Draft(pending, path.name, True)
    last = store.load(run_id).last
    return Draft(store.spec(run_id, last.n), last.header.spec, False)


def save_draft(store: RunStore, disk: Disk, run_id: str, text: bytes, seen: str) -> Draft:
    """Make `text` the edit. `seen` is the version that its writer began with.

    DraftMoved where it is another by now, UsageError for a text that is too large, StoreError.
    """
    if len(text) > LARGEST_SPEC:
        raise UsageError(f"the spec is larger than {LARGEST_SPEC >> 20} MB, the most it may have")
    path = store.paths(run_id).next_spec
    with _CHANGING:
        _require(path, run_id, seen)
        if seen == NONE:
            try:
                disk.put_new(path, text)
            except FileExistsError:
                raise _moved(run_id) from None
        else:
            disk.replace(path, text)
    return Draft(text, path.name, True)


def discard_draft(store: RunStore, disk: Disk, run_id: str, seen: str) -> bytes:
    """Remove the edit; its text. DraftMoved, StoreError."""
    path = store.paths(run_id).next_spec
    with _CHANGING:
        text = _require(path, run_id, seen)
        disk.remove_file(path)
    return text or b""


def _require(path: Path, run_id: str, seen: str) -> bytes | None:
    text = _pending(path)
    if (NONE if text is None else sha256(text)) != seen:
        raise _moved(run_id)
    return text


def _moved(run_id: str) -> DraftMoved:
    return DraftMoved(
        f"spec.next.yaml of run {run_id} has been changed meanwhile",
        hint="look at what it is now, and save again over it if yours is to stand",
    )


def _pending(path: Path) -> bytes | None:
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return None
