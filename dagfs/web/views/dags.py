"""What the list of DAGs shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from markupsafe import Markup, escape

from dagfs.model.cron import in_words
from dagfs.model.schedule import Schedule, Timetable
from dagfs.scheduler.cron import understood
from dagfs.web.shelf import DagFact
from dagfs.web.templates import run_url
from dagfs.web.views.pauses import Pause
from dagfs.web.views.runs import RunFact, cell_title, typical

STRIP = 15
"""So many runs are shown of each DAG."""
_TYPICAL_OF = 20
_HEIGHTS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """A DAG in the list."""

    dag: DagFact
    schedule: str
    """In words; empty where nothing is started by itself."""
    next: datetime | None
    paused: Pause | None
    last: RunFact | None
    strip: Markup
    typical: float | None


def row(
    fact: DagFact,
    zone: str,
    following: datetime | None,
    runs: Sequence[RunFact],
    paused: Pause | None,
) -> Row:
    """`runs` are those of the DAG, newest first."""
    return Row(
        fact,
        schedule_words(fact.schedule, zone),
        None if paused else following,
        paused,
        runs[0] if runs else None,
        strip(runs[:STRIP]),
        typical(runs[:_TYPICAL_OF]),
    )


def strip(runs: Sequence[RunFact]) -> Markup:
    """A cell a run, the newest on the right; the longer a run took, the higher its cell."""
    return _strip(tuple(runs))


@lru_cache(maxsize=2000)
def _strip(runs: tuple[RunFact, ...]) -> Markup:
    longest = max((each.seconds or 0 for each in runs), default=0)
    cells = [_cell(each, longest) for each in reversed(runs)]
    return Markup(
        f'<span class="strip" role="img" aria-label="{escape(_told(runs))}">{"".join(cells)}</span>'
    )


def _cell(fact: RunFact, longest: float) -> str:
    height = _HEIGHTS
    if fact.seconds is not None and longest > 0:
        height = 1 + min(_HEIGHTS - 1, int(fact.seconds / longest * _HEIGHTS))
    return (
        f'<a class="cell h{height} {escape(fact.state)}" href="{escape(run_url(fact.run))}" tabindex="-1" '
        f'title="{escape(cell_title(fact))}"></a>'
    )


def _told(runs: Sequence[RunFact]) -> str:
    tally: dict[str, int] = {}
    for each in runs:
        tally[each.state] = tally.get(each.state, 0) + 1
    counts = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in tally.items())
    return f"the last {len(runs)} runs: {counts}" if runs else "no runs"


# -- schedules in words --------------------------------------------------------------------------


def schedule_words(schedule: Schedule, zone: str) -> str:
    """`at 02:30 on Monday to Friday (Europe/Berlin)`; empty where nothing is started by itself."""
    if schedule.suspend:
        return "suspended by its file"
    parts = [_entry_words(each) for each in schedule.entries]
    if schedule.entries:
        parts[-1] += f" ({schedule.timezone or zone})"
    if schedule.watch:
        parts.append(f"on new files {', '.join(schedule.watch)}")
    return "; ".join(parts)


def _entry_words(entry: Timetable) -> str:
    what = f"once at {entry.at}" if entry.at else _cron_words(entry.expression)
    own = f" in {entry.timezone}" if entry.timezone else ""
    return (what if entry.action == "start" else f"{entry.action} {what}") + own


def _cron_words(expression: str) -> str:
    return in_words(understood(expression))


# -- filters -------------------------------------------------------------------------------------

STATUSES = (
    "failed",
    "running",
    "waiting",
    "succeeded",
    "partially_succeeded",
    "aborted",
    "rejected",
    "interrupted",
    "broken",
    "paused",
    "never_ran",
)
SORTS = {"name": "name", "recent": "last run", "next": "next start"}


@dataclass(frozen=True, slots=True)
class DagFilter:
    """Which DAGs the list is to show."""

    text: str = ""
    tag: str = ""
    status: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.tag or self.status)

    def takes(self, fact: DagFact, last: RunFact | None, *, paused: bool) -> bool:
        return (
            (not self.tag or self.tag in fact.tags)
            and (not self.status or self.status in _statuses(fact, last, paused=paused))
            and all(word in _said(fact) for word in self.text.lower().split())
        )


def _said(fact: DagFact) -> str:
    return " ".join((fact.key, fact.name, fact.description, *fact.tags)).lower()


def _statuses(fact: DagFact, last: RunFact | None, *, paused: bool) -> set[str]:
    found = {last.state if last else "never_ran"}
    if fact.problems:
        found.add("broken")
    if paused:
        found.add("paused")
    return found


def ordered(
    facts: Iterable[DagFact],
    sort: str,
    last: Mapping[str, Sequence[RunFact]],
    following: Mapping[str, datetime | None],
) -> list[DagFact]:
    """By name, by the newest run, or by the next start; what has none comes last."""
    if sort == "recent":
        return sorted(facts, key=lambda each: _newest(last.get(each.name)), reverse=True)
    if sort == "next":
        return sorted(facts, key=lambda each: str(following.get(each.key) or "~"))
    return list(facts)


def _newest(runs: Sequence[RunFact] | None) -> str:
    return runs[0].created if runs else ""
