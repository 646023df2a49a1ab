"""Keeps, for every DAG with a schedule, how far it has been dealt with and when it is due next."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from dagfs.errors import DagfsError
from dagfs.scheduler.due import mended
from dagfs.scheduler.instants import delay, next_due
from dagfs.scheduler.shelf import Shelved
from dagfs.store.ledger import Ledger, Watermark

_SECOND = timedelta(seconds=1)
_SLICE_SEC = 0.1
"""So long watermarks are written before anything else gets its turn."""
_REMEMBERED = 50
"""Instants that led to runs: more than a clock is usually set back."""


@dataclass(slots=True)
class Track:
    """How far one DAG's schedule has been dealt with."""

    dag: Shelved
    watermark: datetime
    due: datetime | None = None
    """When it is next, on the clock; the jitter is counted in."""
    actions: frozenset[str] = frozenset()
    """What is to be done then."""
    error: str = ""
    """Why the last start came to nothing."""
    begun: tuple[datetime, ...] = ()
    """Instants that an earlier scheduler was acting on when it ended."""
    dealt: deque[datetime] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """The newest instants that led to runs."""
    saved: Watermark | None = None
    """What is on disk."""


class Timekeeper:
    """The tracks of one scheduler. A heap of due times spares looking at those that are not due."""

    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], datetime],
        zone: str,
        uncertain: Callable[[str], Iterable[datetime]],
    ) -> None:
        """`uncertain` has the instants of a DAG file whose runs may not exist yet."""
        self._ledger, self._now, self.zone, self._uncertain = ledger, now, zone, uncertain
        self.tracks: dict[str, Track] = {}
        self._heap: list[tuple[datetime, int, str]] = []
        self._order = count()
        self._unsaved: set[str] = set()
        self._is_stuck = False

    # -- which there are ----------------------------------------------------------------------

    def update(self, dags: Mapping[str, Shelved], changed: Iterable[str]) -> None:
        """Take note of DAG files that came, changed or went."""
        for key in changed:
            dag = dags.get(key)
            if dag is None or not dag.schedule.entries:
                self.tracks.pop(key, None)
            elif key in self.tracks:
                self._changed(self.tracks[key], dag)
            else:
                self._came(key, dag)
        self.save_left()

    def _came(self, key: str, dag: Shelved) -> None:
        known = self._ledger.watermark(key)
        if known is not None and known.schedule == dag.digest:
            track = Track(dag, known.until, begun=known.begun, saved=known)
            track.dealt.extend(known.dealt)
        else:
            # New here, or another schedule by now: what is past was never promised.
            track = Track(dag, self._now())
            self._unsaved.add(key)
        self.tracks[key] = track
        self.plan(track)

    def _changed(self, track: Track, dag: Shelved) -> None:
        same = track.dag.digest == dag.digest
        track.dag, track.error = dag, ""
        if not same:
            self._begin_anew(track)
        # What does not change the schedule may still change when it is acted on: jitter, say.
        self.plan(track)

    def _begin_anew(self, track: Track) -> None:
        """It is another schedule from now on: what is past was never promised."""
        track.watermark, track.begun, track.saved = self._now(), (), None
        self._unsaved.add(track.dag.key)

    def set_zone(self, zone: str) -> None:
        """From now on schedules that name no zone are read in this one."""
        if zone != self.zone:
            self.zone = zone
            for track in self.tracks.values():
                if not track.dag.schedule.timezone:
                    self._begin_anew(track)
                    self.plan(track)
            self.save_left()

    # -- what is due --------------------------------------------------------------------------

    def is_due(self, moment: datetime) -> bool:
        """Whether any is due, as far as the heap knows."""
        return bool(self._heap) and self._heap[0][0] <= moment

    def take_due(self, moment: datetime) -> list[Track]:
        """Those whose time has come, each once."""
        found: dict[str, Track] = {}
        while self.is_due(moment):
            due, _, key = heapq.heappop(self._heap)
            track = self.tracks.get(key)
            if track is not None and (track.due is None or due >= track.due):
                found[key] = track
        return list(found.values())

    def plan(self, track: Track) -> None:
        """Put down when to look at a DAG again."""
        schedule = track.dag.schedule
        found = next_due(schedule, self.zone, track.watermark)
        track.due = found[0] + delay(track.dag.key, schedule) if found else None
        track.actions = found[1] if found else frozenset()
        if track.due is not None:
            self._remind(track.due, track.dag.key)

    def again(self, track: Track, when: datetime) -> None:
        """Look at a DAG once more, whose watermark has not moved."""
        self._remind(when, track.dag.key)

    def _remind(self, when: datetime, key: str) -> None:
        heapq.heappush(self._heap, (when, next(self._order), key))

    def next(self) -> datetime | None:
        """When there is something to look at again; None where nothing is known to be."""
        while self._heap and self._heap[0][2] not in self.tracks:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def count_until(self, moment: datetime) -> int:
        """About how many will be due by then."""
        return sum(due <= moment for due, _, _ in self._heap) if self.is_due(moment) else 0

    def upcoming(self, limit: int) -> list[tuple[datetime, str, list[str]]]:
        """What comes next: when, with which DAG, and what is done with it."""
        known = [
            (track.due, track.dag.name, sorted(track.actions))
            for track in self.tracks.values()
            if track.due is not None
        ]
        return heapq.nsmallest(limit, known)

    # -- watermarks ---------------------------------------------------------------------------

    def save(self, track: Track) -> None:
        """Write down how far a DAG is dealt with: up to the first start that is not certain yet."""
        begun = tuple(sorted({*self._uncertain(track.dag.key), *track.begun}))
        until = min(track.watermark, begun[0] - _SECOND) if begun else track.watermark
        dealt = tuple(each for each in track.dealt if each not in begun)
        watermark = Watermark(until, track.dag.digest, begun, dealt)
        if watermark != track.saved:
            self._ledger.set_watermark(track.dag.key, watermark)
            track.saved = watermark

    def save_begun(self) -> None:
        """Write down what is being acted on, for whoever comes next."""
        for track in self.tracks.values():
            if any(True for _ in self._uncertain(track.dag.key)):
                self.save(track)

    def save_left(self) -> None:
        """Write down since when new schedules are promised, some at a time, as soon as the disk takes it."""
        deadline = time.monotonic() + _SLICE_SEC
        while self._unsaved and time.monotonic() < deadline:
            key = next(iter(self._unsaved))
            if key in self.tracks:
                try:
                    self.save(self.tracks[key])
                except DagfsError as error:
                    self.tracks[key].error = error.message
                    self._is_stuck = True
                    return
            self._unsaved.discard(key)
        self._is_stuck = False

    @property
    def is_behind(self) -> bool:
        """There is more to write down than one turn had time for."""
        return bool(self._unsaved) and not self._is_stuck

    def went_back(self, moment: datetime) -> Iterator[Track]:
        """The tracks that are ahead of the clock, put right: ids see to it that nothing runs twice."""
        for track in self.tracks.values():
            track.watermark, back = mended(track.watermark, moment)
            if back:
                self.plan(track)
                self._unsaved.add(track.dag.key)
                yield track
