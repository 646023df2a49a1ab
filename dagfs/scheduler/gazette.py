"""Which lines of the scheduler's log are news for people, and when they are told.

The same thing is told once an hour, whatever happens, and of many things at once the first few; the log
has each. Others with the same store tell nothing again: `claim` is theirs as well.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dagfs.engine.trouble import Trouble
from dagfs.hooks.notifier import BAD_FILE, ENGINE_DIED, MISSED, NOT_STARTED, OTHERS, SCHEDULER, SET_ASIDE

AGAIN_SEC = 3600.0
MOST = 10
"""So many are told one by one within a minute."""
_MINUTE = 60.0
_BY_ITSELF = "scheduler"


class Gazette:
    """Hears every line of the log; has for each look what is to be told."""

    def __init__(self, claim: Callable[[str], bool], clock: Callable[[], float] = time.monotonic) -> None:
        """`claim` says whether something is to be told here and now: nobody else has within the hour."""
        self._claim, self._clock = claim, clock
        self._heard: dict[str, tuple[Trouble, int]] = {}
        self._told: dict[str, float] = {}
        self._lately: deque[float] = deque()

    def hear(self, record: Mapping[str, Any]) -> None:
        """A line of the log."""
        trouble = trouble_of(record)
        if trouble is not None:
            key = f"{trouble.kind} {trouble.subject}"
            self._heard[key] = trouble, self._heard.get(key, (trouble, 0))[1] + 1

    def due(self) -> list[Trouble]:
        """What is to be told now."""
        if not self._heard:
            return []
        heard, self._heard = self._heard, {}
        moment = self._clock()
        self._told = {key: when for key, when in self._told.items() if moment - when < AGAIN_SEC}
        while self._lately and moment - self._lately[0] >= _MINUTE:
            self._lately.popleft()
        fresh = {key: each for key, each in heard.items() if key not in self._told}
        self._told |= dict.fromkeys(fresh, moment)
        return self._chosen(fresh, moment)

    def _chosen(self, fresh: Mapping[str, tuple[Trouble, int]], moment: float) -> list[Trouble]:
        found, left = [], 0
        for key, (trouble, count) in fresh.items():
            if len(self._lately) >= MOST:
                left += 1
            elif self._claim(key):
                self._lately.append(moment)
                more = f" (and {count - 1} more like it)" if count > 1 else ""
                found.append(replace(trouble, reason=trouble.reason + more))
        if left and OTHERS not in self._told and self._claim(OTHERS):
            self._told[OTHERS] = moment
            found.append(_others(left))
        return found


def _others(count: int) -> Trouble:
    return Trouble(
        OTHERS, _BY_ITSELF, f"{count} more things went wrong; `dagfs scheduler --log {count}` has them"
    )


def trouble_of(record: Mapping[str, Any]) -> Trouble | None:
    """What a line of the log is for people; None where it is nothing to tell them."""
    make = _KINDS.get(str(record.get("event")))
    return replace(make(record), time=str(record.get("time", ""))) if make else None


def _bad_file(record: Mapping[str, Any]) -> Trouble:
    then = (
        "its last good version runs"
        if record.get("last_good")
        else "nothing of it is started until it is mended"
    )
    return Trouble(BAD_FILE, str(record["file"]), f"{record['error']}; {then}")


def _not_started(record: Mapping[str, Any]) -> Trouble:
    return Trouble(
        NOT_STARTED, str(record["dag"]), f"run {record['run']} was not started: {record['reason']}"
    )


def _missed(record: Mapping[str, Any]) -> Trouble:
    reason = f"the start of {record['due']} was missed and is not made up for (catchup: {record['catchup']})"
    return Trouble(MISSED, str(record["dag"]), reason)


def _missed_many(record: Mapping[str, Any]) -> Trouble:
    since = f" since {record['since']}" if record.get("since") else ""
    return Trouble(
        MISSED, str(record["dag"]), f"{record['count']} starts{since} were missed and are not made up for"
    )


def _set_aside(record: Mapping[str, Any]) -> Trouble:
    reason = f"the queued run {record['run']} was set aside: {record['reason']}"
    return Trouble(SET_ASIDE, str(record.get("dag") or record["run"]), reason)


def _engine_died(record: Mapping[str, Any]) -> Trouble:
    run = str(record["run"])
    return Trouble(ENGINE_DIED, run, f"the engine of run {run} died; {record['then']}", run=run)


def _scheduler(record: Mapping[str, Any]) -> Trouble:
    return Trouble(SCHEDULER, str(record.get("dag") or _BY_ITSELF), str(record["reason"]))


_KINDS: Mapping[str, Callable[[Mapping[str, Any]], Trouble]] = {
    "dag_error": _bad_file,
    "not_started": _not_started,
    "missed": _missed,
    "missed_many": _missed_many,
    "set_aside": _set_aside,
    "engine_died": _engine_died,
    "error": _scheduler,
}
