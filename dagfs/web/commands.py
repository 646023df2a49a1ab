"""`dagfs` verbs for the web: each runs in a process of its own, forked from one that has dagfs loaded.

So the server never executes what users wrote, a server that dies harms no run, and what a button does is
what the command line does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dagfs.engine.child import error_from
from dagfs.errors import DagfsError, ExitCode
from dagfs.scheduler.spawner import Ended, Spawner

_FINE = (ExitCode.DONE, ExitCode.WAITING)


class TooSlow(DagfsError):
    """A command has not ended in the time it was given; it goes on."""

    exit_code = ExitCode.TIMED_OUT


class Commands:
    """Starts verbs and waits for them. To be used within one event loop."""

    def __init__(self, home: Path, *, plugins: bool = True) -> None:
        self._base = ["-C", str(home), "--color", "never", *([] if plugins else ["--no-plugins"])]
        self._spawner = Spawner()
        self._waiting: dict[int, asyncio.Future[Ended]] = {}
        self._heard = -1

    async def call(
        self, *words: str, text: bytes = b"", fine: Sequence[int] = _FINE, patience: float = 60
    ) -> bytes:
        """What `dagfs WORDS` prints, with `text` on its standard input.

        Raises what it ended with, unless its exit code is one of `fine`; TooSlow after `patience` seconds.
        """
        ended = await self.end_of(*words, text=text, patience=patience)
        if ended.code not in fine:
            raise error_from(ended.code if ended.code > 0 else ExitCode.IO_ERROR, ended.said)
        return ended.output

    async def data(self, *words: str, text: bytes = b"", fine: Sequence[int] = _FINE) -> Any:
        """The JSON that a verb prints with `--json`."""
        verb, *rest = words
        ended = await self.end_of(verb, "--json", *rest, text=text)
        # A code that says something of what was printed may also come without anything printed.
        if ended.code not in fine or not ended.output.strip():
            raise error_from(ended.code if ended.code > 0 else ExitCode.IO_ERROR, ended.said)
        return json.loads(ended.output)

    async def end_of(self, *words: str, text: bytes = b"", patience: float = 60) -> Ended:
        """How a command ended, and what it printed, whatever its exit code. TooSlow."""
        loop = asyncio.get_running_loop()
        ticket = self._spawner.ask([*self._base, *words], text)
        self._listen(loop)
        future = self._waiting[ticket] = loop.create_future()
        try:
            return await asyncio.wait_for(future, patience)
        except TimeoutError:
            raise TooSlow(f"`dagfs {words[0]}` goes on; it has taken {patience:g} s so far") from None
        finally:
            self._waiting.pop(ticket, None)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the spawner's answers heard; it may be another one than last time."""
        now = self._spawner.fileno()
        if now != self._heard:
            if self._heard >= 0:
                loop.remove_reader(self._heard)
            loop.add_reader(now, self._hear)
            self._heard = now

    def _hear(self) -> None:
        for ended in self._spawner.ended():
            future = self._waiting.get(ended.ticket)
            if future is not None and not future.done():
                future.set_result(ended)
        if self._spawner.fileno() != self._heard:
            asyncio.get_running_loop().remove_reader(self._heard)
            self._heard = -1

    def close(self) -> None:
        """End the process behind it; what it has started goes on."""
        if self._heard >= 0:
            asyncio.get_running_loop().remove_reader(self._heard)
            self._heard = -1
        self._spawner.close()
