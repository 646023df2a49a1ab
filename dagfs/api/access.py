"""What a program has of a home: its files to read, and its engine once something needs that."""

from __future__ import annotations

import threading
from pathlib import Path

from dagfs.engine.bootstrap import Engine
from dagfs.engine.bootstrap import open_home as open_engine
from dagfs.engine.location import open_reading
from dagfs.engine.view import View, view_run


class Access:
    """A home as runs see it. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.reading = open_reading(self.path)
        self._lock = threading.Lock()
        self._opened: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The home with its plugins, opened at the first need."""
        with self._lock:
            if self._opened is None:
                self._opened = open_engine(self.path)
            return self._opened

    def view(self, run_id: str) -> View:
        return view_run(self.reading.store, run_id)
