"""What `dagfs help TOPIC` says beside the help of verbs: one screen each."""

from __future__ import annotations

RUNS = """\
A run is a folder, runs/ID. Read it with ls, cat, jq and tail -f as you like:

  run.json               what never changes: its id, DAG, who made it and when
  spec.v1.yaml           the DAG file as it was captured; v2, v3 … after edits
  spec.next.yaml         your edit, until a retry takes it up
  status.json            how it stands, for jq; a view, not the truth
  work/                  the run's own folder, shared by all steps and attempts
  attempts/1/journal.jsonl         the truth: what happened, a line each
  attempts/1/steps/STEP/           stdout.log, stderr.log, outputs.json, artifacts/

Where a command takes RUN, all of these name one:

  20261121-022842-etl-k3f9    its id, or a unique beginning of it
  etl                         a DAG's name: its newest run
  etl@-1                      the one before
  @, @-1                      the newest run of all, the one before
  runs/ID/…                   a path into its folder
"""
RETRY = """\
A retry continues a run: what succeeded is kept, what failed and what depends on it runs again.

  dagfs edit @        copies the captured spec to spec.next.yaml, opens it, checks it, shows the plan
  dagfs plan @        what a retry would do with each step, and why; changes nothing
  dagfs retry @       makes attempt 2 of the same run

An edit may do more than mend the step that failed. Each change is judged by rules; `dagfs plan` names them:

  compatible          goes through
  a question          finished work may be out of date: --on-stale rerun, keep, or STEP=rerun
  refused             --allow RULE --reason "why" lifts those rules that can be lifted

  dagfs explain RULE                       what a rule accepts and refuses, with examples
  dagfs retry @ --plan ID                  exactly the plan that was shown, or nothing
  dagfs mark @ STEP succeeded -m "why"     keep a step that was done by hand
  dagfs rerun @                            begin a new run instead
"""
VALUES = """\
Values come from parameters (-p NAME=VALUE), dotenv files, `env:`, and what steps put out.

  ${NAME}                 a parameter, variable or output
  ${NAME:-word}           word where it is not set or empty
  ${NAME.path[0]}         a value inside a JSON text
  ${STEP.outputs.NAME}    an output of a certain step
  ${STEP.artifacts}       the folder in which a step left its files
  ${STEP.stdout}          the path of its log

A step hands on values with `output: NAME` (its standard output), or by lines
NAME=value in the file $DAGFS_OUTPUT. Larger things are files: in
$DAGFS_ARTIFACTS_DIR (the step's own) or $DAGFS_WORK_DIR (the run's).

In the text of a command a reference becomes a variable of its process, never a
piece of the text: a value with quotes or $(…) in it stays data. What is not
known by any name stays as it is, for the shell.
"""
PLUGINS = """\
A plugin is a Python file in the home's plugins/ folder, or an installed package that names itself as one.
It can add executors (types of steps), rules (what an edit may do), observers (who is told), and commands.

  dagfs plugins              which there are, what they bring, and what is wrong with them
  dagfs --no-plugins …       without them

A file that others may write, that cannot be loaded or that raises is named by `dagfs plugins`, and harms only
itself. A program `dagfs-foo` on the PATH is the command `dagfs foo`, without any Python.
"""
EDITING = """\
`dagfs edit @` opens $VISUAL, $EDITOR or vi on runs/ID/spec.next.yaml. Any other way to change that file does:

  cp runs/ID/spec.v1.yaml runs/ID/spec.next.yaml     what `dagfs edit @ --no-editor` does
  dagfs diff @                                       what you have changed
  rm runs/ID/spec.next.yaml                          forget the edit
  dagfs plan @ --spec other.yaml                     another file in its place, or - for standard input

An edit that cannot be used is refused with its line and column, and stays where it is.
"""
ENVIRONMENT = """\
Variables that dagfs reads:

  DAGFS_HOME             the home, as -C does
  DAGFS_PAGER, PAGER     what shows long output on a terminal; `cat` for none, as --no-pager does
  VISUAL, EDITOR         what `dagfs edit` opens
  NO_COLOR, CLICOLOR_FORCE, TERM, CI    whether to paint, and to draw a live table

Each setting of dagfs.yaml has one as well: `dagfs config --show-origin`, `dagfs explain SETTING`.

Variables that a step gets:

  DAGFS_RUN_ID, DAGFS_RUN_DIR, DAGFS_HOME        the run and where it lies
  DAGFS_ATTEMPT, DAGFS_TRY, DAGFS_IS_RETRY       how often this was begun
  DAGFS_STEP, DAGFS_WORK_DIR, DAGFS_ARTIFACTS_DIR, DAGFS_OUTPUT
"""
TOPICS = {
    "runs-and-files": ("what a run is made of, and how to name one", RUNS),
    "retrying": ("how a run goes on, and what may be edited", RETRY),
    "editing": ("ways to edit the captured spec", EDITING),
    "values": ("parameters, variables, outputs and files", VALUES),
    "extending": ("plugins, and programs on the PATH", PLUGINS),
    "environment": ("variables that dagfs reads, and sets for steps", ENVIRONMENT),
}
"""Texts by name; none is the name of a verb."""
EXIT_CODES = ("exit-codes", "what a command's exit code means")
