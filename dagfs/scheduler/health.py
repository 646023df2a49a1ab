"""Whether the scheduler of a home is at work and well, for `dagfs doctor`."""

from __future__ import annotations

from collections.abc import Iterator

from dagfs.engine.checkup import Check, Level
from dagfs.engine.location import now
from dagfs.errors import DagfsError
from dagfs.scheduler.pulse import is_alive
from dagfs.store.files import Disk
from dagfs.store.layout import HomePaths
from dagfs.store.ledger import Ledger
from dagfs.store.waiting import Queue

_NAME = "scheduler"
_NOT_YOURS = "look at the owner and mode of `runs/.scheduler`"


def scheduler_checks(paths: HomePaths) -> Iterator[Check]:
    """What there is to say about it; one that never ran and one that was ended are nobody's trouble."""
    try:
        yield from _checks(paths)
    except (DagfsError, OSError) as error:
        yield Check(_NAME, Level.PROBLEM, f"its files cannot be read: {error}", _NOT_YOURS)


def _checks(paths: HomePaths) -> Iterator[Check]:
    status = Ledger(Disk(), paths.scheduler, now).status()
    queue = Queue(Disk(), paths.scheduler)
    waiting, aside = len(queue.entries()), sum(1 for _ in queue.put_aside())
    if is_alive(status, now()):
        text = (
            f"at work, {status.get('schedules', 0)} schedules, last start {status.get('lag_sec', 0)} s late"
        )
        yield Check(_NAME, Level.OK, text)
        if status.get("error"):
            hint = "`dagfs scheduler --log 20` says since when"
            yield Check(_NAME, Level.PROBLEM, f"it reports: {status['error']}", hint)
    elif status and not status.get("stopped"):
        message = f"its last sign of life was at {status.get('tick')}: it died, or it hangs"
        yield Check(
            _NAME, Level.PROBLEM, message, "start it again: `dagfs scheduler`, or see `dagfs systemd`"
        )
    elif waiting:
        hint = "`dagfs scheduler` starts it; `dagfs systemd` prints a unit file"
        yield Check(_NAME, Level.WARNING, f"none is at work, and {waiting} queued runs wait", hint)
    else:
        yield Check(_NAME, Level.OK, "none is at work" if status else "none ever was at work")
    if aside:
        message = f"{aside} queued runs could not be started and were set aside"
        yield Check(_NAME, Level.WARNING, message, "`dagfs queue` says why; `dagfs queue rm` forgets one")
