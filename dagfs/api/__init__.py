"""dagfs from Python: `from dagfs import api`. Errors are those of `dagfs.errors`.

Reading, planning, marking and stopping happen in this process. What runs steps is a `dagfs` process of its
own, because an engine forks and a user's program may have threads; its events come back as they happen.
"""

from __future__ import annotations

from dagfs.api.home import Home, open_home
from dagfs.api.options import RetryOptions
from dagfs.api.run import LiveRun, Run
from dagfs.api.saying import Question
from dagfs.model.event import Event
from dagfs.model.run import Attempt, Marking, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.planning.plan import Plan

__all__ = [
    "Attempt",
    "Event",
    "Home",
    "LiveRun",
    "Marking",
    "Plan",
    "Question",
    "RetryOptions",
    "Run",
    "RunState",
    "StepRun",
    "StepState",
    "open_home",
]
