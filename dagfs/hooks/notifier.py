"""The notifier contract: how a plugin says what to run so that somebody hears of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagfs.model.dag import Dag
from dagfs.model.run import RunHeader, StepRun

SUCCESS, FAILURE, WAIT, ABORT, STEP = "success", "failure", "wait", "abort", "step"


@dataclass(frozen=True, slots=True)
class News:
    """Something that somebody may want to hear of."""

    what: str
    """`success`, `failure`, `abort` or `wait`: how an attempt ended. `step`: one of its steps failed."""
    run: RunHeader
    dag: Dag
    attempt: int
    state: str
    """Of the run, or of the step."""
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
    """An absolute path that exists: the run's folder."""
    folder: str = ""
    """A folder for `Process.files`."""
    dag_settings: Mapping[str, Any] = field(default_factory=dict)
    """The DAG's `smtp`, `mail_on`, `error_mail`, `info_mail` and `wait_mail`, references replaced."""
