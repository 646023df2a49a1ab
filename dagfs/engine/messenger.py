"""Runs what notifiers named, so that somebody hears of something."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dagfs.errors import DagfsError
from dagfs.hooks.executor import Process
from dagfs.hooks.manager import PluginManager
from dagfs.hooks.notifier import News
from dagfs.store.files import Disk

_LONGEST_SAID = 300


class Messenger:
    """Asks every notifier about some news, and runs what they answer with, all at once."""

    def __init__(
        self, plugins: PluginManager, disk: Disk, limit_sec: float, complain: Callable[[str], None]
    ) -> None:
        """`limit_sec` is how long a process may run, 0 for as long as it likes; `complain` gets a line."""
        self._plugins, self._disk, self._limit, self._complain = plugins, disk, limit_sec, complain
        self._running: list[tuple[str, subprocess.Popen[bytes], float]] = []

    def tell(self, news: News) -> None:
        """Begin to tell; `wait` sees to the end."""
        found, complaints = self._plugins.notify(news)
        for complaint in complaints:
            self._complain(complaint)
        for plugin, process in found:
            try:
                self._running.append((plugin, self._started(process, Path(news.folder)), time.monotonic()))
            except (OSError, ValueError, DagfsError) as error:
                self._blame(plugin, str(error))

    def wait(self) -> None:
        """Until all have been told, or had their time."""
        while self._running:
            self._wait(*self._running.pop(0))

    def _started(self, process: Process, folder: Path) -> subprocess.Popen[bytes]:
        self._write(process, folder)
        return subprocess.Popen(
            list(process.argv),
            env=dict(process.env),
            cwd=process.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def _write(self, process: Process, folder: Path) -> None:
        if process.files:
            for each in (folder.parent, folder):
                self._disk.make_dir(each)
        for name, text in process.files.items():
            self._disk.write_program(folder / name, text.encode("utf-8", "surrogateescape"))

    def _wait(self, plugin: str, process: subprocess.Popen[bytes], began: float) -> None:
        left = max(0.0, began + self._limit - time.monotonic()) if self._limit else None
        try:
            _, said = process.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            self._blame(plugin, f"it took longer than {self._limit:g} s and was killed")
            return
        if process.returncode:
            text = " ".join(said.decode("utf-8", "replace").split())[:_LONGEST_SAID]
            self._blame(plugin, text or f"it ended with {process.returncode}")

    def _blame(self, plugin: str, what: str) -> None:
        self._complain(f"plugin {plugin}: notify: {what}")
