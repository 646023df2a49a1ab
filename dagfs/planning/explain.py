"""A plan in words, and an edit as a list of what it means: pure text, the same for every door."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from dagfs.model.edit import Action, Change, Edit, Finding, Severity
from dagfs.model.fingerprint import FieldClass
from dagfs.planning.compat import text_lines
from dagfs.planning.plan import Decision, Plan, Verdict

WORDS = {
    Action.KEEP: "keep",
    Action.KEEP_STALE: "keep stale",
    Action.ADOPT: "adopt",
    Action.RUN: "run",
    Action.LEAVE: "leave",
    Action.DEFER: "defer",
}
_MEANING = {
    FieldClass.IDENTITY: "changes what the run is",
    FieldClass.WIRING: "changes what is handed on",
    FieldClass.SEMANTIC: "may change the result",
    FieldClass.OPERATIONAL: "changes how it runs, not the result",
    FieldClass.COSMETIC: "for people only",
    FieldClass.HANDLER: "counts from the next attempt on",
}
_LONGEST = 60


def decision_row(decision: Decision) -> tuple[str, str, str]:
    """Action, step and reason of one line of a plan."""
    return WORDS[decision.action], decision.step, decision.reason


def verdict_line(plan: Plan) -> str:
    """The plan's first line."""
    return verdict_words(plan.verdict, [decision.action for decision in plan.decisions])


def verdict_words(verdict: Verdict, actions: Sequence[Action]) -> str:
    """`compatible: 2 kept, 3 to run`."""
    counted = {
        "kept": sum(action.is_keep for action in actions),
        "adopted": actions.count(Action.ADOPT),
        "to run": actions.count(Action.RUN),
        "deferred": actions.count(Action.DEFER),
        "left": actions.count(Action.LEAVE),
    }
    what = ", ".join(f"{count} {word}" for word, count in counted.items() if count)
    return f"{VERDICTS[verdict]}: {what}"


VERDICTS = {
    Verdict.COMPATIBLE: "compatible",
    Verdict.NEEDS_ANSWER: "needs an answer",
    Verdict.REFUSED: "refused",
    Verdict.NOTHING_TO_DO: "nothing to do",
}


def finding_line(finding: Finding, plan: Plan) -> str:
    """`spec.next.yaml:9:5: refused [structure.rename] …`."""
    where = f"{plan.spec}:{finding.line}:{finding.column}: " if finding.line else ""
    answer = _answer(finding, plan)
    word = "would be refused" if plan.lifts(finding) else _SEVERITIES[finding.severity]
    return f"{where}{word} [{finding.rule}] {finding.message}" + (f" ({answer})" if answer else "")


_SEVERITIES = {
    Severity.NOTE: "note",
    Severity.WARN: "warning",
    Severity.ASK: "question",
    Severity.REJECT: "refused",
}


def _answer(finding: Finding, plan: Plan) -> str:
    if plan.lifts(finding):
        return "allowed"
    if finding.severity is Severity.ASK and not plan.is_open(finding):
        return f"answered: {plan.answers.stale_answer(finding.step or '*')}"
    return ""


def is_cosmetic(edit: Edit) -> bool:
    """Nothing that runs by the spec has changed: only comments, layout, or words for people."""
    meant = any(change.kind is not FieldClass.COSMETIC for change in edit.changes)
    values = any(edit.params.values()) or any(edit.env.values())
    return not (meant or values or edit.added or edit.removed or edit.renamed)


def edit_lines(edit: Edit) -> list[str]:
    """The semantic difference, one line a change."""
    lines = [f"step {old}: renamed to {new}" for old, new in edit.renamed.items()]
    lines += [f"step {name}: added" for name in edit.added]
    lines += [f"step {name}: removed" for name in edit.removed]
    return lines + [change_line(change) for change in edit.changes]


def change_line(change: Change) -> str:
    """`step transform: command at line 9: old → new (may change the result)`."""
    owner = f"step {change.step}" if change.step else "dag"
    line = f" at line {change.line}" if change.line else ""
    old, new = _difference(change.old, change.new)
    return f"{owner}: {change.field}{line}: {old} → {new} ({_MEANING[change.kind]})"


def _difference(old: Any, new: Any) -> tuple[str, str]:
    """Both values on a line each; of texts of several lines, the first that differs."""
    before, after = (text_lines(value) for value in (old, new))
    if len(before) > 1 or len(after) > 1:
        pairs = zip_longest(before, after)
        old, new = next((pair for pair in pairs if pair[0] != pair[1]), (old, new))
    return _shown(old), _shown(new)


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
