"""When a DAG is to be run, as its spec says it. Pure data; `dagfs.scheduler` decides by it."""

from __future__ import annotations

from typing import Any

from dagfs.model.plain import Plain
from dagfs.model.value import frozen

START, STOP, RESTART = "start", "stop", "restart"
ACTIONS = (START, STOP, RESTART)
"""What a timetable can do with a DAG."""
CATCHUP = ("none", "latest", "all")
"""What becomes of instants that passed while no scheduler ran."""
OVERLAP = ("skip", "queue", "latest", "allow", "cancel")
"""What becomes of an instant that is due while a run of the DAG goes on."""
MOST_CAUGHT_UP = 1000
"""The most missed instants of one DAG that are made up for at once."""


@frozen
class Timetable(Plain):
    """One entry of `schedule:`: a cron expression, or a single instant."""

    action: str = START
    expression: str = ""
    """Five fields or `@daily` and the like, without a zone; empty for a single instant."""
    timezone: str = ""
    """Its own zone (`CRON_TZ=`); empty means the schedule's."""
    at: str = ""
    """A single instant, RFC 3339 with its offset."""

    def __str__(self) -> str:
        what = f"at {self.at}" if self.at else self.expression
        zone = f"CRON_TZ={self.timezone} " if self.timezone else ""
        return f"{zone}{what}" if self.action == START else f"{self.action}: {zone}{what}"


@frozen
class Schedule(Plain):
    """Everything that decides when runs start by themselves. Times in seconds."""

    entries: tuple[Timetable, ...] = ()
    timezone: str = ""
    """The zone of entries that name none; empty leaves it to dagfs.yaml."""
    skip_if_successful: bool = False
    """An instant is passed over when a run has succeeded since the one before."""
    catchup: str = "latest"
    """`none`, `latest` or `all`."""
    catchup_window_sec: float = 0
    """Instants longer ago are not made up for; 0 means no bound."""
    overlap: str = "skip"
    """`skip`, `queue`, `latest`, `allow` or `cancel`."""
    jitter_sec: float = 0
    """Each start is later by up to this; always by the same for the same instant."""
    start_date: str = ""
    """A date, or an instant in RFC 3339; none of the entries applies before."""
    end_date: str = ""
    """The last day, or the last instant."""
    watch: tuple[str, ...] = ()
    """Patterns of files; each new one starts a run. Relative ones start at the home."""
    suspend: bool = False
    """Nothing is started by itself."""
    restart_wait_sec: float = 0
    """How long to wait between the stop and the start of a restart."""

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        if key == "entries":
            return tuple(Timetable.from_data(each) for each in value)
        return tuple(value) if isinstance(value, list) else value

    @property
    def is_empty(self) -> bool:
        """It starts nothing by itself, now or ever."""
        return not self.entries and not self.watch


@frozen
class Retention(Plain):
    """Which old runs may go. Both at 0 keep every run for ever."""

    days: int = 0
    """Runs that ended longer ago may go."""
    runs: int = 0
    """Older runs than the newest so many may go."""

    @property
    def is_empty(self) -> bool:
        return not (self.days or self.runs)
