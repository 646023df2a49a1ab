"""What the scheduler says of itself, and lines of its log, as people read them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dagfs.web.views.times import known_time

_BAD = frozenset(
    {
        "dag_error",
        "not_started",
        "set_aside",
        "engine_died",
        "error",
        "command_failed",
        "missed",
        "missed_many",
    }
)


@dataclass(frozen=True, slots=True)
class Note:
    """One line."""

    time: str
    event: str
    dag: str
    run: str
    text: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the scheduler said of itself last."""

    pid: str
    host: str
    started: str
    tick: str
    stopped: bool
    counts: tuple[tuple[str, str], ...]
    """Names and figures."""
    lag_sec: str
    error: str
    problem: str
    """Why it does not notice changes of files."""
    next: tuple[tuple[datetime, str], ...]
    """When which DAG is started next."""
    errors: Mapping[str, str]
    not_started: Mapping[str, str]


_COUNTS = {
    "dags": "DAG files",
    "schedules": "Schedules",
    "running": "Runs going on",
    "queued": "Queued",
    "set_aside": "Set aside",
}


def heartbeat_of(status: Mapping[str, Any]) -> Heartbeat | None:
    """What a scheduler's status file says, whatever wrote it; None for one that says nothing."""
    if not status:
        return None
    return Heartbeat(
        str(status.get("pid", "?")),
        str(status.get("host", "?")),
        known_time(status.get("started")),
        known_time(status.get("tick")),
        bool(status.get("stopped")),
        tuple((title, str(status.get(key, 0))) for key, title in _COUNTS.items()),
        str(status.get("lag_sec") or 0),
        str(status.get("error") or ""),
        str(status.get("problem") or ""),
        tuple(_next(status)),
        _texts(status.get("errors")),
        _texts(status.get("not_started")),
    )


def _next(status: Mapping[str, Any]) -> Iterator[tuple[datetime, str]]:
    found = status.get("next")
    for each in found[:10] if isinstance(found, list) else ():
        if isinstance(each, Mapping) and known_time(each.get("due")):
            yield datetime.fromisoformat(str(each["due"])), str(each.get("dag", ""))


def _texts(found: Any) -> Mapping[str, str]:
    return {str(name): str(text) for name, text in found.items()} if isinstance(found, Mapping) else {}


def note_of(line: Mapping[str, Any]) -> Note:
    """What a line of the log says."""
    event = str(line.get("event", ""))
    rest = [
        f"{key.replace('_', ' ')} {value}"
        for key, value in line.items()
        if key not in ("time", "event", "dag", "run", "reason", "error") and value not in ("", None)
    ]
    said = [str(line[key]) for key in ("reason", "error") if line.get(key)]
    return Note(
        known_time(line.get("time")),
        event,
        str(line.get("dag", "")),
        str(line.get("run", "")),
        " · ".join([*said, *rest])[:400],
        event in _BAD,
    )
