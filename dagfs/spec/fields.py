"""What each key of a DAG file is for: the one source of `dagfs explain` and of the published schema.

Which keys there are, and how both dialects spell them, is in `dagfs.spec.keys`; every key there that is
no alias has its row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dagfs.spec import keys
from dagfs.spec.keys import Keys


class Field(NamedTuple):
    """One key, for people."""

    doc: str
    """What it sets, in a sentence or two."""
    shape: str = "any"
    """What it takes: a name in `dagfs.spec.schema.SHAPES`."""
    default: str = ""
    """In words; empty where there is none."""
    example: str = ""
    """One line of YAML, or a few."""
    needed: bool = False
    """A place that has not got it is refused."""


class Place(NamedTuple):
    """One kind of map in a DAG file."""

    path: str
    """How people name it: `steps.retry_policy`; empty for the DAG itself."""
    table: Keys
    fields: Mapping[str, Field]


_DAG = {
    "name": Field("The DAG's name: at most 40 of A-Z a-z 0-9 _ . -", "text", "the file's name"),
    "description": Field("What the DAG is for, for people.", "text"),
    "tags": Field(
        "Words to find the DAG by, as in `dagfs ls --tag`.", "tags", example="tags: [nightly, team=shop]"
    ),
    "type": Field(
        "How steps are ordered: `chain` runs them in the order of the file, `graph` by `depends` alone.",
        "type",
        "chain in 1.x spelling and where no step has depends, else graph",
        "type: graph",
    ),
    "params": Field(
        "Values that may differ from run to run, with their defaults; `-p NAME=VALUE` gives others.",
        "params",
        example='params:\n  - date: "2026-01-01"\n  - count: 40',
    ),
    "env": Field(
        "Variables of every step. Each may use those above it and, in 2.x, parameters.",
        "env",
        example="env:\n  - BUCKET: s3://orders/${date}",
    ),
    "dotenv": Field(
        "Files of NAME=value lines, looked for in `working_dir` and beside the DAG file; `.env` is always "
        "read first, and one that is missing is fine.",
        "texts",
        ".env",
        "dotenv: [.env, secrets.env]",
    ),
    "shell": Field(
        "The shell of all steps that name none; `direct` is no shell at all.",
        "shell",
        "the one in dagfs.yaml, else your $SHELL if it is a POSIX one, else /bin/sh",
        "shell: [bash, -u]",
    ),
    "shell_args": Field("More arguments for `shell`.", "texts"),
    "working_dir": Field(
        "Where steps start; made where it is not there. `${DAGFS_WORK_DIR}` is the run's own folder.",
        "text",
        "the DAG file's folder",
        "working_dir: ${DAGFS_WORK_DIR}",
    ),
    "preconditions": Field(
        "What must hold before any step starts; where one does not, the run ends as `aborted`.",
        "preconditions",
        example="preconditions:\n  - condition: ${date}\n    expected: re:2026-.*",
    ),
    "handler_on": Field(
        "Steps that belong to the attempt and not to the graph: what runs before it and after it.",
        "handler_on",
        example="handler_on:\n  failure:\n    run: echo ${DAG_NAME} failed",
    ),
    "timeout_sec": Field("The longest an attempt may take.", "seconds", "0, no limit", "timeout_sec: 3600"),
    "delay_sec": Field("How long to wait before each step.", "seconds", "0"),
    "max_active_steps": Field("The most steps at once.", "count", "0, which leaves it to dagfs.yaml"),
    "steps": Field(
        "The work: a list of steps, or a map from name to step. A step that is just a text is a command. In "
        "a chain, a list within the list is a group that runs together.",
        "steps",
        example="steps:\n  - name: extract\n    run: ./extract.sh\n  - name: load\n    depends: extract\n"
        "    run: ./load.sh",
        needed=True,
    ),
    "group": Field("A heading for lists of DAGs."),
    "schedule": Field("When the DAG is to be run: cron expressions."),
    "skip_if_successful": Field("Do not start a scheduled run where one has succeeded since."),
    "catchup_window": Field("How far back missed schedules are made up for."),
    "overlap_policy": Field("What to do when a schedule is due while the last run goes on."),
    "restart_wait_sec": Field("How long to wait between stop and start of a scheduled restart."),
    "max_clean_up_time_sec": Field(
        "How long stopped steps may take; here that is `grace_sec` in dagfs.yaml."
    ),
    "max_active_runs": Field("The most runs of this DAG at once."),
    "queue": Field("The queue that runs of this DAG wait in."),
    "hist_retention_days": Field("How many days runs are kept."),
    "hist_retention_runs": Field("How many runs are kept."),
    "log_dir": Field("Where logs go; here they are always in the run's folder."),
    "log_output": Field("Whether the two output streams have a log each or one together."),
    "max_output_size": Field("The largest output of a step; here it is 1 MiB."),
    "mail_on": Field("At which ends of a run mail is sent."),
    "error_mail": Field("Sender and receivers of mail about failures."),
    "info_mail": Field("Sender and receivers of mail about successes."),
    "wait_mail": Field("Sender and receivers of mail about waiting runs."),
    "smtp": Field("The server that takes mail."),
    "otel": Field("Where traces are sent."),
    "worker_selector": Field("Labels of the machines that may run it."),
    "registry_auths": Field("Logins of container registries."),
    "run_config": Field("What people may change when they start a run by hand."),
    "llm": Field("Settings of language model steps."),
    "retry_policy": Field("How often a failed run is started again by itself."),
    "artifacts": Field("Which files of a run are kept."),
    "resources": Field("How much processor and memory a run may take."),
    "webhook": Field("Starting runs by HTTP requests."),
    "kubernetes": Field("Settings of steps in Kubernetes."),
    "redis": Field("Settings of Redis steps."),
    "s3": Field("Settings of S3 steps."),
    "harness": Field("Settings of coding agents."),
    "harnesses": Field("Named settings of coding agents."),
    "tasks": Field("Another word for steps in some versions."),
    "tools": Field("Programs to install before steps run."),
    "container": Field("A container that all steps run in."),
    "ssh": Field("The machine that steps of type `ssh` run on."),
    "secrets": Field("Variables whose values come from a store of secrets."),
    "consts": Field("Values that are the same in every run."),
    "defaults": Field("What steps have that do not say otherwise."),
    "actions": Field("Steps defined once, to be used several times."),
    "step_types": Field("Kinds of steps of one's own."),
}

_STEP = {
    "name": Field(
        "The step's name, at most 40 characters, spaces allowed. A run's step keeps it for ever.",
        "text",
        "its id, else cmd_1, script_2, …",
    ),
    "id": Field("A short word for `depends` and references such as `${id.stdout}`.", "text"),
    "description": Field("What the step is for, for people.", "text"),
    "command": Field(
        "Shell text. A list is several texts: each in a shell of its own, in turn, until one fails.",
        "texts",
        example="command: ./extract.sh --since ${date}",
    ),
    "run": Field(
        "Shell text, the same as `command`. In Dagu 1.x it names a sub-DAG, which is not supported yet.",
        "texts",
        example="run: |\n  ./fetch.sh\n  ./unpack.sh",
    ),
    "script": Field(
        "A text that goes into a file and is run by its `#!` line, else by the shell. With a `command` "
        "beside it, that is the interpreter.",
        "text",
        example='command: python3\nscript: |\n  print("hello")',
    ),
    "shell": Field("The step's own shell; it runs without the `-e` that others have.", "shell", "the DAG's"),
    "shell_args": Field("More arguments for `shell`.", "texts"),
    "working_dir": Field("Where the step starts; relative to the DAG's.", "text", "the DAG's"),
    "env": Field("Variables of this step; values may use parameters, the DAG's `env` and outputs.", "env"),
    "depends": Field(
        "The steps it waits for, by name or id. `depends: []` takes a step out of a chain.",
        "texts",
        "in a chain the step before",
        "depends: [extract, check]",
    ),
    "output": Field(
        "A variable that takes what the step prints on standard output, for the steps behind it.",
        "output",
        example="output: ROWS",
    ),
    "stdout": Field(
        "A file that gets standard output as well, appended; relative to the working directory.", "text"
    ),
    "stderr": Field("A file that gets standard error as well, appended.", "text"),
    "continue_on": Field(
        "When the steps behind it go on although it failed or was skipped.",
        "continue_on",
        example="continue_on: {exit_code: [3, 4]}",
    ),
    "retry_policy": Field(
        "How often a failed try is repeated within an attempt.",
        "retry_policy",
        example="retry_policy: {limit: 3, interval_sec: 10, backoff: true}",
    ),
    "repeat_policy": Field(
        "How a step that ended is run again.",
        "repeat_policy",
        example="repeat_policy: {repeat: until, condition: test -f ready, interval_sec: 5, limit: 60}",
    ),
    "preconditions": Field(
        "What must hold before it starts; where one does not, the step is `skipped`.", "preconditions"
    ),
    "timeout_sec": Field(
        "The longest one try may take. A try that timed out is not repeated.", "seconds", "0, no limit"
    ),
    "signal_on_stop": Field(
        "The signal that asks it to stop; what is left after `grace_sec` is killed.",
        "signal",
        "SIGTERM",
        "signal_on_stop: SIGINT",
    ),
    "executor": Field(
        "Which executor runs it, in 1.x spelling: a name, or a map of `type` and `config`.",
        "executor",
        "shell",
    ),
    "type": Field("Which executor runs it, in 2.x spelling; `command` is `shell` too.", "text", "shell"),
    "config": Field("The executor's settings.", "map"),
    "params": Field("Parameters of a sub-DAG."),
    "mail_on_error": Field("Send mail when the step fails."),
    "log_output": Field("Whether the two output streams have a log each or one together."),
    "worker_selector": Field("Labels of the machines that may run it."),
    "inputs": Field("What the step reads."),
    "dependencies": Field("Packages that the step's script needs."),
    "output_schema": Field("What the step's output must look like."),
    "call": Field("A sub-DAG to run as this step."),
    "parallel": Field("Items to run the step for, side by side."),
    "container": Field("A container that the step runs in."),
    "llm": Field("A question to a language model."),
    "messages": Field("The conversation with a language model."),
    "routes": Field("Which steps go on, by a value."),
    "value": Field("The value that routes are chosen by."),
    "tools": Field("What an agent may use."),
    "approval": Field("Somebody must approve before it goes on."),
    "foreach": Field("Items to run steps for, one after the other or side by side."),
    "outputs": Field("Named outputs, written or computed."),
    "exec": Field("A program with its arguments, without a shell."),
    "action": Field("A step defined elsewhere, to be used here."),
    "agent": Field("A task for an agent."),
    "shell_packages": Field("Packages to install before the shell runs."),
}

_HANDLER_ON = {
    "init": Field("A step that runs before all others, in each attempt; where it fails none starts.", "step"),
    "success": Field("A step that runs when the steps succeeded, in part or whole.", "step"),
    "failure": Field("A step that runs when one failed.", "step"),
    "abort": Field("A step that runs when somebody stopped the run.", "step"),
    "exit": Field("A step that runs at the end, whatever happened.", "step"),
    "wait": Field("A step for runs that wait for an approval; never run in this version.", "step"),
}
_PRECONDITION = {
    "condition": Field(
        "A command that must end with 0, or with `expected` a value.",
        "text",
        example="condition: test -f ready",
    ),
    "expected": Field(
        "A text that one line of the value must equal, or `re:` and a regular expression.", "text"
    ),
    "negate": Field("The condition must not hold.", "flag", "false"),
    "eval": Field("A condition in a language of its own."),
}
_CONTINUE_ON = {
    "failure": Field("Go on after any failure.", "flag", "false"),
    "skipped": Field("Go on after the step was skipped.", "flag", "false"),
    "exit_code": Field("Go on after these exit codes.", "codes"),
    "output": Field(
        "Go on where a line of its standard output holds one of these texts, or matches `re:` and a regular "
        "expression.",
        "texts",
    ),
    "mark_success": Field("Count the step as succeeded then.", "flag", "false"),
}
_RETRY_POLICY = {
    "limit": Field("How many further tries there may be.", "count", needed=True),
    "interval_sec": Field("The wait before each, in seconds; 1.x needs it.", "seconds", "0"),
    "exit_code": Field("Try again only after these exit codes.", "codes", "any but 0"),
    "backoff": Field(
        "Each wait is so many times the one before: a number above 1, or `true` for 2.", "backoff", "false"
    ),
    "max_interval_sec": Field("The longest wait.", "seconds", "0, no limit"),
}
_REPEAT_POLICY = {
    "repeat": Field(
        "`while` (also `true`) repeats as long as the condition holds, `until` until it does.",
        "repeat",
        "until with a condition and `expected`, else while where there is a condition or an exit code",
    ),
    "interval_sec": Field("The wait before each repetition, in seconds.", "seconds", "0"),
    "limit": Field("The most executions in all.", "count", "0, no limit"),
    "condition": Field("A command, or with `expected` a value.", "text"),
    "expected": Field("What the value must be, or `re:` and a regular expression.", "text"),
    "exit_code": Field("Without a condition: holds after these exit codes.", "codes", "0"),
    "backoff": _RETRY_POLICY["backoff"],
    "max_interval_sec": _RETRY_POLICY["max_interval_sec"],
}
_OUTPUT = {
    "name": Field("The variable: letters, digits and _, no digit first.", "text", needed=True),
    "key": Field("Its name among the run's outputs; read, without effect in this version.", "text"),
    "omit": Field("Leave it out of the run's outputs; without effect in this version.", "flag", "false"),
    "schema": Field("What the output must look like."),
    "value": Field("An output that is computed."),
    "from": Field("Where the output is read from."),
    "path": Field("The file that the output is read from."),
    "decode": Field("How the output is read: as text, JSON or YAML."),
    "select": Field("The part of the output that is taken."),
}
_EXECUTOR = {
    "type": Field("The executor's name: `shell`, or one that a plugin brings.", "text", "shell"),
    "config": Field("The executor's settings.", "map"),
}
_PARAM = {
    "name": Field("The parameter's name.", "text"),
    "default": Field("Its value where none is given.", "text", "empty"),
    "description": Field("What it is for, for people."),
    "type": Field("What kind of value it takes."),
    "required": Field("It must be given."),
    "enum": Field("The values it may have."),
    "minimum": Field("The least number it may be."),
    "maximum": Field("The greatest number it may be."),
    "min_length": Field("The fewest characters it may have."),
    "max_length": Field("The most characters it may have."),
    "pattern": Field("A regular expression that it must match."),
    "eval": Field("A command whose output is the value."),
}

PLACES = (
    Place("", keys.ROOT, _DAG),
    Place("params", keys.PARAM, _PARAM),
    Place("preconditions", keys.PRECONDITION, _PRECONDITION),
    Place("handler_on", keys.HANDLER_ON, _HANDLER_ON),
    Place("steps", keys.STEP, _STEP),
    Place("steps.output", keys.OUTPUT, _OUTPUT),
    Place("steps.continue_on", keys.CONTINUE_ON, _CONTINUE_ON),
    Place("steps.retry_policy", keys.RETRY_POLICY, _RETRY_POLICY),
    Place("steps.repeat_policy", keys.REPEAT_POLICY, _REPEAT_POLICY),
    Place("steps.preconditions", keys.PRECONDITION, _PRECONDITION),
    Place("steps.executor", keys.EXECUTOR, _EXECUTOR),
)
"""Every kind of map in a DAG file, from the outside in."""
