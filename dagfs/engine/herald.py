"""Has plugins say what to run so that somebody hears of a run, and runs that. The run never changes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

from dagfs.engine.chronicle import Chronicle
from dagfs.engine.environment import StepEnvironment
from dagfs.engine.request import expand_config
from dagfs.engine.workplace import Setting
from dagfs.hooks.executor import Process
from dagfs.hooks.manager import PluginManager
from dagfs.hooks.notifier import ABORT, FAILURE, STEP, SUCCESS, WAIT, News
from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.state import RunState, StepState
from dagfs.spec.values import Scope
from dagfs.store.layout import StepPaths

_FOLDER = "notify"
"""Where notifiers have their files, beside the handlers of the attempt."""
_MAIL = ("smtp", "mail_on", "error_mail", "info_mail", "wait_mail")
_NEWS = {
    RunState.SUCCEEDED: SUCCESS,
    RunState.PARTIALLY_SUCCEEDED: SUCCESS,
    RunState.FAILED: FAILURE,
    RunState.REJECTED: FAILURE,
    RunState.ABORTED: ABORT,
    RunState.WAITING: WAIT,
}
_LONGEST_SAID = 300


class Herald:
    """An observer of one attempt's events, for the plugins that tell people."""

    def __init__(
        self, setting: Setting, plugins: PluginManager, chronicle: Chronicle, limit_sec: float
    ) -> None:
        """`limit_sec` is how long what a plugin names may run, 0 for as long as it likes."""
        self._setting, self._plugins, self._chronicle = setting, plugins, chronicle
        self._limit = limit_sec
        self._running: list[tuple[str, subprocess.Popen[bytes], float]] = []

    def __call__(self, event: Event) -> None:
        for news in self._news(event):
            self._tell(news)
        if event.name in (ev.ATTEMPT_FINISHED, ev.ATTEMPT_WAITING):
            while self._running:
                self._wait(*self._running.pop(0))

    def _news(self, event: Event) -> Iterator[News]:
        """What there is to be told of an event, if anything."""
        data = event.data
        if event.name == ev.STEP_FINISHED:
            step = self._setting.dag.by_name.get(data["step"])
            if step is not None and step.mail_on_error and data["state"] == StepState.FAILED:
                yield self._made(STEP, event, StepState.FAILED, step.name)
        elif event.name == ev.ATTEMPT_WAITING:
            yield self._made(WAIT, event, RunState.WAITING)
        elif event.name == ev.ATTEMPT_FINISHED and data["state"] in _NEWS:
            yield self._made(_NEWS[RunState(data["state"])], event, data["state"])

    def _made(self, what: str, event: Event, state: str, step: str = "") -> News:
        setting, values = self._setting, self._setting.values
        env = {**setting.machine, **values.env, **values.secrets}
        known = StepEnvironment(env, Scope({**env, **values.params}))
        said = {name: getattr(setting.dag, name) for name in _MAIL}
        attempt = setting.paths.attempt(setting.attempt.n)
        steps = self._chronicle.fold.steps
        logs = {
            name: str(setting.paths.attempt(run.log_attempt or run.attempt).step(name).stdout)
            for name, run in steps.items()
            if run.attempt
        }
        return News(
            what=what,
            run=setting.run,
            dag=setting.dag,
            attempt=setting.attempt.n,
            state=str(state),
            reason=str(event.data.get("reason") or ""),
            time=event.time,
            step=step,
            steps=dict(steps),
            logs={name: path for name, path in logs.items() if os.path.exists(path)},
            env={**env, "DAGFS_HOME": str(setting.home.root), "DAGFS_RUN_ID": setting.run.id},
            cwd=str(setting.paths.root),
            folder=str(attempt.handler(_FOLDER).root),
            dag_settings=expand_config({name: value for name, value in said.items() if value}, known),
        )

    def _tell(self, news: News) -> None:
        found, complaints = self._plugins.notify(news)
        for complaint in complaints:
            self._chronicle.note(ev.NOTICE, message=complaint)
        for plugin, process in found:
            try:
                self._running.append((plugin, self._started(process), time.monotonic()))
            except (OSError, ValueError) as error:
                self._complain(plugin, str(error))

    def _started(self, process: Process) -> subprocess.Popen[bytes]:
        attempt = self._setting.paths.attempt(self._setting.attempt.n)
        self._write(process, attempt.handler(_FOLDER))
        return subprocess.Popen(
            list(process.argv),
            env=dict(process.env),
            cwd=process.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def _write(self, process: Process, paths: StepPaths) -> None:
        if process.files:
            for folder in (paths.root.parent, paths.root):
                self._setting.disk.make_dir(folder)
        for name, text in process.files.items():
            self._setting.disk.write_program(paths.root / name, text.encode("utf-8", "surrogateescape"))

    def _wait(self, plugin: str, process: subprocess.Popen[bytes], began: float) -> None:
        left = max(0.0, began + self._limit - time.monotonic()) if self._limit else None
        try:
            _, said = process.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            self._complain(plugin, f"it took longer than {self._limit:g} s and was killed")
            return
        if process.returncode:
            text = " ".join(said.decode("utf-8", "replace").split())[:_LONGEST_SAID]
            self._complain(plugin, text or f"it ended with {process.returncode}")

    def _complain(self, plugin: str, what: str) -> None:
        self._chronicle.note(ev.NOTICE, message=f"plugin {plugin}: notify: {what}")
