"""Everything that is told of an attempt: into the journal first, then to observers, and into status.json."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from dagfs.engine.masking import Redactor
from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.fold import Fold
from dagfs.model.run import Run, RunHeader
from dagfs.store.runs import Claim
from dagfs.store.status import status_document

Observer = Callable[[Event], None]

_NAMES = frozenset({"step", "handler", "state", "child", "chosen", "outputs_sha256"})
"""What names things; a secret that is part of a name is none."""

_LAZY = frozenset({ev.STEP_RETRYING, ev.NOTICE})
"""Events that no decision rests on; they are not synced by themselves."""
_STATUS_EVERY = 0.5


class Chronicle:
    """The journal of one attempt, what it adds up to, and who listens."""

    def __init__(
        self, claim: Claim, run: RunHeader, fold: Fold, n: int, redactor: Redactor | None = None
    ) -> None:
        """`fold` has taken in what the journal of attempt `n` says already. Secrets are left out of it."""
        self._redactor = redactor
        self.fold = fold
        self._claim, self._run = claim, run
        self._journal = claim.journal(n)
        self._observers: list[Observer] = []
        self._unsaid: list[Event] = []
        self._status_due = 0.0
        self._stale = self._open = True

    def note(self, name: str, **data: Any) -> None:
        """Write an event. It is durable after `commit`, and told by `publish`."""
        if self._redactor:
            data = {
                key: value if key in _NAMES else self._redactor.data(value) for key, value in data.items()
            }
        event = self._journal.append(name, data, durable=name not in _LAZY)
        self.fold.apply(event)
        self._unsaid.append(event)
        self._stale = self._open = True

    def commit(self) -> None:
        """Make every event written so far durable. LostOwnership where the run is no longer ours."""
        self._claim.check()
        self._journal.commit()
        self._open = False

    @property
    def is_open(self) -> bool:
        """Events were written that are not durable yet."""
        return self._open

    def tell(self, observers: Iterable[Observer], earlier: Iterable[Event]) -> None:
        """Tell these of every event from now on, and first of the `earlier` ones."""
        for observer in observers:
            for event in earlier:
                observer(event)
            self._observers.append(observer)

    def publish(self, *, last: bool = False) -> None:
        """Tell what is new; bring status.json up to date, at most twice a second and at the `last`."""
        events, self._unsaid = self._unsaid, []
        for event in events:
            for observer in self._observers:
                observer(event)
        if self._stale and (last or time.monotonic() >= self._status_due):
            attempt = self.fold.attempt()
            document = status_document(Run(self._run, (attempt,)), as_of=self._journal.position)
            self._claim.write_status(attempt.n, document)
            self._status_due = time.monotonic() + _STATUS_EVERY
            self._stale = False

    def patience(self) -> float | None:
        """Seconds until status.json should be written again, or None where it is up to date."""
        return max(0.0, self._status_due - time.monotonic()) if self._stale else None

    def close(self) -> None:
        self._journal.close()


class Chronicles:
    """The chronicles of a run and of those of its children that are under way; the run's own is the first."""

    def __init__(self) -> None:
        self._all: dict[Chronicle, None] = {}

    def add(self, chronicle: Chronicle) -> None:
        self._all[chronicle] = None

    def remove(self, chronicle: Chronicle) -> None:
        self._all.pop(chronicle, None)

    def commit(self) -> None:
        """Make durable what any of them wrote; in any case ask whether the run is still ours."""
        for place, chronicle in enumerate(self._all):
            if chronicle.is_open or place == 0:
                chronicle.commit()

    def publish(self) -> None:
        for chronicle in tuple(self._all):
            chronicle.publish()

    def patience(self) -> float | None:
        """Seconds until one of them should be published again, or None."""
        waits = [wait for each in self._all if (wait := each.patience()) is not None]
        return min(waits) if waits else None
