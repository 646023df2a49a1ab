"""The attempts of a run as a list: who asked for each, why, and how it ended. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.excerpt import one_line
from dagfs.model.run import Actor, Attempt, Run
from dagfs.model.timespan import duration
from dagfs.web.views.course import Course


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt."""

    n: int
    state: str
    spec: str
    version: int
    """The number in the spec's name."""
    before: int
    """The version of the attempt before, where that was another; else 0."""
    created: str
    took: str
    who: str
    why: str
    asked: str
    reason: str
    ran: int
    kept: int
    left: int


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was said or done beside the steps' own work."""

    attempt: int
    time: str
    who: str
    what: str
    why: str
    kind: str
    """`good`, `bad`, or empty: how it looks."""


def attempt_rows(run: Run) -> list[AttemptRow]:
    """All attempts, the newest first."""
    found: list[AttemptRow] = []
    before = 0
    for attempt in run.attempts:
        version = _version(attempt.header.spec)
        found.append(_row(attempt, version, before if before != version else 0))
        before = version
    return found[::-1]


def _row(attempt: Attempt, version: int, before: int) -> AttemptRow:
    header, steps = attempt.header, attempt.steps.values()
    return AttemptRow(
        attempt.n,
        str(attempt.state),
        header.spec,
        version,
        before,
        header.created or attempt.started or "",
        duration(attempt.started, attempt.finished),
        who(header.actor),
        header.reason,
        "  ".join(header.asked),
        one_line(attempt.reason),
        sum(1 for step in steps if step.tries and not step.kept and not step.left),
        sum(1 for step in steps if step.kept),
        sum(1 for step in steps if step.left),
    )


def _version(name: str) -> int:
    digits = name.removeprefix("spec.v").removesuffix(".yaml")
    return int(digits) if digits.isdecimal() else 0


def who(actor: Actor) -> str:
    """A person, and the way they came: `ann@desk, web from 10.0.0.7`."""
    through = actor.source if actor.source not in ("", "cli") else ""
    away = f" from {actor.remote}" if actor.remote else ""
    return str(actor) + (f", {through}{away}" if through else "")


def remarks(courses: Sequence[Course]) -> list[Remark]:
    """What people and the engine said, the newest first."""
    found = [_remark(course.n, event) for course in courses for event in course.remarks]
    return found[::-1]


def _remark(n: int, event: Event) -> Remark:
    data, name = event.data, event.name
    step = f"step {event.step}" if event.step else "the run"
    actor = who(Actor.from_data(data["actor"])) if isinstance(data.get("actor"), Mapping) else ""
    why, kind = str(data.get("reason") or ""), ""
    if name == ev.STEP_ANSWERED:
        kind = "good" if data.get("approved") else "bad"
        what = f"{'approved' if data.get('approved') else 'rejected'} {step}"
        given = data.get("inputs") or {}
        if isinstance(given, Mapping) and given:
            what += " with " + ", ".join(f"{key}={value}" for key, value in given.items())
    elif name == ev.STEP_MARKED:
        what = f"marked {step} {data.get('state', '')} (was {str(data.get('was', '')).replace('_', ' ')})"
    elif name == ev.STOP_REQUESTED:
        what, kind = "killed the run" if data.get("kill") else "stopped the run", "bad"
    elif name == ev.RUN_TIMED_OUT:
        what, kind = f"the run's limit of {data.get('timeout_sec')} s passed", "bad"
    elif name == ev.ATTEMPT_RESUMED:
        what = "the run went on"
    elif name == ev.ATTEMPT_WAITING:
        what = "the run waits"
    else:
        what = (f"{step}: " if event.step else "") + str(data.get("message", ""))
    return Remark(n, event.time, actor, one_line(what, 300), one_line(why, 300), kind)
