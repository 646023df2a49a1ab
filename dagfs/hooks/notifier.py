"""The notifier contract: how a plugin says what to run so that somebody hears of the news."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagfs.model.dag import Dag
from dagfs.model.run import RunHeader, StepRun
from dagfs.model.value import field, frozen

SUCCESS, FAILURE, WAIT, ABORT, STEP, TROUBLE = "success", "failure", "wait", "abort", "step", "trouble"
BAD_FILE, NOT_STARTED, MISSED, SET_ASIDE = "bad_file", "not_started", "missed", "set_aside"
ENGINE_DIED, SCHEDULER, OTHERS = "engine_died", "scheduler", "others"
"""Kinds of trouble."""


@frozen
class News:
    """Something that somebody may want to hear of."""

    what: str
    """`success`, `failure`, `abort` or `wait`: how an attempt ended. `step`: one of its steps failed.
    `trouble`: something that no run can tell of, so the scheduler does."""
    run: RunHeader | None
    """None for most troubles: only one of the kind `engine_died` has a run."""
    dag: Dag | None
    """None for a trouble with a file of which no good version is known, or with the scheduler itself."""
    attempt: int
    """0 where there is no run."""
    state: str
    """Of the run, or of the step; empty where there is no run."""
    reason: str = ""
    time: str = ""
    """When it happened, RFC 3339 in UTC."""
    step: str = ""
    """The step that failed."""
    steps: Mapping[str, StepRun] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)
    """The standard output of each step that ran: name to absolute path."""
    env: Mapping[str, str] = field(default_factory=dict)
    """An environment to start from: what a step has, without outputs."""
    cwd: str = ""
    """An absolute path that exists: the run's folder, or the home where there is no run."""
    folder: str = ""
    """A folder for `Process.files`."""
    dag_settings: Mapping[str, Any] = field(default_factory=dict)
    """The DAG's `smtp`, `mail_on`, `error_mail`, `info_mail` and `wait_mail`, references replaced."""
    kind: str = ""
    """Of a trouble: `bad_file`, `not_started`, `missed`, `set_aside`, `engine_died`, `scheduler` or `others`;
    there will be more of them."""
    subject: str = ""
    """A name for what it is about: of the DAG, or the path of its file below `dags/`, or the id of a run."""
