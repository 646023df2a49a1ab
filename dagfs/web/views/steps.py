"""The steps of an attempt as rows of a table, and one of them in full. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from dagfs.model.dag import Dag, Step
from dagfs.model.excerpt import one_line
from dagfs.model.run import Attempt, ChildRun, Run, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.model.timespan import duration
from dagfs.store.layout import RunPaths, StepPaths
from dagfs.web.templates import run_url
from dagfs.web.views.course import Whose

HANDLER = "on:"
"""What the word for a handler begins with, as on the command line."""
_BAD = (StepState.FAILED, StepState.LOST, StepState.REJECTED)
_MOST_CHILDREN = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the run's page somebody is: what the addresses of all its links keep."""

    run: str
    attempt: int = 0
    """The attempt that is looked at; 0 for the newest, whichever that is."""
    whose: Whose | None = None
    view: str = ""
    turn: str = ""
    show: str = ""

    def url(self, *rest: str, anchor: str = "", **changes: Any) -> str:
        """The address of the page, or of one below it, with some of this changed."""
        whose = changes.get("whose", self.whose)
        said = {
            "attempt": changes.get("attempt", self.attempt) or "",
            **named(whose),
            "view": changes.get("view", self.view),
            "turn": changes.get("turn", self.turn),
            "show": changes.get("show", self.show),
        }
        query = urlencode({name: value for name, value in said.items() if value}, errors="surrogatepass")
        return run_url(self.run, *rest) + (f"?{query}" if query else "") + (f"#{anchor}" if anchor else "")

    def log_url(self, whose: Whose, attempt: int) -> str:
        """The page of a log; `attempt` is the one whose folder has it."""
        return replace(self, view="", turn="", show="").url("log", whose=whose, attempt=attempt)


def named(whose: Whose | None) -> dict[str, str]:
    """The query that names a step or a handler."""
    if whose is None:
        return {}
    return {"step": whose[0]} if whose[0] else {"handler": whose[1]}


@dataclass(frozen=True, slots=True)
class Row:
    """One step, or handler, as a line of the table."""

    whose: Whose
    label: str
    state: str
    took: str
    since: str
    """When it began, for one that still runs; else empty."""
    tries: int
    exit_code: int | None
    beneath: str
    """Why it stands so, or where its work comes from, where there is something to say."""
    tags: tuple[str, ...]
    children: tuple[tuple[str, int], ...]
    """How many of its children stand how."""
    outputs: int
    url: str
    log_url: str
    is_selected: bool
    is_bad: bool


def rows(attempt: Attempt, dag: Dag, place: Place) -> list[Row]:
    """A row for each step in the order of the spec, then for each handler that ran."""
    steps = [_row((name, ""), step, place) for name, step in attempt.steps.items()]
    handlers = (attempt.handlers[event] for event in dag.handler_on if event in attempt.handlers)
    return steps + [_row(("", step.name), step, place) for step in handlers]


def _row(whose: Whose, step: StepRun, place: Place) -> Row:
    # A step whose engine died goes on by itself; one of an attempt with a successor does not.
    goes_on = step.state.is_underway and not step.finished and not place.attempt
    of_old = step.kept or step.left
    return Row(
        whose,
        label(whose),
        str(step.state),
        "" if of_old else duration(step.started, step.finished),
        (step.started or "") if goes_on else "",
        0 if of_old else step.tries,
        step.exit_code,
        _beneath(step),
        tuple(_tags(step)),
        tally(step.children.values()),
        len(step.outputs),
        place.url(whose=whose),
        place.log_url(whose, step.log_attempt) if step.log_attempt else "",
        whose == place.whose,
        step.state in _BAD,
    )


def _beneath(step: StepRun) -> str:
    said = one_line(reason_of(step))
    if kept := kept_words(step):
        return kept + (f" · {said}" if said and step.stale else "")
    plain = step.state in (StepState.SUCCEEDED, StepState.FAILED)
    return said or ("" if plain else step.state.replace("_", " "))


def label(whose: Whose) -> str:
    """What people call a step or a handler."""
    return whose[0] or f"{HANDLER}{whose[1]}"


def kept_words(step: StepRun) -> str:
    """Where the work of a step comes from that did not run in the attempt."""
    if step.kept:
        return f"kept from attempt {step.attempt}" if step.attempt else "kept"
    return "not selected" if step.left else ""


def reason_of(step: StepRun) -> str:
    """Why it stands as it does; what it asks, for one that waits."""
    asked = step.question.get("prompt") if step.question and step.state is StepState.WAITING else ""
    reason = step.error or step.reason
    if reason in (f"exit {step.exit_code}", f"exit code {step.exit_code}"):
        # That stands beside it anyway.
        reason = ""
    words = [reason, str(asked or "")]
    return ": ".join(dict.fromkeys(word for word in words if word))


def _tags(step: StepRun) -> Iterable[str]:
    if step.stale:
        yield "stale"
    if step.tolerated:
        yield "tolerated"
    if step.marking:
        yield "marked"
    if step.unrecorded:
        yield "ended after its engine"
    if step.executor:
        yield f"in {step.executor}"


def tally(children: Iterable[ChildRun]) -> tuple[tuple[str, int], ...]:
    """How many children stand how, the unhappy first."""
    counts = Counter(str(child.state) for child in children)
    order = [RunState.FAILED, RunState.INTERRUPTED, RunState.WAITING, RunState.RUNNING]
    return tuple(sorted(counts.items(), key=lambda pair: (pair[0] not in order, pair[0])))


def counts(all_rows: Sequence[Row]) -> list[tuple[str, int]]:
    """How many steps stand how; the unhappy first, the order is always the same."""
    order = list(StepState)
    found = Counter(row.state for row in all_rows)
    bad = [str(state) for state in (*_BAD, StepState.ABORTED, StepState.WAITING)]
    names = [*bad, *(str(state) for state in order if str(state) not in bad)]
    return [(name, found[name]) for name in names if found[name]]


# -- which step is shown in full -----------------------------------------------------------------


def chosen(attempt: Attempt, wanted: Whose | None) -> Whose | None:
    """The step that a page shows in full: the one that was asked for, else the most telling one."""
    if wanted is not None and find(attempt, wanted) is not None:
        return wanted
    steps = attempt.steps.values()
    failed = [step for step in steps if step.state in _BAD and not step.kept]
    broken = [step for step in attempt.handlers.values() if step.state in _BAD]
    at_work = [step for step in steps if step.state.is_underway]
    waiting = [step for step in steps if step.state is StepState.WAITING]
    ran = [step for step in steps if step.log_attempt == attempt.n]
    if failed:
        return failed[0].name, ""
    if broken:
        return "", broken[0].name
    for found in (at_work, waiting, ran):
        if found:
            return max(found, key=lambda step: step.started or "").name, ""
    return next(((step.name, "") for step in steps), None)


def find(attempt: Attempt, whose: Whose) -> StepRun | None:
    """A step or handler of an attempt."""
    return attempt.steps.get(whose[0]) if whose[0] else attempt.handlers.get(whose[1])


def folder_of(paths: RunPaths, n: int, whose: Whose) -> StepPaths:
    """Where a step, or a handler, leaves its work in attempt `n`."""
    return paths.attempt(n).step(whose[0]) if whose[0] else paths.attempt(n).handler(whose[1])


def definition(dag: Dag, whose: Whose) -> Step | None:
    """What the spec says of it."""
    return dag.by_name.get(whose[0]) if whose[0] else dag.handler_on.get(whose[1])


@dataclass(frozen=True, slots=True)
class Child:
    """A run of a step's sub-DAG."""

    run: str
    name: str
    state: str
    item: str
    reason: str
    kept: bool


def children_of(run: Run, step: StepRun) -> tuple[list[Child], int]:
    """The children of a step, the unhappy first, and how many more there are than are listed."""
    root = run.id.partition("/")[0]
    fine = (RunState.SUCCEEDED,)
    ordered = sorted(step.children.values(), key=lambda child: child.state in fine)
    listed = [
        Child(
            f"{root}/{each.id}",
            each.id,
            str(each.state),
            one_line(item_words(each.item)),
            one_line(each.reason),
            each.kept,
        )
        for each in ordered[:_MOST_CHILDREN]
    ]
    return listed, max(0, len(ordered) - _MOST_CHILDREN)


def item_words(item: str) -> str:
    """An item, written as JSON in the records, as people would call it."""
    try:
        found = json.loads(item)
    except (ValueError, RecursionError):
        return item
    return found if isinstance(found, str) else item


def pretty(value: str) -> tuple[str, bool]:
    """An output as people read it, and whether it was JSON that is more than a word."""
    if value[:1] in ("{", "["):
        try:
            return json.dumps(json.loads(value), indent=2, ensure_ascii=False), True
        except (ValueError, RecursionError):
            pass
    return value, False


def outputs_of(outputs: Mapping[str, str]) -> list[dict[str, Any]]:
    """Outputs for a table: name, text, whether the text has lines of its own."""
    found = []
    for name, value in outputs.items():
        text, is_json = pretty(value)
        found.append({"name": name, "text": text, "is_long": is_json or "\n" in text or len(text) > 120})
    return found
