"""The words that dagfs prints, and what they mean: exit codes, states, events."""

from __future__ import annotations

from dagfs.errors import ExitCode
from dagfs.model import event as ev
from dagfs.model.state import RunState, StepState

EXIT_CODES = {
    ExitCode.DONE: "done",
    ExitCode.RUN_NOT_SUCCEEDED: "the run did not succeed; for diff: there are differences",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.SPEC_INVALID: "a spec or dagfs.yaml is invalid",
    ExitCode.NOT_FOUND: "no such run, DAG, step or file",
    ExitCode.REFUSED: "refused by a rule, or a question is unanswered",
    ExitCode.WAITING: "the run waits for an approval",
    ExitCode.NOTHING_TO_DO: "nothing to do",
    ExitCode.PLAN_MOVED: "the plan has moved on",
    ExitCode.BUG: "a bug in dagfs",
    ExitCode.IO_ERROR: "an input or output error, or damage in the store",
    ExitCode.BUSY: "another engine owns the run",
    ExitCode.LOST_OWNERSHIP: "this engine no longer owns the run",
    ExitCode.TIMED_OUT: "timed out",
    ExitCode.INTERRUPTED: "stopped by ^C",
    ExitCode.TERMINATED: "stopped by SIGTERM",
}
WHAT_TO_DO = {
    ExitCode.RUN_NOT_SUCCEEDED: "`dagfs status @` says why and what to type next",
    ExitCode.USAGE: "`dagfs VERB --help` has options and examples",
    ExitCode.SPEC_INVALID: "every problem is listed with its line; `dagfs validate` lists them again",
    ExitCode.NOT_FOUND: "`dagfs ls` and `dagfs runs` list what there is",
    ExitCode.REFUSED: "nothing has changed; `dagfs plan @` shows what stands in the way, "
    "`dagfs explain RULE` what lifts it",
    ExitCode.NOTHING_TO_DO: "every step is kept: edit something, or start a new run",
    ExitCode.PLAN_MOVED: "nothing has changed; look at the plan once more",
    ExitCode.BUG: "the message says where the report lies",
    ExitCode.IO_ERROR: "`dagfs doctor` checks the disk, `dagfs fsck` the records",
    ExitCode.BUSY: "wait for its end, follow it with `dagfs logs RUN -f`, or `dagfs stop RUN`",
    ExitCode.LOST_OWNERSHIP: "the run's folder was moved or replaced: look where it went, then `dagfs fsck`",
}
RUN_STATES = {
    RunState.QUEUED: "it waits for its turn",
    RunState.RUNNING: "an engine is at work on it",
    RunState.WAITING: "it waits for somebody's approval",
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
    StepState.WAITING: "it waits for somebody's approval",
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
    ev.STEP_KEPT: "a step's earlier work is used again: step, attempt (where it lies), stale, reason",
    ev.STEP_ADOPTED: "a process whose engine died was taken over: step, attempt, try",
    ev.STEP_STARTED: "a try of a step begins: step, try, stdout, stderr (where in the logs, in bytes)",
    ev.STEP_RETRYING: "a try failed and another follows: step, try, exit_code, until, reason",
    ev.STEP_FINISHED: "a step ended: step, state, reason, and for one that ran try, exit_code, signal, "
    "error, outputs, outputs_sha256",
    ev.STEP_MARKED: "somebody said how a step stands: step, state, was, reason, actor",
    ev.HANDLER_STARTED: "a handler begins: handler, try, stdout, stderr",
    ev.HANDLER_FINISHED: "a handler ended: handler, state, exit_code, error",
    ev.STOP_REQUESTED: "somebody asked the run to stop: signal",
    ev.RUN_TIMED_OUT: "the DAG's own time limit passed: timeout_sec",
    ev.NOTICE: "worth knowing, changes nothing: message, step",
}
