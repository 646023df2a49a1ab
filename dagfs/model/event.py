"""What happened: the one kind of record that the journal keeps, observers get and `--json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagfs.model.value import field, frozen

ATTEMPT_STARTED = "attempt_started"
"""attempt, spec, reason, actor: the first line of every journal."""
ATTEMPT_FINISHED = "attempt_finished"
"""state, reason; unmet where a precondition of the whole DAG did not hold. An engine that found a dead
one's attempt writes it with state `interrupted`."""
ATTEMPT_WAITING = "attempt_waiting"
"""reason: nothing more can be done before somebody has said a word; the engine ends."""
ATTEMPT_RESUMED = "attempt_resumed"
"""actor: an engine goes on with an attempt that was waiting."""
STEP_KEPT = "step_kept"
"""step, attempt (where its work lies), stale (accepted although its definition changed), reason."""
STEP_ADOPTED = "step_adopted"
"""step, attempt (whose process goes on), try: a running process was taken over; with waiting, a step that
still waits for a word."""
STEP_LEFT = "step_left"
"""step, attempt (where its work lies), reason: it is unfinished, and was not selected to run."""
STEP_DEFERRED = "step_deferred"
"""step, attempt (where its work lies), against (steps before it, to digests of what they had made), reason:
it is kept, by a step_kept, where they make the same again; else it runs."""
STEP_STARTED = "step_started"
"""step, try, stdout, stderr (offsets in bytes where this try's output begins); children, how many it has.
Written before the spawn."""
STEP_RETRYING = "step_retrying"
"""step, try, exit_code, until (when the next try starts), reason."""
STEP_FINISHED = "step_finished"
"""step, state, reason, and for one that ran: try, exit_code, signal, error, outputs, outputs_sha256; for a
router, chosen."""
STEP_WAITING = "step_waiting"
"""step, prompt, input, required, and what step_finished has: its work is done, and somebody is asked."""
STEP_ANSWERED = "step_answered"
"""step, approved, actor, reason, inputs: somebody has said a word to it."""
STEP_RESUMED = "step_resumed"
"""step, children: a step whose children waited goes on."""
CHILD_STARTED = "child_started"
"""step, child, child_attempt (its own), item: a run of the step's sub-DAG begins or goes on."""
CHILD_FINISHED = "child_finished"
"""step, child, child_attempt, state, reason; kept where nothing of it ran again."""
STEP_MARKED = "step_marked"
"""step, state (succeeded, failed or skipped), was, reason, actor; outputs, outputs_sha256 where some were
given. Somebody said how a step stands; it follows the end of an attempt."""
HANDLER_STARTED = "handler_started"
"""handler, try, stdout, stderr."""
HANDLER_FINISHED = "handler_finished"
"""handler, state, exit_code, error."""
STOP_REQUESTED = "stop_requested"
"""actor, kill: somebody asked the run to stop."""
RUN_TIMED_OUT = "run_timed_out"
"""timeout_sec: the DAG's own limit passed."""
NOTICE = "notice"
"""message, step: something an operator should know that changes no state."""


@frozen
class Event:
    """One thing that happened to an attempt.

    `n` counts from 1 within the attempt; `time` is RFC 3339 in UTC with microseconds; `data` holds
    what the constant of that name in this module lists.
    """

    n: int
    time: str
    name: str
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def step(self) -> str | None:
        """The step it is about, if it is about one."""
        value = self.data.get("step")
        return value if isinstance(value, str) else None

    def as_data(self) -> dict[str, Any]:
        """The JSON object of `--json` streams."""
        return {"n": self.n, "t": self.time, "event": self.name, **self.data}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Event:
        """Read back what `as_data` wrote; raises KeyError, TypeError or ValueError for anything else."""
        rest = {key: value for key, value in data.items() if key not in ("n", "t", "event")}
        return cls(int(data["n"]), str(data["t"]), str(data["event"]), rest)
