"""Has plugins say what to run so that somebody hears of a run, and runs that. The run never changes."""

from __future__ import annotations

import os
from collections.abc import Iterator

from dagfs.engine.chronicle import Chronicle
from dagfs.engine.environment import StepEnvironment
from dagfs.engine.messenger import Messenger
from dagfs.engine.request import expand_config
from dagfs.engine.workplace import Setting
from dagfs.hooks.manager import PluginManager
from dagfs.hooks.notifier import ABORT, FAILURE, STEP, SUCCESS, WAIT, News
from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.state import RunState, StepState
from dagfs.spec.values import Scope

_FOLDER = "notify"
"""Where notifiers have their files, beside the handlers of the attempt."""
MAIL = ("smtp", "mail_on", "error_mail", "info_mail", "wait_mail")
"""What a DAG says of mails."""
_NEWS = {
    RunState.SUCCEEDED: SUCCESS,
    RunState.PARTIALLY_SUCCEEDED: SUCCESS,
    RunState.FAILED: FAILURE,
    RunState.REJECTED: FAILURE,
    RunState.ABORTED: ABORT,
    RunState.WAITING: WAIT,
}


class Herald:
    """An observer of one attempt's events, for the plugins that tell people."""

    def __init__(
        self, setting: Setting, plugins: PluginManager, chronicle: Chronicle, limit_sec: float
    ) -> None:
        """`limit_sec` is how long what a plugin names may run, 0 for as long as it likes."""
        self._setting, self._chronicle = setting, chronicle
        self._messenger = Messenger(plugins, setting.disk, limit_sec, self._complain)

    def __call__(self, event: Event) -> None:
        for news in self._news(event):
            self._messenger.tell(news)
        if event.name in (ev.ATTEMPT_FINISHED, ev.ATTEMPT_WAITING):
            self._messenger.wait()

    def _complain(self, what: str) -> None:
        self._chronicle.note(ev.NOTICE, message=what)

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
        said = {name: getattr(setting.dag, name) for name in MAIL}
        attempt = setting.paths.attempt(setting.attempt.n)
        steps = self._chronicle.fold.steps
        logs = {
            name: str(setting.paths.attempt(run.log_attempt or run.attempt).step(name).stdout)
            for name, run in steps.items()
            if run.attempt
        }
        return News(
            what=what,
            subject=setting.run.id,
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
