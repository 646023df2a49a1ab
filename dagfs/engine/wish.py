"""What an execution wishes for: its loop grants it and sends back how that ended."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from dagfs.engine.launch import Launch
from dagfs.model.value import frozen
from dagfs.planning.frontier import Outcome
from dagfs.planning.outcome import Ending
from dagfs.store.record import Record

Events = tuple[tuple[str, Mapping[str, Any]], ...]
"""Names and data of events that go into the journal first."""


@frozen
class Start:
    """Run this process."""

    launch: Launch
    events: Events = ()


@frozen
class Attach:
    """Wait for a process that another engine started."""

    record: Record
    path: Path


@frozen
class Sleep:
    """Wait so many seconds, unless the run is stopped before."""

    seconds: float
    events: Events = ()


@frozen
class Await:
    """Wait for what is no process of its own."""

    begin: Callable[[Callable[[Ending], None]], None]
    """Starts it; what it is given is to be called, once, with how it ended."""
    events: Events = ()


Wish = Start | Attach | Sleep | Await
Steps = Generator[Wish, Ending, Outcome]
