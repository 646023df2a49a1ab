"""A run as lists show it: made of its status document. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dagfs.model.timespan import duration, moment
from dagfs.web.views.times import known_time

_LONGEST_PARAMS = 200
_LONGEST_REASON = 400
_SETTLED = ("succeeded", "partially_succeeded", "skipped")
_OPEN = ("queued", "running", "waiting")


@dataclass(frozen=True, slots=True)
class RunFact:
    """What is known of a run without looking at its steps. Times as the store writes them."""

    run: str
    dag: str
    state: str
    created: str
    started: str = ""
    finished: str = ""
    reason: str = ""
    error: str = ""
    attempt: int = 1
    trigger: str = ""
    parent: str = ""
    params: str = ""
    """`NAME=value` one after the other, cut."""
    spec: str = ""
    """The digest of the newest attempt's spec."""
    done: int = 0
    steps: int = 0
    waits: int = 0
    """How many of its own steps wait for somebody's word."""
    seconds: float | None = None
    """How long its newest attempt took; None while it is under way."""

    @property
    def is_over(self) -> bool:
        return self.state not in _OPEN

    @property
    def why(self) -> str:
        """A few words on how it stands, in one line."""
        return " ".join((self.reason or self.error).split())[:160]


def fact_of(document: Mapping[str, Any], made: float) -> RunFact:
    """What a status document says, whoever wrote it; `made`, in seconds, is for a time it does not tell."""
    counts = {str(state): _number(count) for state, count in _mapping(document.get("counts")).items()}
    params = _mapping(document.get("params"))
    started, finished = known_time(document.get("started")), known_time(document.get("finished"))
    return RunFact(
        run=str(document["run"]),
        dag=sys.intern(str(document.get("dag") or "")),
        state=sys.intern(str(document["state"])),
        created=known_time(document.get("created")) or _text(made),
        started=started,
        finished=finished,
        reason=str(document.get("reason") or "")[:_LONGEST_REASON],
        error=str(document.get("error") or "")[:_LONGEST_REASON],
        attempt=_number(document.get("attempt")) or 1,
        trigger=sys.intern(str(document.get("trigger") or "")),
        parent=str(document.get("parent") or ""),
        params=" ".join(f"{name}={value}" for name, value in params.items())[:_LONGEST_PARAMS],
        spec=sys.intern(str(document.get("spec_sha256") or "")),
        done=sum(counts.get(state, 0) for state in _SETTLED),
        steps=sum(counts.values()),
        waits=counts.get("waiting", 0),
        seconds=_seconds(started, finished),
    )


def _seconds(started: str, finished: str) -> float | None:
    began, ended = moment(started), moment(finished)
    return max(0.0, (ended - began).total_seconds()) if began and ended else None


def _mapping(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}


def _number(said: Any) -> int:
    return said if isinstance(said, int) else 0


def _text(made: float) -> str:
    return datetime.fromtimestamp(made, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs a list is to show."""

    dag: str = ""
    states: tuple[str, ...] = ()
    since: str = ""
    """Compared with `created` as text."""
    text: str = ""
    dags: frozenset[str] | None = None
    """Names that a tag stands for; None for no tag."""

    def takes(self, fact: RunFact) -> bool:
        return (
            (not self.dag or fact.dag == self.dag)
            and (not self.states or fact.state in self.states)
            and fact.created >= self.since
            and (self.dags is None or fact.dag in self.dags)
            and (not self.text or _mentions(fact, self.text.lower()))
        )


def _mentions(fact: RunFact, text: str) -> bool:
    said = (fact.run, fact.dag, fact.params, fact.reason, fact.error, fact.trigger)
    return any(text in each.lower() for each in said)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    facts: Sequence[RunFact]
    older: str = ""
    """The cursor behind which the next part begins; empty at the end."""


def cut(facts: Iterable[RunFact], wanted: Filter, before: str, most: int) -> Page:
    """The first `most` runs that the filter takes, behind the cursor `before` (`CREATED RUN`)."""
    created, _, run = before.partition(" ")
    found: list[RunFact] = []
    for fact in facts:
        if before and (fact.created, fact.run) >= (created, run):
            continue
        if not wanted.takes(fact):
            continue
        if len(found) == most:
            last = found[-1]
            return Page(found, f"{last.created} {last.run}")
        found.append(fact)
    return Page(found)


def typical(facts: Iterable[RunFact]) -> float | None:
    """The median duration in seconds of runs that succeeded; None where there are too few to say."""
    known = sorted(each.seconds for each in facts if each.state == "succeeded" and each.seconds is not None)
    return known[len(known) // 2] if len(known) >= 2 else None


def cell_title(fact: RunFact) -> str:
    """What pointing at a run's cell tells."""
    took = duration(fact.started or None, fact.finished or None)
    parts = [fact.run, fact.state.replace("_", " "), took, fact.why]
    return " · ".join(part for part in parts if part)


def documents(facts: Iterable[RunFact]) -> Iterator[dict[str, str]]:
    """As much of status documents as a family tree needs."""
    return ({"run": each.run, "parent": each.parent} for each in facts)
