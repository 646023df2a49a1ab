"""A plan as a page shows it, made of what `dagfs plan --json` says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dagfs.errors import SpecError
from dagfs.model.edit import Action
from dagfs.planning.explain import WORDS, verdict_words
from dagfs.planning.plan import Verdict
from dagfs.web.views.meaning import changed
from dagfs.web.views.wish import Wish

_STALE = "stale: "
"""What the reason of a step begins with that runs because of an answer."""
_ACK, _ORPHAN = "effects.ack", "orphan.running"
_SEVERITIES = {"note": "note", "warn": "warning", "ask": "question", "reject": "refused"}


@dataclass(frozen=True, slots=True)
class Row:
    """What becomes of one step."""

    step: str
    action: str
    """`keep`, `keep_stale`, `adopt`, `run`, `leave` or `defer`; for a child the verdict on it."""
    word: str
    reason: str
    depth: int = 0
    where: str = ""
    """The place where it runs, if that is another than before."""

    @property
    def is_child(self) -> bool:
        return self.depth % 2 == 1


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is said of the edit: a finding of a rule, or what is wrong with the text."""

    severity: str
    """`refused`, `question`, `warning`, `note`, or `error`."""
    message: str
    rule: str = ""
    step: str = ""
    line: int = 0
    column: int = 0
    hint: str = ""
    blocks: bool = False
    answer: str = ""
    """What was answered, where it was."""
    source: str = ""
    """The text of its line."""


@dataclass(frozen=True, slots=True)
class Question:
    """What becomes of a finished step whose definition changed; `*` stands for every step."""

    step: str
    answer: str
    """`rerun`, `keep`, `error`, or empty for what holds for all."""
    effective: str
    message: str


@dataclass(frozen=True, slots=True)
class Switch:
    """Something that is off unless somebody turns it on: lifting a rule, acknowledging a step."""

    value: str
    is_on: bool
    message: str


@dataclass(frozen=True, slots=True)
class Planned:
    """All of it."""

    id: str
    verdict: str
    line: str
    attempt: int
    rows: tuple[Row, ...]
    notes: tuple[Note, ...]
    questions: tuple[Question, ...]
    rules: tuple[Switch, ...]
    """Rules that can be lifted here."""
    effects: tuple[Switch, ...]
    """Steps with effects outside that would run again."""
    orphans: Switch | None
    meaning: tuple[str, ...]
    """What the edit changes, a line each."""
    needs_reason: bool

    @property
    def can_start(self) -> bool:
        return self.verdict == Verdict.COMPATIBLE

    @property
    def actions(self) -> Mapping[str, str]:
        """What becomes of each step of the run itself."""
        return {row.step: row.action for row in self.rows if not row.depth}


def planned(data: Mapping[str, Any], wish: Wish, text: bytes | None = None) -> Planned:
    """The plan as values. `text` is the spec that its lines are of."""
    lines = (text or b"").decode("utf-8", "replace").splitlines()
    findings = data["findings"]
    verdict = Verdict(data["verdict"])
    return Planned(
        id=data["plan"],
        verdict=str(verdict),
        line=verdict_words(verdict, [Action(step["action"]) for step in data["steps"]]),
        attempt=data["attempt"],
        rows=tuple(_rows(data["steps"], data["children"], data["afresh"])),
        notes=tuple(_note(each, data["answers"], lines) for each in findings),
        questions=tuple(_questions(data, wish)),
        rules=tuple(_rules(findings, wish)),
        effects=tuple(_effects(data, wish)),
        orphans=_orphans(findings, wish),
        meaning=tuple(_meaning(data)),
        needs_reason=_needs_reason(data),
    )


def text_notes(error: SpecError, text: bytes) -> tuple[Note, ...]:
    """What is wrong with a text that is no spec."""
    lines = text.decode("utf-8", "replace").splitlines()
    return tuple(
        Note(
            severity=each.severity,
            message=each.message,
            line=each.line,
            column=each.column,
            hint=each.hint or "",
            blocks=each.severity == "error",
            source=_source(lines, each.line),
        )
        for each in error.problems
    )


def _source(lines: Sequence[str], line: int) -> str:
    return lines[line - 1] if 0 < line <= len(lines) else ""


def _rows(
    steps: Sequence[Mapping[str, Any]],
    children: Sequence[Mapping[str, Any]],
    afresh: Sequence[str] = (),
    depth: int = 0,
) -> Iterator[Row]:
    for step in steps:
        name, action = step["step"], Action(step["action"])
        why = step["reason"] + ("; its children start over" if name in afresh else "")
        yield Row(name, str(action), WORDS[action], why, depth, _where(step))
        for child in children:
            if child["step"] == name:
                yield _child_row(child, depth + 1)
                yield from _rows(child["steps"], child["children"], (), depth + 2)


def _child_row(child: Mapping[str, Any], depth: int) -> Row:
    line = verdict_words(Verdict(child["verdict"]), [Action(step["action"]) for step in child["steps"]])
    return Row(child["child"], str(child["verdict"]), "child", f"goes on: {line}", depth)


def _where(step: Mapping[str, Any]) -> str:
    now, before = step.get("executor", ""), step.get("before", "")
    return f"in {now} instead of {before}" if now and now != before else f"in {now}" if now else ""


def _note(finding: Mapping[str, Any], answers: Mapping[str, Any], lines: Sequence[str]) -> Note:
    answer = ""
    if finding["severity"] == "ask" and not finding["blocks"]:
        answer = f"answered: {_effective(answers, finding['step'] or '*')}"
    if finding["severity"] == "reject" and not finding["blocks"]:
        answer = "allowed"
    return Note(
        severity=_SEVERITIES[finding["severity"]],
        message=finding["message"],
        rule=finding["rule"],
        step=finding["step"] or "",
        line=finding["line"],
        column=finding["column"],
        hint=finding["hint"],
        blocks=finding["blocks"],
        answer=answer,
        source=_source(lines, finding["line"]),
    )


def _effective(answers: Mapping[str, Any], step: str) -> str:
    """The answer that counts for a step: the last that fits."""
    return next((answer for name, answer in reversed(answers["on_stale"]) if name in ("*", step)), "error")


def _questions(data: Mapping[str, Any], wish: Wish) -> Iterator[Question]:
    """What is asked, and what was asked and has been answered: an answer can be taken back."""
    asked: dict[str, str] = {}
    for finding in data["findings"]:
        if finding["severity"] == "ask":
            asked.setdefault(finding["step"] or "*", finding["message"])
    for step in data["steps"]:
        if step["reason"].startswith(_STALE):
            asked.setdefault(step["step"], step["reason"].removeprefix(_STALE))
    answers = data["answers"]
    for step, message in asked.items():
        yield Question(step, wish.stale.get(step, ""), _effective(answers, step), message)


def _rules(findings: Iterable[Mapping[str, Any]], wish: Wish) -> Iterator[Switch]:
    found: dict[str, str] = {}
    for finding in findings:
        if finding["severity"] == "reject" and finding["allowable"]:
            found.setdefault(finding["rule"], finding["message"])
    for rule, message in found.items():
        yield Switch(rule, rule in wish.allow, message)


def _effects(data: Mapping[str, Any], wish: Wish) -> Iterator[Switch]:
    asked = {each["step"]: each["message"] for each in data["findings"] if each["rule"] == _ACK}
    running = {step["step"] for step in data["steps"] if Action(step["action"]).may_run}
    for step in wish.acknowledged:
        if step in running or "/" in step:
            asked.setdefault(step, "it has been started before, and has effects outside")
    for step, message in asked.items():
        yield Switch(step, step in wish.acknowledged, message)


def _orphans(findings: Iterable[Mapping[str, Any]], wish: Wish) -> Switch | None:
    message = next((each["message"] for each in findings if each["rule"] == _ORPHAN), "")
    if not message and not wish.kill_orphans:
        return None
    return Switch("yes", wish.kill_orphans, message or "steps of a dead engine will be ended")


def _meaning(data: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"step {old}: renamed to {new}" for old, new in data["renamed"].items())
    yield from (f"step {name}: added" for name in data["added"])
    yield from (f"step {name}: removed" for name in data["removed"])
    yield from map(changed, data["changes"])


def _needs_reason(data: Mapping[str, Any]) -> bool:
    """Somebody answers for stale work or for a rule that was lifted, and must say why."""
    keeps = any(answer == "keep" for _, answer in data["answers"]["on_stale"])
    lifts = any(each["severity"] == "reject" and not each["blocks"] for each in data["findings"])
    return keeps or lifts


def relevant(wish: Wish, plan: Planned) -> Wish:
    """The wish without answers to what is not asked (any more)."""
    asked = {each.step for each in plan.questions}
    stale = {step: answer for step, answer in wish.stale.items() if step in asked or (step == "*" and asked)}
    rules = {each.value for each in plan.rules}
    effects = {each.value for each in plan.effects}
    return replace(
        wish,
        stale=stale,
        allow=tuple(rule for rule in wish.allow if rule in rules),
        acknowledged=tuple(step for step in wish.acknowledged if step in effects),
    )
