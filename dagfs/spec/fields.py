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
    elsewhere: tuple[str, ...] = ()
    """Other paths at which such a map may stand."""


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
    "schedule": Field(
        "When runs start by themselves: a cron expression, a list of them, or a map of `start`, `stop` and "
        "`restart`. `CRON_TZ=Europe/Berlin 30 2 * * *` has a zone of its own; an entry may be one instant: "
        "`{at: 2026-12-24T18:00:00Z}`.",
        "schedule",
        "none",
        'schedule: "30 2 * * 1-5"',
    ),
    "timezone": Field(
        "The zone of the schedule's times.",
        "text",
        "`scheduler.timezone` in dagfs.yaml, else UTC",
        "timezone: Europe/Berlin",
    ),
    "skip_if_successful": Field(
        "Start no scheduled run where another one, made by hand say, has succeeded since the instant before.",
        "flag",
        "false",
    ),
    "catchup": Field(
        "What becomes of instants that passed while no scheduler ran: `none`, `latest` or `all`.",
        "catchup",
        "latest; all with `catchup_window`",
    ),
    "catchup_window": Field(
        "How far back missed instants are made up for: seconds, or a time such as `6h`.",
        "duration",
        "no bound",
        "catchup_window: 6h",
    ),
    "overlap": Field(
        "What becomes of an instant that is due while a run of the DAG goes on: `skip` it, `queue` it (in "
        "Dagu `all`), queue only the `latest`, `allow` both, or `cancel` the run that goes on.",
        "overlap",
        "skip",
    ),
    "jitter": Field(
        "Start up to so much later, always by the same for the same instant.", "duration", "0", "jitter: 5m"
    ),
    "start_date": Field(
        "The first day, or the first instant, that the schedule applies to.",
        "text",
        example="start_date: 2026-12-01",
    ),
    "end_date": Field("The last day, or the last instant, that the schedule applies to.", "text"),
    "watch": Field(
        "Patterns of files: each new or changed file that fits starts a run, once nobody writes to it any "
        "more, with its path as the parameter `file`. Relative ones start at the home.",
        "texts",
        example='watch: ["inbox/*.csv"]',
    ),
    "suspend": Field(
        "true starts nothing by itself; `dagfs pause` does the same from outside.", "flag", "false"
    ),
    "restart_wait_sec": Field(
        "How long to wait between stop and start of a scheduled restart.", "seconds", "0"
    ),
    "queue": Field("The queue that runs of this DAG wait in.", "text", "one of its own"),
    "priority": Field("Runs of higher priority leave a queue first; may be negative.", "integer", "0"),
    "max_active_runs": Field(
        "The most runs of this DAG at once that the scheduler starts; others wait in its queue.",
        "limit",
        "no limit; 1 for what waits in the queue of a DAG",
    ),
    "hist_retention_days": Field(
        "Runs that ended more days ago may go (`dagfs clean`, and the scheduler each hour).",
        "limit",
        "runs are kept for ever",
    ),
    "hist_retention_runs": Field(
        "Runs older than the newest so many may go.", "limit", "runs are kept for ever"
    ),
    "retry_policy": Field(
        "How often the scheduler retries a run that failed, as `dagfs retry` would.",
        "retry_policy",
        example="retry_policy: {limit: 2, interval_sec: 300}",
    ),
    "max_clean_up_time_sec": Field(
        "How long stopped steps may take; here that is `grace_sec` in dagfs.yaml."
    ),
    "log_dir": Field("Where logs go; here they are always in the run's folder."),
    "otel": Field("Where traces are sent."),
    "worker_selector": Field("Labels of the machines that may run it."),
    "run_config": Field("What people may change when they start a run by hand."),
    "llm": Field("Settings of language model steps."),
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
    "container": Field(
        "A container that steps run in which name no executor: the name of one that is there, or a map.",
        "container",
        example="container:\n  image: python:3.12\n  volumes: [./data:/data]",
    ),
    "ssh": Field(
        "The machine that steps run on which name no executor; steps of type `ssh` are completed by it.",
        "map",
        example="ssh: {user: deploy, host: web1.example.com, key: ~/.ssh/id_ed25519}",
    ),
    "secrets": Field(
        "Variables whose values are looked up when an attempt begins, masked in logs, and never stored.",
        "secrets",
        example="secrets:\n  - {name: TOKEN, provider: env, key: CI_TOKEN}",
    ),
    "consts": Field(
        "Values that are the same in every run, `${consts.NAME}`.",
        "consts",
        example="consts:\n  - region: eu",
    ),
    "defaults": Field(
        "What steps have that do not say otherwise; `env` and `preconditions` come before a step's own.",
        "defaults",
        example="defaults:\n  retry_policy: {limit: 2, interval_sec: 10}",
    ),
    "actions": Field(
        "Steps defined once, to be used several times: a map from name to what the action stands for.",
        "actions",
        example="actions:\n  greet:\n    template:\n      run: echo {{ json .input.who }}",
    ),
    "step_types": Field("An older word for `actions`, each with the `type` of its executor.", "actions"),
    "log_output": Field(
        "Whether the two output streams of a step have a log each or one together.", "log_output", "separate"
    ),
    "max_output_size": Field("The most bytes of one captured output.", "count", "1048576"),
    "mail_on": Field(
        "At which ends of a run mail is sent.", "mail_on", example="mail_on: {failure: true, success: false}"
    ),
    "error_mail": Field("Sender and receivers of mail about failures.", "mail"),
    "info_mail": Field("Sender and receivers of mail about successes.", "mail"),
    "wait_mail": Field("Sender and receivers of mail about runs that wait for somebody.", "mail"),
    "smtp": Field(
        "The server that takes mail: `host`, `port`, `username`, `password`.",
        "map",
        example='smtp: {host: mail.example.com, port: "587"}',
    ),
    "registry_auths": Field("Logins of container registries: a map by registry, or its JSON text.", "logins"),
}

_STEP = {
    "name": Field(
        "The step's name, at most 40 characters; spaces are allowed, `/` and a `-` in front are not. "
        "A run's step keeps it for ever.",
        "text",
        "its id, else cmd_1, script_2, …",
    ),
    "id": Field("A short word for `depends` and references such as `${id.stdout}`.", "text"),
    "description": Field("What the step is for, for people.", "text"),
    "command": Field(
        "Shell text. A list is several texts: each in a shell of its own, in turn, until one fails. A text "
        "of several lines that begins with `#!` is run as a `script`.",
        "texts",
        example="command: ./extract.sh --since ${date}",
    ),
    "run": Field(
        "Shell text, the same as `command`. In Dagu 1.x it names a sub-DAG, as `call` does.",
        "texts",
        example="run: |\n  ./fetch.sh\n  ./unpack.sh",
    ),
    "exec": Field(
        "A program with its arguments, which no shell reads.",
        "exec",
        example="exec: {command: ./load, args: [--date, '${date}']}",
    ),
    "action": Field(
        "What is run in 2.x spelling: `http.request`, `dag.run`, one of the DAG's own `actions`, …; `with` "
        "holds its input.",
        "text",
        example="action: http.request\nwith: {method: GET, url: https://example.com}",
    ),
    "call": Field(
        "A DAG to run as this step: one of the same file, of the home, or a path.",
        "text",
        example="call: transform\nparams: INPUT=orders.csv",
    ),
    "params": Field(
        "Parameters of the DAG that the step runs, in any form that `params` of a DAG has.", "params"
    ),
    "parallel": Field(
        "Items for each of which the step's DAG is run: a list, a text that comes to one, or a map.",
        "parallel",
        example="call: load\nparallel: [orders, customers]\nparams: TABLE=${ITEM}",
    ),
    "foreach": Field(
        "Steps that are run for each of some items.",
        "foreach",
        example="foreach:\n  items: [a, b]\n  steps:\n    - run: echo ${foreach.item}",
    ),
    "container": Field(
        "A container that the step runs in: the name of one that is there, or a map.", "container"
    ),
    "value": Field("The value that a step of type `router` chooses by.", "text"),
    "routes": Field(
        "Of a step of type `router`: which steps run for which value. The others are skipped.",
        "routes",
        example='type: router\nvalue: ${COUNT}\nroutes:\n  "0": [stop]\n  "re:.*": [load]',
    ),
    "approval": Field(
        "Somebody must approve before the steps behind it start.",
        "approval",
        example="approval: {prompt: Publish the report?}",
    ),
    "outputs": Field(
        "Named outputs: those that the step writes to `$DAGFS_OUTPUT`, or files that hold them.",
        "outputs",
        example="outputs:\n  - {name: rows, type: json}",
    ),
    "log_output": Field(
        "Whether its two output streams have a log each or one together.", "log_output", "the DAG's"
    ),
    "mail_on_error": Field("Send mail when the step fails.", "flag", "false"),
    "idempotent": Field(
        "`false`: once started, a retry runs the step again only with `--ack STEP`.", "flag", "true"
    ),
    "inputs": Field(
        "Files that the step's work is made with, as paths or globs; a plan says which of them changed "
        "since. With `strict: true` that is a question, as an edit of the step is.",
        "inputs",
        example="inputs: [transform.sh, lib/**/*.py]",
    ),
    "script": Field(
        "A text that goes into a file and is run by the step's own shell, else its `#!` line, else the DAG's "
        "shell. With a `command` beside it, that is the interpreter.",
        "text",
        example='command: python3\nscript: |\n  print("hello")',
    ),
    "shell": Field("The step's own shell; it runs without the `-e` that others have.", "shell", "the DAG's"),
    "shell_args": Field("More arguments for `shell`.", "texts"),
    "working_dir": Field("Where the step starts; relative to the DAG's.", "text", "the DAG's"),
    "env": Field("Variables of this step; values may use parameters, the DAG's `env` and outputs.", "env"),
    "depends": Field(
        "The steps it waits for, by name or id. In 1.x `depends: []` takes a step out of a chain; in 2.x a "
        "chain takes none.",
        "texts",
        "in a chain the step before",
        "depends: [extract, check]",
    ),
    "output": Field(
        "A variable that takes what the step prints on standard output, for the steps behind it; or in 2.x a "
        "map from names to where their values come from.",
        "output",
        example="output: ROWS",
    ),
    "stdout": Field(
        "A file that gets standard output as well, appended; relative to the working directory. In 2.x also "
        "a map: `artifact` names a file among the step's artifacts, `outputs` publishes fields of it.",
        "stream",
    ),
    "stderr": Field("A file that gets standard error as well, appended.", "stream"),
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
    "type": Field(
        "Which executor runs it; `command` is `shell` too, `router` and `hitl` are the engine's own.",
        "text",
        "shell",
    ),
    "config": Field("The executor's settings, or what its action takes; `with` is the same.", "map"),
    "worker_selector": Field("Labels of the machines that may run it."),
    "dependencies": Field("Packages that the step's script needs."),
    "output_schema": Field("What the step's output must look like."),
    "llm": Field("A question to a language model."),
    "messages": Field("The conversation with a language model."),
    "tools": Field("What an agent may use."),
    "agent": Field("A task for an agent."),
    "shell_packages": Field("Packages to install before the shell runs."),
}

_SCHEDULE = {
    "start": Field("When to start a run: an entry or a list of them.", "timetables"),
    "stop": Field("When to stop the run that goes on, if one does.", "timetables"),
    "restart": Field(
        "When to stop the run that goes on, wait `restart_wait_sec`, and start one.", "timetables"
    ),
}
_TIMETABLE = {
    "kind": Field("`cron` or `at`; told by the other keys where it is left off.", "text"),
    "expression": Field("A cron expression of five fields, or a word such as `@daily`.", "text"),
    "at": Field("One instant, with its offset.", "text", example="at: 2026-12-24T18:00:00Z"),
    "timezone": Field("The zone of the expression.", "text", "the DAG's `timezone`"),
    "profile": Field("Which set of values to use."),
}
_HANDLER_ON = {
    "init": Field("A step that runs before all others, in each attempt; where it fails none starts.", "step"),
    "success": Field("A step that runs when the steps succeeded, in part or whole.", "step"),
    "failure": Field("A step that runs when one failed.", "step"),
    "abort": Field("A step that runs when somebody stopped the run.", "step"),
    "exit": Field("A step that runs at the end, whatever happened.", "step"),
    "wait": Field("A step that runs when the run begins to wait for an approval.", "step"),
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
    "eval": Field(
        "In place of `condition`: a value whose backquotes and `$(…)` are run by a shell.",
        "text",
        example="eval: $(date +%u)",
    ),
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
}
_OUTPUT_FIELD = {
    "value": Field("The value itself.", "any value"),
    "from": Field(
        "Where it is read from: `stdout`, `stderr` or `file`.", "text", "stdout, or file with a path"
    ),
    "path": Field("The file it is read from; relative to the working directory.", "text"),
    "decode": Field("How it is read: `text`, `json`, `yaml` or `lines`.", "text", "text"),
    "select": Field("The part that is taken: a path.", "text", example="select: .items[0].id"),
    "type": Field("`string`, or `json` for text that must be JSON.", "text", "string"),
}
_OUTPUTS = {
    "name": Field("The output's name.", "text", needed=True),
    "type": Field("`string`, or `json` for text that must be JSON.", "text", "string"),
    "path": Field("A file that holds the value.", "text", "$DAGFS_OUTPUT, with lines NAME=value"),
}
_PARALLEL = {
    "items": Field("A list of texts or maps, or a text that comes to one.", "items", needed=True),
    "max_concurrent": Field("The most runs at once.", "count", "10"),
}
_FOREACH = {
    "items": Field("A list, or a text that comes to a JSON list.", "items", needed=True),
    "as": Field("What the steps call the item: `${foreach.NAME}`.", "text", "item"),
    "key": Field(
        "What tells items apart from one attempt to the next.",
        "text",
        "their value",
        "key: ${foreach.item.id}",
    ),
    "max_concurrent": Field("The most items at once.", "count", "10"),
    "steps": Field("What is run for each item.", "steps", needed=True),
    "collect": Field("From name to text: what each item hands on.", "map"),
}
_EXEC = {
    "command": Field("The program.", "text", needed=True),
    "args": Field("Its arguments.", "texts"),
}
_INPUTS = {
    "files": Field("The files, as paths or globs relative to the step's working directory.", "texts"),
    "strict": Field("A change of one of them is a question, and not only a warning.", "flag", "false"),
}
_APPROVAL = {
    "prompt": Field("What to ask.", "text"),
    "input": Field("Names of values that may be given with the approval; they become outputs.", "texts"),
    "required": Field("Those that must be given.", "texts"),
    "rewind_to": Field("The step to go back to when it is not approved.", "text", "the run is rejected"),
}
_SECRET = {
    "name": Field("The variable.", "text"),
    "provider": Field("Who knows the value: `env`, `file`, or what a plugin brings.", "text"),
    "key": Field("Where the provider has it: the name of a variable, the path of a file.", "text"),
    "options": Field("Settings of the provider.", "map"),
    "ref": Field("An entry of a registry, which dagfs has not."),
}
_MAIL_ON = {
    "failure": Field("When it failed.", "flag", "false"),
    "success": Field("When it succeeded.", "flag", "false"),
    "wait": Field("When it waits for somebody.", "flag", "false"),
}
_MAIL = {
    "from": Field("The sender.", "text"),
    "to": Field("The receivers.", "texts"),
    "prefix": Field("What the subject begins with.", "text"),
    "attach_logs": Field("Whether the logs of the steps go with it.", "flag", "false"),
}
_ACTION = {
    "template": Field(
        "The keys of a step, with `{{ .input.NAME }}` where its input goes.", "map", needed=True
    ),
    "input_schema": Field("A JSON schema of what `with` may hold.", "map"),
    "type": Field("The executor, in `step_types`.", "text"),
    "description": Field("What it is for, for people."),
    "output_schema": Field("What it puts out."),
}
_EXECUTOR = {
    "type": Field("The executor's name: `shell`, or one that a plugin brings.", "text", "shell"),
    "config": Field("The executor's settings.", "map"),
}
_PARAM = {
    "name": Field("The parameter's name.", "text"),
    "default": Field("Its value where none is given.", "value", "empty"),
    "description": Field("What it is for, for people.", "text"),
    "type": Field("What kind of value it takes.", "param_type", "string"),
    "required": Field("A run is not started without a value for it.", "flag", "false"),
    "enum": Field("The values it may have.", "list"),
    "minimum": Field("The least number it may be.", "number"),
    "maximum": Field("The greatest number it may be.", "number"),
    "min_length": Field("The fewest characters it may have.", "count"),
    "max_length": Field("The most characters it may have.", "count"),
    "pattern": Field("A regular expression (RE2) that some part of it must fit.", "text"),
    "eval": Field(
        "A default whose backquotes and `$(…)` a shell runs when the run begins.",
        "text",
        example="eval: $(date +%F)",
    ),
}

PLACES = (
    Place("", keys.ROOT, _DAG),
    Place("params", keys.PARAM, _PARAM),
    Place("preconditions", keys.PRECONDITION, _PRECONDITION),
    Place("schedule", keys.SCHEDULE, _SCHEDULE),
    Place(
        "schedule.start",
        keys.TIMETABLE,
        _TIMETABLE,
        elsewhere=("schedule", "schedule.stop", "schedule.restart"),
    ),
    Place("handler_on", keys.HANDLER_ON, _HANDLER_ON),
    Place("steps", keys.STEP, _STEP),
    Place("steps.output", keys.OUTPUT, _OUTPUT),
    Place("steps.continue_on", keys.CONTINUE_ON, _CONTINUE_ON),
    Place("steps.retry_policy", keys.RETRY_POLICY, _RETRY_POLICY),
    Place("steps.repeat_policy", keys.REPEAT_POLICY, _REPEAT_POLICY),
    Place("steps.preconditions", keys.PRECONDITION, _PRECONDITION),
    Place("steps.executor", keys.EXECUTOR, _EXECUTOR),
    Place("steps.output.NAME", keys.OUTPUT_FIELD, _OUTPUT_FIELD),
    Place("steps.outputs", keys.OUTPUTS, _OUTPUTS),
    Place("steps.exec", keys.EXEC, _EXEC),
    Place("steps.parallel", keys.PARALLEL, _PARALLEL),
    Place("steps.foreach", keys.FOREACH, _FOREACH),
    Place("steps.approval", keys.APPROVAL, _APPROVAL),
    Place("steps.inputs", keys.INPUTS, _INPUTS),
    Place("defaults", keys.DEFAULTS, {name: _STEP[name] for name in keys.DEFAULTS.used.split()}),
    Place("actions", keys.ACTION, _ACTION),
    Place("secrets", keys.SECRET, _SECRET),
    Place("mail_on", keys.MAIL_ON, _MAIL_ON),
    Place("error_mail", keys.MAIL, _MAIL),
)
"""Every kind of map in a DAG file, from the outside in."""
