"""The words that dagfs prints, and what they mean: states and events."""

from __future__ import annotations

from dagfs.model import event as ev
from dagfs.model.state import RunState, StepState

RUN_STATES = {
    RunState.QUEUED: "it waits for its turn",
    RunState.RUNNING: "an engine is at work on it",
    RunState.WAITING: "it waits for somebody's approval: `dagfs approve` or `dagfs reject`",
    RunState.SUCCEEDED: "every step succeeded, or was skipped",
    RunState.PARTIALLY_SUCCEEDED: "a step failed, and `continue_on` let the run go on",
    RunState.FAILED: "a step failed; mend it with `dagfs edit`, go on with `dagfs retry`",
    RunState.ABORTED: "somebody asked it to stop, or its time was over; `dagfs retry` goes on with it",
    RunState.REJECTED: "somebody rejected what it waited for",
    RunState.INTERRUPTED: "its engine died; `dagfs retry` takes over and goes on",
}
STEP_STATES = {
    StepState.NOT_STARTED: "nothing has happened to it yet",
    StepState.QUEUED: "it could start and waits for its turn",
    StepState.RUNNING: "its process is alive",
    StepState.RETRYING: "a try failed, and the next one comes by its `retry_policy`",
    StepState.WAITING: "it waits for somebody's approval: `dagfs approve` or `dagfs reject`",
    StepState.SUCCEEDED: "it ended well; a retry keeps its work unless something it depends on changes",
    StepState.PARTIALLY_SUCCEEDED: "it ended well in part",
    StepState.FAILED: "it ended with an exit code or signal that is no success",
    StepState.ABORTED: "it was stopped because the run was",
    StepState.SKIPPED: "one of its preconditions did not hold, or it stands behind a step that was skipped",
    StepState.REJECTED: "somebody rejected what it waited for",
    StepState.UPSTREAM_FAILED: "it could not start, because a step it waits for did not succeed",
    StepState.LOST: "nobody knows how it ended: its supervisor was killed too, or the machine went down",
}
EVENTS = {
    ev.ATTEMPT_STARTED: "an attempt began: attempt, spec, reason, actor. The first line of every journal",
    ev.ATTEMPT_FINISHED: "an attempt ended: state, reason",
    ev.ATTEMPT_WAITING: "nothing more can be done before somebody says a word, so the engine ended: reason",
    ev.ATTEMPT_RESUMED: "an engine goes on with an attempt that was waiting: actor",
    ev.STEP_KEPT: "a step's earlier work is used again: step, attempt (where it lies), stale, reason",
    ev.STEP_LEFT: "an unfinished step was not selected to run in this attempt: step, attempt, reason",
    ev.STEP_DEFERRED: "a finished step is kept, or runs, by what the steps before it make this time: step, "
    "attempt, against (their names, to digests of what they had made), reason",
    ev.STEP_ADOPTED: "a process whose engine died was taken over: step, attempt, try",
    ev.STEP_STARTED: "a try of a step begins: step, try, stdout, stderr (where in the logs, in bytes), and "
    "executor where a profile chose it",
    ev.STEP_RETRYING: "a try failed and another follows: step, try, exit_code, until, reason",
    ev.STEP_FINISHED: "a step ended: step, state, reason, and for one that ran try, exit_code, signal, "
    "error, outputs, outputs_sha256",
    ev.STEP_WAITING: "a step's work is done, and somebody is asked: step, prompt, input, required, and what "
    "step_finished has",
    ev.STEP_ANSWERED: "somebody said a word to a waiting step: step, approved, actor, reason, inputs",
    ev.STEP_RESUMED: "a step whose children waited goes on: step",
    ev.CHILD_STARTED: "a run of a step's sub-DAG begins or goes on: step, child, child_attempt, item",
    ev.CHILD_FINISHED: "a run of a step's sub-DAG ended: step, child, child_attempt, state, reason; kept "
    "where nothing of it ran again",
    ev.STEP_MARKED: "somebody said how a step stands: step, state, was, reason, actor",
    ev.HANDLER_STARTED: "a handler begins: handler, try, stdout, stderr",
    ev.HANDLER_FINISHED: "a handler ended: handler, state, exit_code, error",
    ev.STOP_REQUESTED: "somebody asked the run to stop: signal",
    ev.RUN_TIMED_OUT: "the DAG's own time limit passed: timeout_sec",
    ev.NOTICE: "worth knowing, changes nothing: message, step",
}
