"""The root keys that say when runs start by themselves, which wait, and how long old ones are kept."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from dagfs.model.cron import parse_cron
from dagfs.model.dag import Mark, RetryPolicy
from dagfs.model.schedule import ACTIONS, CATCHUP, OVERLAP, START, Retention, Schedule, Timetable
from dagfs.spec import keys
from dagfs.spec.lifetime import DAY, can_happen
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, kind
from dagfs.spec.policies import retry_policy
from dagfs.spec.reader import Fields, Reader

_ZONE_PREFIX = re.compile(r"(?:CRON_TZ|TZ)=(\S+)\s+(.*)", re.DOTALL)
_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?"
)
_UNITS = (86400.0, 3600.0, 60.0, 1.0)
_OVERLAP_WORDS = {"all": "queue"}
"""What Dagu 2 calls it."""
Placed = tuple[Timetable, Mark]
"""An entry, and where it stands."""


def scheduling(reader: Reader, fields: Fields) -> dict[str, Any]:
    """The fields of a `Dag` that the scheduler lives by."""
    said = {name: read(reader, fields[key]) for key, (name, read) in _SCHEDULE.items() if key in fields}
    if "catchup_window" in fields and "catchup" not in fields and said["catchup_window_sec"]:
        # Whoever names a window in Dagu wants all of it.
        said["catchup"] = "all"
    placed = _timetables(reader, fields["schedule"]) if "schedule" in fields else []
    schedule = Schedule(entries=tuple(entry for entry, _ in placed), **said)
    if _ends_before_it_starts(schedule.start_date, schedule.end_date):
        message = f"end_date {schedule.end_date} is before start_date {schedule.start_date}: it never fires"
        reader.error(fields["end_date"].value.mark, message)
    else:
        _refuse_impossible(reader, placed, schedule)
    values: dict[str, Any] = {"schedule": schedule}
    if "retry_policy" in fields:
        values["retry_policy"] = _retry_policy(reader, fields["retry_policy"])
    if "queue" in fields:
        values["queue"] = _queue_name(reader, fields["queue"])
    if "priority" in fields:
        values["priority"] = reader.integer(fields["priority"].value, "priority")
    if "max_active_runs" in fields:
        values["max_active_runs"] = _at_least_none(reader, fields["max_active_runs"])
    kept = {
        short: _at_least_none(reader, fields[f"hist_retention_{short}"])
        for short in ("days", "runs")
        if f"hist_retention_{short}" in fields
    }
    return values | {"retention": Retention(**kept)}


def _ends_before_it_starts(first: str, last: str) -> bool:
    """Whether no instant lies between, in whatever zone days are meant."""
    if not first or not last:
        return False
    if len(first) == len(last) == DAY:
        return last < first
    begin, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
    # A date and an instant: a day begins and ends at another moment in each zone.
    slack = timedelta() if DAY not in (len(first), len(last)) else timedelta(days=2)
    return end.replace(tzinfo=UTC) - begin.replace(tzinfo=UTC) < -slack


def _refuse_impossible(reader: Reader, placed: list[Placed], schedule: Schedule) -> None:
    first, last = schedule.start_date, schedule.end_date
    until = f"to end_date {last}" if first else f"until end_date {last}"
    when = " ".join((*([f"from start_date {first}"] if first else []), until if last else "on"))
    for entry, mark in placed if first or last else ():
        if not can_happen(entry, first, last, schedule.timezone):
            reader.error(mark, f"'{entry}' never fires {when}")


# -- timetables ----------------------------------------------------------------------------------


def _timetables(reader: Reader, entry: Entry) -> list[Placed]:
    """A cron expression, a list of entries, one entry, or a map of start, stop and restart."""
    node = entry.value
    table = keys.TIMETABLE.of(reader.dialect.name)
    if not isinstance(node, Mapping) or any(each.key in table for each in node.entries):
        return list(_entries(reader, node, START))
    found: list[Placed] = []
    fields = reader.fields(node, keys.SCHEDULE, entry.key)
    for action in ACTIONS:
        if action in fields:
            found += _entries(reader, fields[action].value, action)
    return found


def _entries(reader: Reader, node: Node, action: str) -> Iterator[Placed]:
    for item in node.items if isinstance(node, Sequence) else (node,):
        made = _timetable(reader, item, action)
        if made:
            yield made, item.mark


def _timetable(reader: Reader, node: Node, action: str) -> Timetable | None:
    if isinstance(node, Scalar):
        return _cron(reader, node, action) if node.value is not None and node.text.strip() else None
    if isinstance(node, Sequence):
        reader.error(node.mark, f"each entry of schedule must be a text or a map, not {kind(node)}")
        return None
    fields = reader.fields(node, keys.TIMETABLE, "schedule")
    said = reader.string(fields["kind"].value, "kind") if "kind" in fields else ""
    if said not in ("", "cron", "at"):
        reader.error(fields["kind"].value.mark, f"kind must be 'cron' or 'at', not '{said}'")
        return None
    wanted = said or ("at" if "at" in fields else "cron")
    key = "at" if wanted == "at" else "expression"
    if key not in fields:
        if not fields.refused:
            reader.error(node.mark, f"an entry of schedule needs {key}:")
        return None
    other = "expression" if key == "at" else "at"
    if other in fields:
        reader.error(
            fields[other].mark, "an entry of schedule has a cron expression or one instant, not both"
        )
    if key == "at":
        return Timetable(action, at=_instant(reader, fields["at"], whole_day=False))
    zone = _timezone(reader, fields["timezone"]) if "timezone" in fields else ""
    return _cron(reader, fields["expression"].value, action, zone)


def _cron(reader: Reader, node: Node, action: str, zone: str = "") -> Timetable | None:
    text = reader.string(node, "a cron expression").strip()
    match = _ZONE_PREFIX.fullmatch(text)
    if match:
        zone, text = _known_zone(reader, node, match[1]), match[2]
    try:
        cron = parse_cron(text)
    except ValueError as error:
        hint = "`dagfs explain cron` has the rules" if text else None
        reader.error(node.mark, f"cron expression '{text}': {error}", hint)
        return None
    return Timetable(action, " ".join(cron.text.split()), zone)


# -- single values -------------------------------------------------------------------------------


def _timezone(reader: Reader, entry: Entry) -> str:
    return _known_zone(reader, entry.value, reader.string(entry.value, entry.key))


def _known_zone(reader: Reader, node: Node, name: str) -> str:
    if name and not is_zone(name):
        hint = "names are like Europe/Berlin or UTC; is the package tzdata installed?"
        reader.error(node.mark, f"there is no time zone '{name}'", hint)
        return ""
    return name


def is_zone(name: str) -> bool:
    """Whether this machine knows a time zone of that name."""
    # By name: only files that speak of a zone pay for the import.
    zoneinfo = importlib.import_module("zoneinfo")
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True


def _instant(reader: Reader, entry: Entry, *, whole_day: bool = True) -> str:
    """RFC 3339 with an offset, or with `whole_day` a date alone."""
    text = reader.string(entry.value, entry.key).strip()
    day = len(text) == DAY
    try:
        moment = datetime.fromisoformat(text)
        if whole_day if day else moment.tzinfo is not None:
            return text if day else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        # No moment, or one that has no place in the calendar of UTC.
        pass
    shapes = "a date or an instant" if whole_day else "an instant"
    reader.error(entry.value.mark, f"{entry.key} must be {shapes} such as 2026-11-21T02:30:00Z, not '{text}'")
    return ""


def duration(text: str) -> float | None:
    """Seconds of `90`, `1h30m`, `2d`; None for what is no duration."""
    if text.replace(".", "", 1).isdecimal():
        return float(text)
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        return None
    return sum(float(part) * unit for part, unit in zip(match.groups(), _UNITS, strict=True) if part)


def _seconds(reader: Reader, entry: Entry) -> float:
    text = reader.string(entry.value, entry.key).strip()
    found = duration(text) if text else 0
    if found is None:
        reader.error(
            entry.value.mark, f"{entry.key} must be seconds or a time such as 6h or 1h30m, not '{text}'"
        )
    return found or 0


def _one_of(*choices: str, also: dict[str, str] | None = None) -> Callable[[Reader, Entry], str]:
    def read(reader: Reader, entry: Entry) -> str:
        said = reader.string(entry.value, entry.key).strip()
        word = (also or {}).get(said, said)
        if word and word not in choices:
            hint = reader.suggestion(said, choices)
            reader.error(
                entry.value.mark, f"{entry.key} must be one of {', '.join(choices)}, not '{said}'", hint
            )
        return word if word in choices else choices[0]

    return read


def _at_least_none(reader: Reader, entry: Entry) -> int:
    """A whole number; a negative one, as 0, says that there is no limit."""
    return max(0, reader.integer(entry.value, entry.key))


def _retry_policy(reader: Reader, entry: Entry) -> RetryPolicy:
    policy = retry_policy(reader, entry)
    if policy.exit_code:
        reader.error(
            entry.value.mark,
            "the retry_policy of the DAG itself has no exit_code: a run ends without one",
            "give exit_code in the retry_policy of the steps",
        )
    return policy


def can_name_queue(name: str) -> bool:
    """Letters, digits, `_`, `.` and `-`, at most 64."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name) is not None


def _queue_name(reader: Reader, entry: Entry) -> str:
    name = reader.string(entry.value, entry.key).strip()
    if name and not can_name_queue(name):
        reader.error(entry.value.mark, f"'{name}' cannot name a queue", "use letters, digits, _ . and -")
    return name


def _watch(reader: Reader, entry: Entry) -> tuple[str, ...]:
    patterns = tuple(filter(None, reader.strings(entry.value, entry.key)))
    for pattern in patterns:
        if pattern.removeprefix("./").startswith("runs/"):
            hint = "let a step write what is to start another DAG to a folder of its own"
            reader.warning(entry.value.mark, f"'{pattern}': what lies with the runs starts none", hint)
    return patterns


_SCHEDULE: dict[str, tuple[str, Callable[[Reader, Entry], Any]]] = {
    "timezone": ("timezone", _timezone),
    "skip_if_successful": (
        "skip_if_successful",
        lambda reader, entry: reader.boolean(entry.value, entry.key),
    ),
    "catchup": ("catchup", _one_of("latest", *(each for each in CATCHUP if each != "latest"))),
    "catchup_window": ("catchup_window_sec", _seconds),
    "overlap": ("overlap", _one_of(*OVERLAP, also=_OVERLAP_WORDS)),
    "jitter": ("jitter_sec", _seconds),
    "start_date": ("start_date", _instant),
    "end_date": ("end_date", _instant),
    "watch": ("watch", _watch),
    "suspend": ("suspend", lambda reader, entry: reader.boolean(entry.value, entry.key)),
    "restart_wait_sec": ("restart_wait_sec", lambda reader, entry: reader.seconds(entry.value, entry.key)),
}
