"""The live table of a run on a terminal. The only module that imports rich; `telling` resolves it by name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dagfs.cli.output import STATE_STYLES
from dagfs.cli.progress import Frame, Progress
from dagfs.cli.region import Region
from dagfs.model.event import Event
from dagfs.model.run import Run

_TICK = 0.1
"""Seconds between two pictures, at least."""
_IDLE_TICKS = 10
"""Without news, the picture is drawn anew after so many ticks, for the times that go on."""


class Live:
    """Shows the events of an attempt as they come, as a table that is redrawn in place.

    A thread draws, so that a terminal that is held (^S) never holds the run.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        color: bool,
        load: Callable[[str], Run],
        now: Callable[[], datetime],
        footer: str,
    ) -> None:
        """`load` reads a run by its id; `footer` says how to stop or to leave."""
        self._encoding = stream.encoding or "utf-8"
        self._region = Region(stream.fileno())
        self._color, self._load, self._now, self._footer = color, load, now, footer
        self._entered = ExitStack()
        self._progress: Progress | None = None
        self._above: list[str] = []
        self._lock = threading.Lock()
        self._news, self._over = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        with self._entered:
            self._over.set()
            self._news.set()
            if self._thread is not None:
                self._thread.join()
                self._draw()

    def begin(self, run_id: str, title: str) -> None:
        """The next events are of this run's newest attempt."""
        run = self._load(run_id)
        if self._thread is not None:
            self._draw()
            self._region.settle()
        with self._lock:
            self._progress = Progress(run, footer=self._footer)
            self._above.append(f"\x1b[1m{title}\x1b[0m" if self._color else title)
        if self._thread is None:
            self._entered.enter_context(self._region)
            # Not before the run exists: the engine forks its helper without any thread.
            self._thread = threading.Thread(target=self._keep_drawing, name="live", daemon=True)
            self._thread.start()

    def __call__(self, event: Event) -> None:
        with self._lock:
            if self._progress is not None:
                said = self._progress.apply(event)
                self._above += [said] if said else []
        self._news.set()

    # --- drawing

    def _keep_drawing(self) -> None:
        while not self._over.is_set():
            self._news.clear()
            self._draw()
            self._over.wait(_TICK)
            self._news.wait(_TICK * _IDLE_TICKS)

    def _draw(self) -> None:
        width, height = self._region.size
        with self._lock:
            above, self._above = self._above, []
            if self._progress is None:
                return
            frame = self._progress.frame(self._now(), height - 1)
        lines = [self._encodable(line) for line in self._rendered(frame, max(20, width - 1))]
        self._region.draw(lines, [cell_len(Text.from_ansi(line).plain) for line in lines], above)

    def _encodable(self, line: str) -> str:
        return line.encode(self._encoding, "replace").decode(self._encoding)

    def _rendered(self, frame: Frame, width: int) -> list[str]:
        console = Console(
            force_terminal=True,
            color_system="standard" if self._color else None,
            no_color=not self._color,
            width=width,
            height=max(1, len(frame.rows)),
            highlight=False,
            legacy_windows=False,
            _environ={},
        )
        with console.capture() as captured:
            console.print(_table(frame), end="")
        lines = [line.rstrip() for line in captured.get().splitlines()]
        dim = ("\x1b[2m", "\x1b[0m") if self._color else ("", "")
        for text in (frame.counts, frame.footer):
            short = Text(f"  {text}")
            short.truncate(width, overflow="ellipsis")
            lines += [f"{dim[0]}{short.plain}{dim[1]}"] if text else []
        return lines


def _table(frame: Frame) -> Table:
    """Where the window is narrow, names and notes give way; states and times stay whole."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(min_width=9, no_wrap=True)
    table.add_column(min_width=6, no_wrap=True, justify="right")
    table.add_column()
    for row in frame.rows:
        style = STATE_STYLES.get(row.state, "dim")
        state = Text(row.state.replace("_", " "), style)
        table.add_row(_cut(f"  {row.name}", style), state, Text(row.took), _cut(row.note))
    return table


def _cut(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")
