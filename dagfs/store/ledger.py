"""What schedulers remember between two lives: watermarks, pauses, files seen, a log, a sign of life."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagfs.errors import DagfsError
from dagfs.model.timespan import is_moment
from dagfs.model.value import frozen
from dagfs.store.codec import decode_document, encode_document
from dagfs.store.files import Disk, read_bytes
from dagfs.store.layout import SchedulerPaths

_LARGEST_LOG = 4 << 20
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("dags", "schedules", "running", "queued", "set_aside"), int),
    **dict.fromkeys(("next", "starting", "active"), list),
    **dict.fromkeys(("errors", "not_started"), dict),
    "lag_sec": (int, float),
}
"""Of what the sign of life says: it is a file that anybody may write into."""


@frozen
class Watermark:
    """How far a DAG's schedule is dealt with."""

    until: datetime
    schedule: str = ""
    """The digest of the schedule that was."""
    begun: tuple[datetime, ...] = ()
    """Later instants that were being acted on: they are due, whatever else is made up for."""
    dealt: tuple[datetime, ...] = ()
    """The newest instants that led to runs. These may have been removed since, and the clock set back."""


class Ledger:
    """The schedulers' own records. All of them may be lost: run ids alone keep runs from being made twice."""

    def __init__(
        self,
        disk: Disk,
        paths: SchedulerPaths,
        now: Callable[[], datetime],
        told: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        """`told` hears every line of the log."""
        self.paths = paths
        self._disk, self._now, self._told = disk, now, told

    def prepare(self) -> None:
        """Make the folders. The store must exist already."""
        for folder in self.paths.folders():
            self._disk.make_dir(folder)

    # -- watermarks ---------------------------------------------------------------------------

    def watermark(self, key: str) -> Watermark | None:
        """How far a DAG's schedule is dealt with; None where nobody knows."""
        found = self._read(self.paths.watermark(key))
        try:
            return Watermark(
                _moment(found["until"]),
                str(found.get("schedule", "")),
                tuple(map(_moment, found.get("begun", ()))),
                tuple(map(_moment, found.get("dealt", ()))),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def set_watermark(self, key: str, watermark: Watermark) -> None:
        """Durable on return."""
        data = {
            "dag": key,
            "until": _text(watermark.until),
            "schedule": watermark.schedule,
            "begun": [each.isoformat() for each in watermark.begun],
            "dealt": [each.isoformat() for each in watermark.dealt],
        }
        self._disk.replace(self.paths.watermark(key), encode_document(data), durable=True)

    # -- pauses -------------------------------------------------------------------------------

    def pause(self, name: str, by: str, reason: str) -> None:
        """Start nothing of a DAG, or of `queue:NAME`, by itself."""
        data = {"name": name, "since": _text(self._now()), "by": by, "reason": reason}
        self._disk.replace(self.paths.pause(name), encode_document(data), durable=True)

    def resume(self, name: str) -> bool:
        """Whether there was such a pause."""
        there = self.paths.pause(name).exists()
        self._disk.remove_file(self.paths.pause(name))
        return there

    def paused(self) -> dict[str, dict[str, Any]]:
        """Every pause by the name of what is paused."""
        found = (self._read(self.paths.paused / name) for name in _names(self.paths.paused))
        return {str(each["name"]): each for each in found if "name" in each}

    # -- files that were had ------------------------------------------------------------------

    def files_seen(self, key: str) -> dict[str, str] | None:
        """Path to digest of every file that started a run of a watching DAG; None where it never watched."""
        found = self._read(self.paths.files_seen(key)).get("files")
        return dict(found) if isinstance(found, dict) else None

    def set_files_seen(self, key: str, files: Mapping[str, str]) -> None:
        data = {"dag": key, "files": dict(files)}
        self._disk.replace(self.paths.files_seen(key), encode_document(data), durable=True)

    # -- what people were told of -------------------------------------------------------------

    def claim_news(self, key: str) -> bool:
        """Whether somebody is to be told of something: nobody was within this hour of the clock."""
        hour = self._now().astimezone(UTC).strftime("%Y%m%dT%H")
        for name in _names(self.paths.told):
            if not name.startswith(hour):
                self._disk.remove_file(self.paths.told / name)
        try:
            self._disk.put_new(self.paths.told_of(hour, key), encode_document({"told": key}))
        except FileExistsError:
            return False
        return True

    # -- log and sign of life -----------------------------------------------------------------

    def note(self, event: str, **data: Any) -> None:
        """Append a line to the scheduler's log; the log before the last is forgotten.

        On a full disk the line is lost: what it tells of has happened all the same.
        """
        record = {"time": _text(self._now()), "event": event, **data}
        self._told(record)
        with suppress(DagfsError):
            self._append(json.dumps(record).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        log = self._disk.open_append(self.paths.log)
        try:
            log.write(line)
            size = log.size
        finally:
            log.close()
        if size > _LARGEST_LOG:
            self._disk.move(self.paths.log, self.paths.old_log)

    def notes(self) -> Iterator[dict[str, Any]]:
        """The lines of the log, oldest first; what is not whole is left out."""
        for path in (self.paths.old_log, self.paths.log):
            try:
                lines = read_bytes(path).splitlines()
            except (FileNotFoundError, DagfsError):
                continue
            for line in lines:
                try:
                    found = json.loads(line)
                except ValueError:
                    continue
                if isinstance(found, dict):
                    yield found

    def set_status(self, status: Mapping[str, Any]) -> None:
        self._disk.replace(self.paths.status, encode_document(status))

    def status(self) -> dict[str, Any]:
        """What the scheduler said last; empty where none ever ran, or where it is no such document."""
        found = self._read(self.paths.status)
        return found if _is_sound(found) else {}

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            return decode_document(read_bytes(path), path)
        except (FileNotFoundError, DagfsError):
            # Nothing here decides alone whether a run is made.
            return {}


def _is_sound(status: Mapping[str, Any]) -> bool:
    kinds = all(isinstance(status[key], kind) for key, kind in _KINDS.items() if key in status)
    moments = all(is_moment(status[key]) for key in ("tick", "stale_after") if key in status)
    runs = (each for key in ("active", "starting") for each in status.get(key, ()))
    return kinds and moments and all(map(_is_upcoming, status.get("next", ()))) and all(map(_is_text, runs))


def _is_text(each: object) -> bool:
    return isinstance(each, str)


def _is_upcoming(each: object) -> bool:
    return isinstance(each, dict) and is_moment(each.get("due")) and isinstance(each.get("dag"), str)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _names(folder: Path) -> list[str]:
    try:
        return [name for name in sorted(os.listdir(folder)) if not name.startswith(".")]
    except OSError:
        # It is not there, or no folder: nothing here decides alone.
        return []
