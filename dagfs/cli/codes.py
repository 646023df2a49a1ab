"""What a command's exit code means, and what to do about it."""

from __future__ import annotations

from dagfs.errors import ExitCode

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
    ExitCode.WAITING: "`dagfs status @` says what is asked; `dagfs approve @` or `dagfs reject @` answers it",
    ExitCode.NOTHING_TO_DO: "every step is kept: edit something, or start a new run",
    ExitCode.PLAN_MOVED: "nothing has changed; look at the plan once more",
    ExitCode.BUG: "the message says where the report lies",
    ExitCode.IO_ERROR: "`dagfs doctor` checks the disk, `dagfs fsck` the records",
    ExitCode.BUSY: "wait for its end, follow it with `dagfs logs RUN -f`, or `dagfs stop RUN`",
    ExitCode.LOST_OWNERSHIP: "the run's folder was moved or replaced: look where it went, then `dagfs fsck`",
}
